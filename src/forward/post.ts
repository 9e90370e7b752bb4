import type { LookupFunction } from 'node:net'
import type { Dispatcher } from 'undici'
import { type Clock, systemClock } from '../base/clock.ts'
import type { Counts } from '../model/counts.ts'
import type { Answer, Protocol } from './answer.ts'
import { Connections, type TlsSettings } from './connections.ts'
import { basic, type Credentials, createAuthorizer } from './credentials.ts'
import { exchange, LateError, type Response } from './exchange.ts'

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
  /** Of names; the system's own when absent. */
  lookup?: LookupFunction
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
  const { origin } = url
  const { lookup } = options
  const connections = new Connections({ origin, timeoutMs, ageMsMax, tls, clock, lookup })
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
    let timesSent = 0
    const send = (client: Dispatcher, request: Dispatcher.DispatchOptions): Promise<Response> => {
      timesSent += 1
      return exchange(client, { request, ...limits, ...(signal && { signal }) })
    }
    try {
      const authorization = authorizer && { authorization: await authorizer.header() }
      const pool = await connections.current()
      const headers = { ...common, ...PROTOCOL_HEADERS[protocol], ...retry, ...authorization }
      const request = { path, method: 'POST' as const, headers, body }
      const response = await send(pool, request).catch((error) => {
        if (error instanceof LateError) connections.distrust(pool)
        if (signal?.aborted || !connections.wasUsed(error)) throw error
        // It was closed as it lay idle, which says nothing about the receiver.
        const fresh = connections.fresh()
        return send(fresh, request).finally(() => void fresh.close())
      })
      if (response.status === 401) authorizer?.refused()
      return {
        kind: 'response',
        status: response.status,
        written: writtenOf(response.headers),
        retryAfter: headerOf(response.headers, 'retry-after'),
        text: response.body.toString('utf8'),
        ...(timesSent > 1 && { wasSentTwice: true }),
      }
    } catch (error) {
      const maybeStored = timesSent > 1 || (timesSent === 1 && !neverLeft(error))
      return { kind: 'failed', reason: textOf(error), ...natureOf(error, maybeStored) }
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
  return NEVER_LEFT.has(codeOf(error)) || isAboutCertificates(error)
}

/** Theirs that we do not trust, and ours that they do not. */
const ABOUT_CERTIFICATES = /CERT|ISSUER|LEAF_SIGNATURE|INVALID_CA|INVALID_PURPOSE|UNKNOWN_CA/

function isAboutCertificates(error: unknown): boolean {
  return ABOUT_CERTIFICATES.test(codeOf(error))
}

function natureOf(error: unknown, maybeStored: boolean) {
  return isAboutCertificates(error) ? { isForPerson: true, maybeStored } : { maybeStored }
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | null)?.code ?? '')
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // Of several addresses that all failed, Node reports the code and no message.
  return error.message || codeOf(error) || error.name
}
