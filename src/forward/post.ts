import { type Clock, systemClock } from '../base/clock.ts'
import type { Counts } from '../model/counts.ts'
import type { Answer, Protocol } from './answer.ts'
import { Connections, type TlsSettings } from './connections.ts'
import { basic, type Credentials, createAuthorizer } from './credentials.ts'
import { exchange } from './exchange.ts'

export type PostOptions = {
  /** A user and a password in it become basic authentication. */
  url: string
  /** Of this gateway, for `User-Agent`. */
  version: string
  /** From the first byte out to the last byte in. */
  timeoutMs?: number
  /** Sent with every request; those that the protocol needs win over them. */
  headers?: { [name: string]: string }
  /** Age at which a connection is not used again. */
  connectionAgeMsMax?: number
  credentials?: Credentials | null
  tls?: TlsSettings | null
  /** For the age of what was read from files. */
  clock?: Clock
}

export type PostRequest = {
  /** Compressed by snappy. */
  body: Uint8Array
  protocol: Protocol
  /** 0 for the first. */
  attempt: number
  /** Gives the request up; the answer is then `failed`. */
  signal?: AbortSignal
}

export type Post = {
  /** Never throws and never rejects: whatever goes wrong is an answer too. */
  post(request: PostRequest): Promise<Answer>
  /** Waits for what is under way. */
  close(): Promise<void>
}

const TIMEOUT_MS = 30_000
/** Renewed so often, connections follow DNS, load balancers and certificates. */
const CONNECTION_AGE_MS_MAX = 120_000
/** A receiver's words are for a log line: what goes beyond this is not read. */
const RESPONSE_BYTES_MAX = 64 * 1024

const PROTOCOL_HEADERS = {
  rw1: {
    'content-type': 'application/x-protobuf',
    'x-prometheus-remote-write-version': '0.1.0',
  },
  // Without a space before `proto`: some receivers compare the text as it is.
  rw2: {
    'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
    'x-prometheus-remote-write-version': '2.0.0',
  },
}

/** The way to one destination: its connections, and what every request there has in common. */
export function createPost(options: PostOptions): Post {
  const { timeoutMs = TIMEOUT_MS, credentials = null, tls = null, clock = systemClock } = options
  const url = new URL(options.url)
  const ageMsMax = options.connectionAgeMsMax ?? CONNECTION_AGE_MS_MAX
  const connections = new Connections({ origin: url.origin, timeoutMs, ageMsMax, tls, clock })
  const authorizer = credentials === null ? null : createAuthorizer(credentials, clock)
  const path = url.pathname + url.search
  const common = {
    ...authorization(url),
    ...lowerCased(options.headers ?? {}),
    'content-encoding': 'snappy',
    'user-agent': `sluice/${options.version}`,
  }

  async function post({ body, protocol, attempt, signal }: PostRequest): Promise<Answer> {
    const retry = attempt > 0 ? { 'retry-attempt': String(attempt) } : {}
    const limits = { timeoutMs, bodyBytesMax: RESPONSE_BYTES_MAX }
    let hasLeft = false
    try {
      const authorization = authorizer && { authorization: await authorizer.header() }
      const pool = await connections.current()
      const headers = { ...common, ...PROTOCOL_HEADERS[protocol], ...retry, ...authorization }
      const request = { path, method: 'POST' as const, headers, body }
      hasLeft = true
      const response = await exchange(pool, { request, ...limits, ...(signal && { signal }) })
      if (response.status === 401) authorizer?.refused()
      return {
        kind: 'response',
        status: response.status,
        written: writtenOf(response.headers),
        retryAfter: headerOf(response.headers, 'retry-after'),
        text: response.body.toString('utf8'),
      }
    } catch (error) {
      return { kind: 'failed', reason: textOf(error), maybeStored: hasLeft && !neverLeft(error) }
    }
  }

  return { post, close: () => connections.close() }
}

function authorization({ username, password }: URL): { [name: string]: string } {
  if (username === '' && password === '') return {}
  return { authorization: basic(decodeURIComponent(username), decodeURIComponent(password)) }
}

function lowerCased(headers: { [name: string]: string }): { [name: string]: string } {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  )
}

type ResponseHeaders = { [name: string]: string | string[] | undefined }

function writtenOf(headers: ResponseHeaders): Counts | null {
  const samples = countOf(headers, 'x-prometheus-remote-write-samples-written')
  const histograms = countOf(headers, 'x-prometheus-remote-write-histograms-written')
  const exemplars = countOf(headers, 'x-prometheus-remote-write-exemplars-written')
  if (samples === null && histograms === null && exemplars === null) return null
  return { samples: samples ?? 0, histograms: histograms ?? 0, exemplars: exemplars ?? 0 }
}

function countOf(headers: ResponseHeaders, name: string): number | null {
  const text = headerOf(headers, name)
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null
}

function headerOf(headers: ResponseHeaders, name: string): string | null {
  const value = headers[name]
  return (Array.isArray(value) ? value[0] : value) ?? null
}

/** Failures before there was a connection: nothing can have been stored. */
const NEVER_LEFT = new Set([
  'ECONNREFUSED',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'UND_ERR_CONNECT_TIMEOUT',
])

function neverLeft(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' && NEVER_LEFT.has(code)
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // Of several addresses that all failed, Node reports the code and no message.
  const code = (error as { code?: unknown }).code
  return error.message === '' ? String(code ?? error.name) : error.message
}
