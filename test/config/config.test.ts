import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import type { SluiceError } from '../../src/base/errors.ts'
import { type Flags, parseConfig } from '../../src/config/config.ts'
import { OTLP_DEFAULTS } from '../../src/otlp/options.ts'

const configOf = (text: string, flags: Flags = {}) => parseConfig(text, 'sluice.yaml', flags).config

/** The lines of CONFIG_INVALID; none when the text is valid. */
function problemsOf(text: string, flags: Flags = {}): string[] {
  try {
    configOf(text, flags)
    return []
  } catch (error) {
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' })
    return (error as SluiceError).message.split('\n')
  }
}

const url = 'http://central:9090/api/v1/write'

test('an empty file means the defaults that the README names', () => {
  expect(configOf('')).toEqual({
    listen: {
      write: { host: '0.0.0.0', port: 9201 },
      otlpHttp: { host: '0.0.0.0', port: 4318 },
      otlpGrpc: { host: '0.0.0.0', port: 4317 },
      admin: { host: '127.0.0.1', port: 9202 },
      tls: null,
    },
    storage: {
      path: './data',
      quotaBytes: undefined,
      onFull: 'reject',
      acknowledge: 'fsync',
    },
    otlp: OTLP_DEFAULTS,
    dedup: { maxSeries: 5_000_000 },
    limits: {
      intakeThreads: 1,
      headerTimeoutMs: 10_000,
      requestTimeoutMs: 60_000,
      perAddressMax: 5_000,
      bodyBytesMax: 256 * 1024 ** 2,
    },
    remoteWrite: [
      {
        name: 'central',
        url: 'http://localhost:9090/api/v1/write',
        remoteTimeoutMs: 30_000,
        outOfOrderWindowMs: 0,
        catchUp: 'in_order',
        protocol: 'rw2',
        headers: {},
        credentials: null,
        tls: null,
        relabelRules: [],
      },
    ],
  })
})

test('every setting is read, in the units that it is written in', () => {
  const text = `
listen:
  write: ':1'
  otlp_http: '[::1]:3'
  otlp_grpc: off
  admin: '[::1]:2'
  tls: { cert_file: own.crt, key_file: /keys/own.key, client_ca_file: clients.crt }
storage: { path: /var/lib/sluice, quota: 20GiB, on_full: reject, acknowledge: page_cache }
otlp:
  translation_strategy: NoUTF8EscapingWithSuffixes
  promote_all_resource_attributes: true
  ignore_resource_attributes: [host.name]
  keep_identifying_resource_attributes: true
  convert_histograms_to_nhcb: true
  promote_scope_metadata: true
  label_name_underscore_sanitization: false
  label_name_preserve_multiple_underscores: false
  keep_zero_threshold: false
  delta: cumulative
  delta_max_series: 5000
  delta_max_stale: 1m30s
dedup: { max_series: 7 }
limits:
  { intake_threads: 3, header_timeout: 5s, request_timeout: 2m, connections_per_address: 9,
    body_memory: 1GiB }
remote_write:
  - name: mimir-1
    url: ${url}
    remote_timeout: 1m30s
    out_of_order_time_window: 30m
    catch_up: newest_first
    protobuf_message: prometheus.WriteRequest
    headers: { X-Scope-OrgID: 12 }
`
  expect(configOf(text)).toEqual({
    listen: {
      write: { host: '', port: 1 },
      otlpHttp: { host: '::1', port: 3 },
      otlpGrpc: null,
      admin: { host: '::1', port: 2 },
      tls: {
        certFile: resolve('own.crt'),
        keyFile: '/keys/own.key',
        clientCaFile: resolve('clients.crt'),
      },
    },
    storage: {
      path: '/var/lib/sluice',
      quotaBytes: 20 * 2 ** 30,
      onFull: 'reject',
      acknowledge: 'page_cache',
    },
    otlp: {
      translationStrategy: 'NoUTF8EscapingWithSuffixes',
      promoteResourceAttributes: [],
      promoteAllResourceAttributes: true,
      ignoreResourceAttributes: ['host.name'],
      keepIdentifyingResourceAttributes: true,
      convertHistogramsToNhcb: true,
      promoteScopeMetadata: true,
      labelNameUnderscoreSanitization: false,
      labelNamePreserveMultipleUnderscores: false,
      keepZeroThreshold: false,
      delta: { seriesMax: 5000, staleSeconds: 90 },
    },
    dedup: { maxSeries: 7 },
    limits: {
      intakeThreads: 3,
      headerTimeoutMs: 5_000,
      requestTimeoutMs: 120_000,
      perAddressMax: 9,
      bodyBytesMax: 1024 ** 3,
    },
    remoteWrite: [
      {
        name: 'mimir-1',
        url,
        remoteTimeoutMs: 90_000,
        outOfOrderWindowMs: 1_800_000,
        catchUp: 'newest_first',
        protocol: 'rw1',
        headers: { 'X-Scope-OrgID': '12' },
        credentials: null,
        tls: null,
        relabelRules: [],
      },
    ],
  })
})

test('flags win over the file, and a problem with one is named after it', () => {
  const file = `listen: { write: ':1' }\nremote_write: [{ url: "${url}" }]`
  const flags = { '--listen': ':7', '--remote-write': 'http://other/write', '--data': '/data' }
  const config = configOf(file, flags)
  expect(config.listen.write.port).toBe(7)
  expect(config.storage.path).toBe('/data')
  expect(config.remoteWrite[0]!.url).toBe('http://other/write')
  expect(problemsOf('', { '--admin': 'nowhere' })).toEqual([
    '--admin: expected an address such as 127.0.0.1:9202, got "nowhere"',
  ])
})

