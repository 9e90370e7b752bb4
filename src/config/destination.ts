import { z } from 'zod'
import { type Sections, setting } from '../base/settings.ts'
import { parseDurationMs } from '../base/units.ts'
import type { TlsSettings } from '../forward/connections.ts'
import type { Credentials } from '../forward/credentials.ts'
import type { RelabelRule } from '../relabel/rule.ts'
import {
  CREDENTIAL_KEYS,
  CREDENTIAL_SECTIONS,
  credentialsOf,
  refuseAmbiguous,
  TLS,
  tlsOf,
} from './credentials.ts'
import { isToken, plainUrl } from './http.ts'
import { RELABEL, RELABEL_SECTIONS, ruleOf } from './relabel.ts'

export type DestinationConfig = {
  readonly name: string
  readonly url: string
  readonly remoteTimeoutMs: number
  /** What the receiver itself is configured with; 0 when it refuses every late sample. */
  readonly outOfOrderWindowMs: number
  /** Whether new samples go before a backlog, as far as that window lets them. */
  readonly catchUp: 'in_order' | 'newest_first'
  /** What is spoken first: 2.0 falls back to 1.0 when the receiver does not know it. */
  readonly protocol: 'rw1' | 'rw2'
  /** Sent with every request, beside those that the protocol asks for. */
  readonly headers: Readonly<Record<string, string>>
  readonly credentials: Credentials | null
  readonly tls: TlsSettings | null
  /** What becomes of the labels on the way out; none when there is nothing to do. */
  readonly relabelRules: readonly RelabelRule[]
}

/** What stands beside the files of destinations while they are replaced. */
const DRAFT = '.new'

/** It becomes the name of a file. */
export function isDestinationName(text: string): boolean {
  return /^[A-Za-z0-9][\w.-]{0,63}$/.test(text) && !text.endsWith(DRAFT)
}

const KEYS = {
  name: setting('up to 64 letters, digits, dots, "_" or "-"', (text) =>
    isDestinationName(text) ? text : null,
  ).prefault('central'),
  url: plainUrl('basic_auth has room for them'),
  remote_timeout: setting(
    'a duration such as 30s',
    (text) => parseDurationMs(text) || null,
  ).prefault('30s'),
  out_of_order_time_window: setting('a duration such as 30m', parseDurationMs).prefault('0'),
  catch_up: setting('in_order or newest_first', (text) =>
    text === 'in_order' || text === 'newest_first' ? text : null,
  ).prefault('in_order'),
  protobuf_message: setting('io.prometheus.write.v2.Request or prometheus.WriteRequest', (text) => {
    if (text === 'prometheus.WriteRequest') return 'rw1'
    return text === 'io.prometheus.write.v2.Request' ? 'rw2' : null
  }).prefault('io.prometheus.write.v2.Request'),
  headers: z.unknown().transform(parseHeaders).prefault({}),
  ...CREDENTIAL_KEYS,
  tls_config: TLS.optional(),
  write_relabel_configs: z.array(RELABEL).prefault([]),
}

/** One entry of `remote_write`. */
export const DESTINATION = z
  .strictObject(KEYS)
  .superRefine(refuseAmbiguous)
  .superRefine(({ catch_up, out_of_order_time_window }, context) => {
    if (catch_up === 'in_order' || out_of_order_time_window > 0) return
    const message =
      'newest_first needs out_of_order_time_window, which the receiver must have as well: ' +
      'without it a backlog is refused by whoever has what is newer'
    context.addIssue({ code: 'custom', message, path: ['catch_up'] })
  })

export const DESTINATION_SECTIONS: Sections = {
  'remote_write[]': {
    known: Object.keys(KEYS),
    // What a Prometheus can do with a request of its own, and what would be missed.
    notYet: [
      ...['sigv4', 'azuread', 'google_iam', 'proxy_url', 'no_proxy'],
      ...['proxy_from_environment', 'proxy_connect_header', 'follow_redirects', 'enable_http2'],
      ...['http_headers', 'round_robin_dns'],
    ],
    // How a Prometheus queues what it scraped; here goes out what came in.
    ignored: ['queue_config', 'send_exemplars', 'send_native_histograms', 'metadata_config'],
  },
  ...CREDENTIAL_SECTIONS,
  ...RELABEL_SECTIONS,
}

/** @param directory that the paths of files are relative to */
export function destinationOf(
  section: z.infer<typeof DESTINATION>,
  directory: string,
): DestinationConfig {
  return {
    name: section.name,
    url: section.url,
    remoteTimeoutMs: section.remote_timeout,
    outOfOrderWindowMs: section.out_of_order_time_window,
    catchUp: section.catch_up,
    protocol: section.protobuf_message,
    headers: section.headers,
    credentials: credentialsOf(section, directory),
    tls: section.tls_config === undefined ? null : tlsOf(section.tls_config, directory),
    relabelRules: section.write_relabel_configs.map(ruleOf),
  }
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
    if (!isToken(name)) refuse('is not a header name')
    else if (RESERVED_HEADERS.has(name.toLowerCase())) refuse('is reserved and cannot be set')
    const isText = ['string', 'number', 'boolean'].includes(typeof value)
    if (!isText || !/^[\t\x20-\x7e]*$/.test(String(value))) refuse('expected printable text')
    return [name, String(value)]
  })
  return Object.fromEntries(entries)
}
