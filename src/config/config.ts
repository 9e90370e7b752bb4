import { z } from 'zod'
import { readSettings, type Sections, setting } from './base/settings.ts'
import {
  type Address,
  addressText,
  parseAddress,
  parseDurationMs,
  parseSize,
} from './base/units.ts'

/** Everything that can be set, complete and frozen. */
export type Config = {
  readonly listen: { readonly write: Address; readonly admin: Address }
  readonly storage: {
    readonly path: string
    /** Undefined: a share of the file system, which only a look at it can tell. */
    readonly quotaBytes: number | undefined
    readonly onFull: 'reject'
    readonly acknowledge: 'fsync' | 'page_cache'
  }
  readonly dedup: { readonly maxSeries: number }
  readonly limits: { readonly intakeThreads: number }
  /** Exactly one, in this version. */
  readonly remoteWrite: readonly DestinationConfig[]
}

export type DestinationConfig = {
  readonly name: string
  readonly url: string
  readonly remoteTimeoutMs: number
  /** What the receiver itself is configured with; 0 when it refuses every late sample. */
  readonly outOfOrderWindowMs: number
  /** What is spoken first: 2.0 falls back to 1.0 when the receiver does not know it. */
  readonly protocol: 'rw1' | 'rw2'
  /** Sent with every request, beside those that the protocol asks for. */
  readonly headers: Readonly<Record<string, string>>
}

/** Settings given on the command line. */
export const FLAG_PATHS = {
  '--remote-write': ['remote_write', 0, 'url'],
  '--data': ['storage', 'path'],
  '--listen': ['listen', 'write'],
  '--admin': ['listen', 'admin'],
} as const
export type Flags = { readonly [flag in keyof typeof FLAG_PATHS]?: string | undefined }

const LISTEN = {
  write: setting('an address such as 0.0.0.0:9201', parseAddress).prefault('0.0.0.0:9201'),
  admin: setting('an address such as 127.0.0.1:9202', parseAddress).prefault('127.0.0.1:9202'),
}

const STORAGE = {
  path: setting('a directory', (text) => text || null).prefault('./data'),
  quota: setting('a size such as 20GiB', (text) => parseSize(text) || null).optional(),
  on_full: setting('reject (drop_oldest is not available in this version)', (text) =>
    text === 'reject' ? text : null,
  ).prefault('reject'),
  acknowledge: setting('fsync or page_cache', (text) =>
    text === 'fsync' || text === 'page_cache' ? text : null,
  ).prefault('fsync'),
}

/** The series table numbers its rows with 30 bits. */
const SERIES_MAX = 2 ** 30 - 1

const DEDUP = {
  max_series: setting(`a whole number from 1 to ${SERIES_MAX}`, (text) => {
    const count = /^\d{1,10}$/.test(text) ? Number(text) : 0
    return count >= 1 && count <= SERIES_MAX ? count : null
  }).prefault('5000000'),
}

const INTAKE_THREADS_MAX = 64

const LIMITS = {
  intake_threads: setting(`a whole number from 1 to ${INTAKE_THREADS_MAX}`, (text) => {
    const count = /^\d{1,2}$/.test(text) ? Number(text) : 0
    return count >= 1 && count <= INTAKE_THREADS_MAX ? count : null
  }).prefault('1'),
}

const DESTINATION = {
  // It becomes the name of a file.
  name: setting('up to 64 letters, digits, dots, "_" or "-"', (text) =>
    /^[A-Za-z0-9][\w.-]{0,63}$/.test(text) ? text : null,
  ).prefault('central'),
  url: setting(
    'an http or https URL without user and password (not available in this version)',
    (text) => (isPlainUrl(text) ? text : null),
  ),
  remote_timeout: setting(
    'a duration such as 30s',
    (text) => parseDurationMs(text) || null,
  ).prefault('30s'),
  out_of_order_time_window: setting('a duration such as 30m', parseDurationMs).prefault('0'),
  protobuf_message: setting('io.prometheus.write.v2.Request or prometheus.WriteRequest', (text) => {
    if (text === 'prometheus.WriteRequest') return 'rw1'
    return text === 'io.prometheus.write.v2.Request' ? 'rw2' : null
  }).prefault('io.prometheus.write.v2.Request'),
  headers: z.unknown().transform(parseHeaders).prefault({}),
}

const ROOT = {
  listen: z.strictObject(LISTEN).prefault({}),
  storage: z.strictObject(STORAGE).prefault({}),
  dedup: z.strictObject(DEDUP).prefault({}),
  limits: z.strictObject(LIMITS).prefault({}),
  remote_write: z
    .array(z.strictObject(DESTINATION))
    .length(1, 'this version forwards to exactly one destination')
    .prefault([{ url: 'http://localhost:9090/api/v1/write' }]),
}

