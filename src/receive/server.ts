import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { createServer as createHttpsServer, Server as HttpsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import type { Clock } from '../base/clock.ts'
import { assert } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { Roster } from '../base/roster.ts'
import type { TlsFiles } from '../base/tls-files.ts'
import type { Address } from '../base/units.ts'
import { refusal } from './answer.ts'
import { tlsOptions, useCertificates } from './certificates.ts'
import { listen } from './listen.ts'
import { reply } from './reply.ts'
import { SlowBodies } from './slow-bodies.ts'

/** Answers one request. A rejection becomes a 503: the sender may try again. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>

/** Handlers by path, without query. */
export type Routes = Readonly<Record<string, Handler>>

export type ServerOptions = Address & {
  routes: Routes
  clock: Clock
  log: Logger
  timeouts?: Timeouts
  /** Whether somebody found no room for his body just now; asked once a second. */
  isShort?: () => boolean
  /** Connections that one address may have. */
  perAddressMax?: number
  /** Other threads listen on the same port, and the system shares connections out. */
  isShared?: boolean
  /** Without it whoever is on the way can read along. */
  tls?: TlsFiles | null
}

export type Timeouts = {
  /** From a connection's or a request's start to the end of its headers. */
  headersMs: number
  /** From a request's start to the end of its body; one that is far too slow is cut off before. */
  requestMs: number
  /** An idle connection lives this long. */
  keepAliveMs: number
}

/**
 * Go's HTTP clients, Prometheus among them, keep idle connections for five minutes. Whoever
 * closes first must not be us, or a push now and then goes into a socket that just closed.
 */
export const TIMEOUTS: Timeouts = { headersMs: 10_000, requestMs: 60_000, keepAliveMs: 330_000 }
const CLIENT_IDLE_MS = 300_000
assert(TIMEOUTS.keepAliveMs > CLIENT_IDLE_MS, 'idle connections are closed by the client')
assert(TIMEOUTS.headersMs <= TIMEOUTS.requestMs, 'headers are a part of the request')

const HEADER_BYTES_MAX = 16 * 1024
/** More are closed at once: a network error, which every sender repeats. */
export const CONNECTIONS_MAX = 10_000
/** So that no one address takes them all; behind a proxy it is the address of everybody. */
export const PER_ADDRESS_MAX = CONNECTIONS_MAX / 2
const CHECK_MS_MAX = 1_000

export type Server = {
  /** Resolves with the port; throws LISTEN_FAILED. */
  start(): Promise<number>
  /** Takes no more requests, waits for the open ones for `deadlineMs`, then ends them. */
  stop(deadlineMs: number): Promise<void>
}

/** An HTTP server over a table of routes. */
export function createServer({ host, port, routes, clock, log, ...rest }: ServerOptions): Server {
  /** Answers that are not finished, and how to learn that none is left. */
  const open = new Roster<ServerResponse>()
  let onIdle = () => {}
  let isStopping = false

  async function onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const seat = open.add(response)
    response.once('close', () => {
      open.remove(seat)
      if (open.size === 0) onIdle()
    })
    // Whoever disconnects is noticed by `close`; the errors beside it would end the process.
    request.on('error', () => {})
    response.on('error', () => {})
    if (isStopping) response.setHeader('Connection', 'close')

    const path = pathOf(request.url ?? '')
    const handler = Object.hasOwn(routes, path) ? routes[path] : undefined
    try {
      await (handler === undefined ? notFound(path, response) : handler(request, response))
    } catch (error) {
      log.error('a request failed by a fault of the gateway', { path, error })
      if (response.headersSent) response.destroy()
      else await reply(response, refusal(503, 'internal error: try again later'), clock)
    }
  }

  function notFound(path: string, response: ServerResponse): Promise<void> {
    const shown = JSON.stringify(path.slice(0, 200))
    const known = Object.keys(routes).join('\n  ')
    const reason = `nothing is at ${shown}: correct the URL. Here are\n  ${known}`
    return reply(response, refusal(404, reason), clock)
  }

  const tls = rest.tls ?? null
  const timeouts = rest.timeouts ?? TIMEOUTS
  const server = httpServer(onRequest, timeouts, tls)
  limitPerAddress(server, rest.perAddressMax ?? PER_ADDRESS_MAX)
  let stopLooking = () => {}
  const closing = new AbortController()
  server.on('clientError', (error, socket) => {
    // A second answer on a connection would be taken for the answer to another request.
    const isOwed = open.seats.some(
      ({ member: { socket: its, req, headersSent } }) =>
        its === socket && (headersSent || req.complete),
    )
    refuseMalformed(error, socket, isOwed)
  })

  return {
    async start() {
      if (server instanceof HttpsServer && tls !== null) {
        stopLooking = await useCertificates(server, tls, { clock, log })
      }
      const own = await listen(server, { host, port }, rest.isShared ?? false, log)
      const slow = new SlowBodies(timeouts.requestMs)
      void cutOff(slow, open, rest.isShort ?? (() => false), clock, closing.signal)
      return own
    },

    async stop(deadlineMs) {
      isStopping = true
      stopLooking()
      server.close()
      for (const { member: response } of open.seats) {
        if (!response.headersSent) response.setHeader('Connection', 'close')
      }
      if (open.size > 0) {
        const over = new AbortController()
        const idle = new Promise<void>((resolve) => {
          onIdle = resolve
        })
        await Promise.race([idle, clock.sleep(deadlineMs, over.signal)])
        over.abort()
      }
      closing.abort()
      server.closeAllConnections()
    },
  }
}

