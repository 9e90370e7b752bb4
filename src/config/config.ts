import { resolve } from 'node:path'
import { z } from 'zod'
import { readSettings, type Sections, setting } from '../base/settings.ts'
import type { TlsFiles } from '../base/tls-files.ts'
import {
  type Address,
  addressText,
  parseAddress,
  parseDurationMs,
  parseSize,
} from '../base/units.ts'
import type { OtlpOptions } from '../otlp/options.ts'
import { PERMIT_BYTES_MIN } from '../receive/permit.ts'
import { CONNECTIONS_MAX, PER_ADDRESS_MAX } from '../receive/server.ts'
import {
  DESTINATION,
  DESTINATION_SECTIONS,
  type DestinationConfig,
  destinationOf,
} from './destination.ts'
import { OTLP, OTLP_SECTION, otlpOf } from './otlp.ts'

export type { DestinationConfig } from './destination.ts'

/** Everything that can be set, complete and frozen. */
export type Config = {
  readonly listen: {
    readonly write: Address
    /** Null: OTLP is not taken there. */
    readonly otlpHttp: Address | null
    readonly otlpGrpc: Address | null
    readonly admin: Address
    /** Of what senders connect to. */
    readonly tls: TlsFiles | null
  }
  readonly storage: {
    readonly path: string
    /** Undefined: a share of the file system, which only a look at it can tell. */
    readonly quotaBytes: number | undefined
    readonly onFull: 'reject' | 'drop_oldest'
    readonly acknowledge: 'fsync' | 'page_cache'
  }
  readonly otlp: OtlpOptions
  readonly dedup: { readonly maxSeries: number }
  readonly limits: {
    readonly intakeThreads: number
    /** In which a request's head has to be there, and all of it. */
    readonly headerTimeoutMs: number
    readonly requestTimeoutMs: number
    /** Connections that one address may have, to each port and thread. */
    readonly perAddressMax: number
    /** Of request bodies, all together. */
    readonly bodyBytesMax: number
  }
  /** At least one; their names differ. */
  readonly remoteWrite: readonly DestinationConfig[]
}

/** Settings given on the command line. */
export const FLAG_PATHS = {
  '--remote-write': ['remote_write', 0, 'url'],
  '--data': ['storage', 'path'],
  '--listen': ['listen', 'write'],
  '--admin': ['listen', 'admin'],
} as const
export type Flags = { readonly [flag in keyof typeof FLAG_PATHS]?: string | undefined }

const LISTEN_TLS = {
  cert_file: setting('a file', (text) => text || null),
  key_file: setting('a file', (text) => text || null),
  client_ca_file: setting('a file', (text) => text || null).optional(),
}

/** In an object, because what is off is no value of a setting. */
function otlpAddress(byDefault: string) {
  return setting('an address such as 0.0.0.0:4318, or off', (text) => {
    const address = text === 'off' ? null : parseAddress(text)
    return address === null && text !== 'off' ? null : { address }
  }).prefault(byDefault)
}

const LISTEN = {
  write: setting('an address such as 0.0.0.0:9201', parseAddress).prefault('0.0.0.0:9201'),
  otlp_http: otlpAddress('0.0.0.0:4318'),
  otlp_grpc: otlpAddress('0.0.0.0:4317'),
  admin: setting('an address such as 127.0.0.1:9202', parseAddress).prefault('127.0.0.1:9202'),
  tls: z.strictObject(LISTEN_TLS).optional(),
}