test('all problems are told at once, in the order of their lines', () => {
  const text = `
storage:
  quota: lots
  on_full: drop_newest
listen:
  write: 9201
remote_write:
  - url: ftp://central
    remote_timeout: soon
`
  expect(problemsOf(text)).toEqual([
    'sluice.yaml:3: storage.quota: expected a size such as 20GiB, got "lots"',
    'sluice.yaml:4: storage.on_full: expected reject or drop_oldest, got "drop_newest"',
    'sluice.yaml:6: listen.write: expected an address such as 0.0.0.0:9201, got 9201',
    'sluice.yaml:8: remote_write[0].url: expected an http or https URL without user and ' +
      'password (basic_auth has room for them), got "ftp://central"',
    'sluice.yaml:9: remote_write[0].remote_timeout: expected a duration such as 30s, got "soon"',
  ])
})

test.for([
  ['lisen: {}', 'sluice.yaml:1: lisen: unknown setting, did you mean "listen"?'],
  [
    'limits: { body_memory: 32MiB }',
    'sluice.yaml:1: limits.body_memory: expected a size from 33MiB on, got "32MiB"',
  ],
  [
    'limits: { header_timeout: 61s }',
    'sluice.yaml:1: limits.header_timeout: is longer than limits.request_timeout, of which it is a part',
  ],
  [
    'limits: { intake_threads: 65 }',
    'sluice.yaml:1: limits.intake_threads: expected a whole number from 1 to 64, got 65',
  ],
  ['dedup: { zzz: 1 }', 'sluice.yaml:1: dedup.zzz: unknown setting, known are max_series'],
  ['storage: [1]', 'sluice.yaml:1: storage: expected a section of settings, got a list'],
  ['storage: { quota: 0 }', 'sluice.yaml:1: storage.quota: expected a size such as 20GiB, got 0'],
  ['clusters: []', 'sluice.yaml:1: clusters: not available in this version'],
  ['otlp: { delta: sum }', 'sluice.yaml:1: otlp.delta: expected reject or cumulative, got "sum"'],
  [
    'otlp: { delta_max_series: 0 }',
    'sluice.yaml:1: otlp.delta_max_series: expected a whole number from 1 to 1073741823, got 0',
  ],
  [
    'otlp: { delta_max_stale: 10ms }',
    'sluice.yaml:1: otlp.delta_max_stale: expected a duration from 1s up, such as 5m, got "10ms"',
  ],
  [
    'otlp: { promote_resource_attributes: [a, b, a] }',
    'sluice.yaml:1: otlp.promote_resource_attributes[2]: "a" stands there twice',
  ],
  [
    'otlp: { promote_resource_attributes: [" "] }',
    'sluice.yaml:1: otlp.promote_resource_attributes[0]: expected the key of an attribute, got " "',
  ],
  [
    'otlp: { promote_all_resource_attributes: true, promote_resource_attributes: [a] }',
    'sluice.yaml:1: otlp.promote_resource_attributes: cannot be set with promote_all_resource_attributes',
  ],
  [
    'otlp: { ignore_resource_attributes: [a] }',
    'sluice.yaml:1: otlp.ignore_resource_attributes: needs promote_all_resource_attributes: true',
  ],
  [
    `remote_write: [{ url: "${url}", catch_up: newest }]`,
    'sluice.yaml:1: remote_write[0].catch_up: expected in_order or newest_first, got "newest"',
  ],
  [
    `remote_write: [{ url: "${url}", catch_up: newest_first }]`,
    'sluice.yaml:1: remote_write[0].catch_up: newest_first needs out_of_order_time_window, which ' +
      'the receiver must have as well: without it a backlog is refused by whoever has what is newer',
  ],
  ['remote_write: []', 'sluice.yaml:1: remote_write: names no destination'],
  [
    `remote_write: [{ url: "${url}" }, { name: b, url: "${url}" }, { url: "${url}" }]`,
    'sluice.yaml:1: remote_write[2].name: "central" is the name of remote_write[0]: ' +
      'give each one its own',
  ],
  [
    "listen: { admin: '0.0.0.0:9201' }",
    'sluice.yaml:1: listen.admin: listen.write has the same address, 0.0.0.0:9201',
  ],
  [
    'remote_write: [{ name: a/b, url: "http://x" }]',
    'sluice.yaml:1: remote_write[0].name: expected up to 64 letters, digits, dots, "_" or "-", ' +
      'got "a/b"',
  ],
] as const)('%s is a problem that says what would do', ([text, problem]) => {
  expect(problemsOf(text)).toEqual([problem])
})

test('text that is not YAML is a problem with its line', () => {
  const [problem, ...others] = problemsOf('listen:\n  write: "open\n')
  expect(problem).toMatch(/^sluice\.yaml:\d+: /)
  expect(others).toEqual([])
})

test('no problem shows a password or the value of a header', () => {
  const text = `
remote_write:
  - url: http://user:secret@central/write
    headers: { Authorization: Bearer secret, X-Key: "secret\\u0001" }
`
  const problems = problemsOf(text)
  expect(problems).toHaveLength(3)
  expect(problems.join()).not.toContain('secret')
  expect(problems.join()).toContain('remote_write[0].headers.Authorization: is reserved')
})

test('what a Prometheus sets for its own queue is allowed, with a warning', () => {
  const text = `remote_write: [{ url: "${url}", queue_config: { max_shards: 5 } }]`
  expect(parseConfig(text, 'sluice.yaml').warnings).toEqual([
    'sluice.yaml:1: remote_write[0].queue_config: ignored, it has no meaning here',
  ])
})

test('a configuration cannot be changed', () => {
  const config = configOf('')
  expect(() => Object.assign(config.listen.write, { port: 1 })).toThrow(TypeError)
  expect(() => Object.assign(config.remoteWrite[0]!.headers, { a: 'b' })).toThrow(TypeError)
})