/** Without query. A target may name the host besides, as it is sent to a proxy. */
function pathOf(target: string): string {
  return target.replace(/^https?:\/\/[^/?#]*/i, '').split('?', 1)[0]!
}

function httpServer(handler: Handler, timeouts: Timeouts, tls: TlsFiles | null): HttpServer {
  const options = {
    maxHeaderSize: HEADER_BYTES_MAX,
    headersTimeout: timeouts.headersMs,
    requestTimeout: timeouts.requestMs,
    keepAliveTimeout: timeouts.keepAliveMs,
    connectionsCheckingInterval: Math.min(CHECK_MS_MAX, timeouts.headersMs),
    noDelay: true,
  }
  const onRequest = (request: IncomingMessage, response: ServerResponse): void =>
    void handler(request, response)
  const server: HttpServer =
    tls === null
      ? createHttpServer(options, onRequest)
      : createHttpsServer({ ...options, ...tlsOptions(tls) }, onRequest)
  // Without this the body would be asked for before anybody knows whether it has room.
  server.on('checkContinue', onRequest)
  server.maxConnections = CONNECTIONS_MAX
  return server
}

/** Slow bodies are not answered: to a broken connection a sender comes back. */
async function cutOff(
  slow: SlowBodies,
  open: Roster<ServerResponse>,
  isShort: () => boolean,
  clock: Clock,
  closing: AbortSignal,
): Promise<void> {
  while (!closing.aborted) {
    await clock.sleep(slow.lookMs, closing).catch(() => undefined)
    const isShortNow = isShort()
    for (const { member } of [...open.seats]) {
      if (slow.isTooSlow(member.req, isShortNow)) member.req.destroy()
    }
  }
}

/** A connection too many is closed at once. */
function limitPerAddress(server: HttpServer, max: number): void {
  const byAddress = new Map<string, number>()
  server.on('connection', (socket) => {
    const address = socket.remoteAddress ?? ''
    const count = (byAddress.get(address) ?? 0) + 1
    byAddress.set(address, count)
    socket.once('close', () => {
      const left = byAddress.get(address)! - 1
      if (left === 0) byAddress.delete(address)
      else byAddress.set(address, left)
    })
    if (count > max) socket.destroy()
  })
}

/** A reset, a request that takes too long, and one that ends in the middle. */
const BROKEN = new Set(['ECONNRESET', 'ERR_HTTP_REQUEST_TIMEOUT', 'HPE_INVALID_EOF_STATE'])

/**
 * Bytes that are no HTTP are answered once, and never read further. Who is only too slow, or
 * broke off, gets no answer: to a broken connection senders come back, from a 4xx they do not.
 */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Duplex, isOwed: boolean): void {
  const code = error.code ?? ''
  if (!socket.writable || BROKEN.has(code) || isOwed || code.startsWith('ERR_SSL_')) {
    socket.destroy()
    return
  }
  const isLongHeader = error.code === 'HPE_HEADER_OVERFLOW'
  const status = isLongHeader ? '431 Request Header Fields Too Large' : '400 Bad Request'
  const body = 'this is not an HTTP request that can be read: the connection is closed\n'
  socket.end(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n` +
      `Content-Length: ${body.length}\r\n\r\n${body}`,
    () => socket.destroy(),
  )
}