const SCHEMA = z.strictObject(ROOT).superRefine(({ listen: { write, admin } }, context) => {
  if (write.port === 0 || addressText(write) !== addressText(admin)) return
  const message = `listen.write has the same address, ${addressText(write)}`
  context.addIssue({ code: 'custom', message, path: ['listen', 'admin'] })
})

const SECTIONS: Sections = {
  '': { known: Object.keys(ROOT), notYet: ['clusters', 'relabel_configs', 'otlp'] },
  listen: { known: Object.keys(LISTEN), notYet: ['otlp_http', 'otlp_grpc', 'tls'] },
  storage: { known: Object.keys(STORAGE) },
  dedup: { known: Object.keys(DEDUP) },
  limits: { known: Object.keys(LIMITS) },
  'remote_write[]': {
    known: Object.keys(DESTINATION),
    // What a Prometheus can do with a request of its own, and what would be missed.
    notYet: [
      ...['write_relabel_configs', 'basic_auth', 'authorization', 'oauth2', 'sigv4', 'azuread'],
      ...['google_iam', 'bearer_token', 'bearer_token_file', 'tls_config', 'proxy_url', 'no_proxy'],
      ...['proxy_from_environment', 'proxy_connect_header', 'follow_redirects', 'enable_http2'],
      ...['http_headers', 'round_robin_dns'],
    ],
    // How a Prometheus queues what it scraped; here goes out what came in.
    ignored: ['queue_config', 'send_exemplars', 'send_native_histograms', 'metadata_config'],
  },
}

/**
 * Turns the text of `sluice.yaml` into a configuration. What is not set has a default; what
 * is not known is a problem, because a misspelt limit would otherwise be no limit.
 *
 * @param flags win over the text
 * @throws SluiceError CONFIG_INVALID with every problem, one per line, each with its place
 */
export function parseConfig(
  text: string,
  fileName: string,
  flags: Flags = {},
): { config: Config; warnings: string[] } {
  const given = Object.entries(FLAG_PATHS).flatMap(([flag, path]) => {
    const value = flags[flag as keyof Flags]
    return value === undefined ? [] : [{ flag, path, value }]
  })
  const { value, warnings } = readSettings({ text, fileName, flags: given }, SCHEMA, SECTIONS)
  return { config: frozen(configOf(value)), warnings }
}

function configOf(value: z.infer<typeof SCHEMA>): Config {
  const { listen, storage, dedup, limits, remote_write } = value
  return {
    listen,
    storage: {
      path: storage.path,
      quotaBytes: storage.quota,
      onFull: storage.on_full,
      acknowledge: storage.acknowledge,
    },
    dedup: { maxSeries: dedup.max_series },
    limits: { intakeThreads: limits.intake_threads },
    remoteWrite: remote_write.map((destination) => ({
      name: destination.name,
      url: destination.url,
      remoteTimeoutMs: destination.remote_timeout,
      outOfOrderWindowMs: destination.out_of_order_time_window,
      protocol: destination.protobuf_message,
      headers: destination.headers,
    })),
  }
}

function isPlainUrl(text: string): boolean {
  const url = URL.parse(text)
  if (url === null || !['http:', 'https:'].includes(url.protocol)) return false
  return url.username === '' && url.password === ''
}

/** Set by the protocol, HTTP or the gateway itself; credentials have settings of their own. */
const RESERVED_HEADERS = new Set([
  ...['host', 'content-encoding', 'content-length', 'content-type', 'user-agent', 'connection'],
  ...['keep-alive', 'transfer-encoding', 'upgrade', 'te', 'trailer', 'expect', 'accept-encoding'],
  ...['authorization', 'proxy-authenticate', 'proxy-authorization', 'www-authenticate'],
  ...['x-prometheus-remote-write-version', 'x-prometheus-remote-read-version', 'retry-attempt'],
  ...['x-amz-date', 'x-amz-security-token', 'x-amz-content-sha256'],
])

/** A value may be a secret, so no problem quotes one. */
function parseHeaders(section: unknown, context: z.RefinementCtx): Record<string, string> {
  if (typeof section !== 'object' || section === null || Array.isArray(section)) {
    context.addIssue({ code: 'custom', message: 'expected header names with their values' })
    return z.NEVER
  }
  const entries = Object.entries(section).map(([name, value]): [string, string] => {
    const refuse = (message: string) => context.addIssue({ code: 'custom', message, path: [name] })
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) refuse('is not a header name')
    else if (RESERVED_HEADERS.has(name.toLowerCase())) refuse('is reserved and cannot be set')
    const isText = ['string', 'number', 'boolean'].includes(typeof value)
    if (!isText || !/^[\t\x20-\x7e]*$/.test(String(value))) refuse('expected printable text')
    return [name, String(value)]
  })
  return Object.fromEntries(entries)
}

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) frozen(inner)
    Object.freeze(value)
  }
  return value
}