const STORAGE = {
  path: setting('a directory', (text) => text || null).prefault('./data'),
  quota: setting('a size such as 20GiB', (text) => parseSize(text) || null).optional(),
  on_full: setting('reject or drop_oldest', (text) =>
    text === 'reject' || text === 'drop_oldest' ? text : null,
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

function positiveMs(text: string): number | null {
  return parseDurationMs(text) || null
}

const LIMITS = {
  intake_threads: setting(`a whole number from 1 to ${INTAKE_THREADS_MAX}`, (text) => {
    const count = /^\d{1,2}$/.test(text) ? Number(text) : 0
    return count >= 1 && count <= INTAKE_THREADS_MAX ? count : null
  }).prefault('1'),
  header_timeout: setting('a duration such as 10s', positiveMs).prefault('10s'),
  request_timeout: setting('a duration such as 60s', positiveMs).prefault('60s'),
  connections_per_address: setting(`a whole number from 1 to ${CONNECTIONS_MAX}`, (text) => {
    const count = /^\d{1,5}$/.test(text) ? Number(text) : 0
    return count >= 1 && count <= CONNECTIONS_MAX ? count : null
  }).prefault(String(PER_ADDRESS_MAX)),
  body_memory: setting('a size from 33MiB on', (text) => {
    const bytes = parseSize(text) ?? 0
    return bytes >= PERMIT_BYTES_MIN ? bytes : null
  }).prefault('256MiB'),
}

/** Each takes memory for what it looks ahead, and a share of every second. */
const DESTINATIONS_MAX = 16

const ROOT = {
  listen: z.strictObject(LISTEN).prefault({}),
  storage: z.strictObject(STORAGE).prefault({}),
  otlp: OTLP.prefault({}),
  dedup: z.strictObject(DEDUP).prefault({}),
  limits: z.strictObject(LIMITS).prefault({}),
  remote_write: z
    .array(DESTINATION)
    .min(1, 'names no destination')
    .max(DESTINATIONS_MAX, `names more than ${DESTINATIONS_MAX} destinations`)
    .prefault([{ url: 'http://localhost:9090/api/v1/write' }]),
}

const SCHEMA = z.strictObject(ROOT).superRefine(({ listen, limits, remote_write }, context) => {
  if (limits.header_timeout > limits.request_timeout) {
    const message = 'is longer than limits.request_timeout, of which it is a part'
    context.addIssue({ code: 'custom', message, path: ['limits', 'header_timeout'] })
  }
  const { write, admin } = listen
  if (write.port !== 0 && addressText(write) === addressText(admin)) {
    const message = `listen.write has the same address, ${addressText(write)}`
    context.addIssue({ code: 'custom', message, path: ['listen', 'admin'] })
  }
  for (const [i, { name }] of remote_write.entries()) {
    const first = remote_write.findIndex((one) => one.name === name)
    if (first === i) continue
    const message = `"${name}" is the name of remote_write[${first}]: give each one its own`
    context.addIssue({ code: 'custom', message, path: ['remote_write', i, 'name'] })
  }
})

const SECTIONS: Sections = {
  '': { known: Object.keys(ROOT), notYet: ['clusters', 'relabel_configs'] },
  listen: { known: Object.keys(LISTEN) },
  'listen.tls': { known: Object.keys(LISTEN_TLS) },
  otlp: OTLP_SECTION,
  storage: { known: Object.keys(STORAGE) },
  dedup: { known: Object.keys(DEDUP) },
  limits: { known: Object.keys(LIMITS) },
  ...DESTINATION_SECTIONS,
}

/**
 * Turns the text of `sluice.yaml` into a configuration. What is not set has a default; what
 * is not known is a problem, because a misspelt limit would otherwise be no limit.
 *
 * @param flags win over the text
 * @param directory of the file: paths of secrets and certificates are relative to it
 * @throws SluiceError CONFIG_INVALID with every problem, one per line, each with its place
 */
export function parseConfig(
  text: string,
  fileName: string,
  flags: Flags = {},
  directory = '.',
): { config: Config; warnings: string[] } {
  const given = Object.entries(FLAG_PATHS).flatMap(([flag, path]) => {
    const value = flags[flag as keyof Flags]
    return value === undefined ? [] : [{ flag, path, value }]
  })
  const { value, warnings } = readSettings({ text, fileName, flags: given }, SCHEMA, SECTIONS)
  return { config: frozen(configOf(value, directory)), warnings }
}

function configOf(value: z.infer<typeof SCHEMA>, directory: string): Config {
  const { listen, storage, otlp, dedup, limits, remote_write } = value
  const { tls, write, admin, otlp_http, otlp_grpc } = listen
  return {
    listen: {
      write,
      otlpHttp: otlp_http.address,
      otlpGrpc: otlp_grpc.address,
      admin,
      tls: tls === undefined ? null : tlsFilesOf(tls, directory),
    },
    storage: {
      path: storage.path,
      quotaBytes: storage.quota,
      onFull: storage.on_full,
      acknowledge: storage.acknowledge,
    },
    otlp: otlpOf(otlp),
    dedup: { maxSeries: dedup.max_series },
    limits: {
      intakeThreads: limits.intake_threads,
      headerTimeoutMs: limits.header_timeout,
      requestTimeoutMs: limits.request_timeout,
      perAddressMax: limits.connections_per_address,
      bodyBytesMax: limits.body_memory,
    },
    remoteWrite: remote_write.map((section) => destinationOf(section, directory)),
  }
}

function tlsFilesOf(
  { cert_file, key_file, client_ca_file }: NonNullable<z.infer<typeof SCHEMA>['listen']['tls']>,
  directory: string,
): TlsFiles {
  return {
    certFile: resolve(directory, cert_file),
    keyFile: resolve(directory, key_file),
    clientCaFile: client_ca_file === undefined ? null : resolve(directory, client_ca_file),
  }
}

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) frozen(inner)
    Object.freeze(value)
  }
  return value
}
