import { once } from 'node:events'
import { createServer as createTcpServer, type Socket } from 'node:net'
import { createServer as createTlsServer, Server as TlsServer } from 'node:tls'
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js'
import { HealthImplementation } from 'grpc-health-check'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { TlsFiles } from '../base/tls-files.ts'
import type { Address } from '../base/units.ts'
import { retryAfterSeconds } from './answer.ts'
import { BODY_BYTES_MAX } from './body.ts'
import { tlsOptions, useCertificates } from './certificates.ts'
import { listen } from './listen.ts'
import type { Permits } from './permit.ts'
import { encodeRpcStatus } from './rpc-status.ts'

/** One message and who sent it; the bytes are decompressed, and given. */
export type GrpcCall = {
  message: Uint8Array
  /** Of the request, names in lower case. */
  header(name: string): string | undefined
}

/** A message that answers, or why there is none. */
export type GrpcAnswer = { message: Uint8Array } | GrpcError

export type GrpcError = {
  /** Of gRPC's numbers. */
  code: number
  reason: string
  /** When the sender may come back; without it, it may not where that is the rule. */
  retrySeconds?: number
}

export type GrpcHandler = (call: GrpcCall) => Promise<GrpcAnswer>

export type GrpcParts = {
  address: Address
  /** Such as `opentelemetry.proto.collector.metrics.v1.MetricsService`. */
  service: string
  /** By the name of the method; each takes one message and gives one. */
  methods: Readonly<Record<string, GrpcHandler>>
  permits: Permits
  clock: Clock
  /** In [0, 1). */
  random: () => number
  log: Logger
  /** Without it whoever is on the way can read along. */
  tls?: TlsFiles | null
  /** Other threads listen on the same port. */
  isShared?: boolean
  /** How often who is connected has to answer, and within what time. */
  keepAlive?: { everyMs: number; patienceMs: number }
}

/** What was answered, for the metrics. */
export type GrpcCounters = {
  /** Calls by gRPC's number for what was answered; 0 is success. */
  answers: Map<number, number>
}

const CONNECTIONS_MAX = 10_000
/** Senders ping once in five minutes; who does not answer our ping is gone. */
const KEEP_ALIVE = { everyMs: 120_000, patienceMs: 20_000 }
const OPTIONS = {
  // After decompression as well. It answers RESOURCE_EXHAUSTED.
  'grpc.max_receive_message_length': BODY_BYTES_MAX,
  'grpc.max_concurrent_streams': 128,
  // Books for a debugger, which no one reads.
  'grpc.enable_channelz': 0,
}

type Call = ServerUnaryCall<Buffer, Buffer>

export type GrpcServer = ReturnType<typeof createGrpcServer>

/** A gRPC server of one service, beside the standard health service. Reflection is off. */
export function createGrpcServer(parts: GrpcParts) {
  const { address, service, methods, log } = parts
  const counters: GrpcCounters = { answers: new Map() }
  const health = new HealthImplementation({ '': 'SERVING', [service]: 'SERVING' })
  const { everyMs, patienceMs } = parts.keepAlive ?? KEEP_ALIVE
  const grpc = new Server({
    ...OPTIONS,
    'grpc.keepalive_time_ms': everyMs,
    'grpc.keepalive_timeout_ms': patienceMs,
  })
  health.addToServer(grpc)
  const calls = Object.entries(methods).map(([name, handler]) => [
    name,
    createCall(parts, handler, counters),
  ])
  grpc.addService(definitionOf(parts), Object.fromEntries(calls))

  const injector = grpc.createConnectionInjector(ServerCredentials.createInsecure())
  const sockets = new Set<Socket>()
  const tls = parts.tls ?? null
  const listener = createListener(tls, (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    // Whoever disconnects is noticed by `close`; the error beside it would end the process.
    socket.on('error', () => {})
    injector.injectConnection(socket)
  })
  let stopLooking = () => {}

  return {
    counters,

    /** Resolves with the port; throws LISTEN_FAILED. */
    async start(): Promise<number> {
      if (listener instanceof TlsServer && tls !== null) {
        stopLooking = await useCertificates(listener, tls, parts)
      }
      return listen(listener, address, parts.isShared ?? false, log)
    },

    /** Takes no more calls, waits for the open ones for `deadlineMs`, then ends them. */
    async stop(deadlineMs: number): Promise<void> {
      for (const name of ['', service]) health.setStatus(name, 'NOT_SERVING')
      stopLooking()
      listener.close()
      injector.drain(deadlineMs)
      await Promise.all(Array.from(sockets, closed))
      grpc.forceShutdown()
    },
  }
}

/** Calls `handler` and answers as it says, whatever happens. */
function createCall(
  { permits, random, log }: GrpcParts,
  handler: GrpcHandler,
  { answers }: GrpcCounters,
) {
  return async (call: Call, respond: sendUnaryData<Buffer>): Promise<void> => {
    const answer = await answerOf(call)
    const code = 'message' in answer ? status.OK : answer.code
    answers.set(code, (answers.get(code) ?? 0) + 1)
    if ('message' in answer) respond(null, Buffer.from(answer.message))
    else respond(statusOf(answer))
  }

  async function answerOf(call: Call): Promise<GrpcAnswer> {
    const message = call.request
    const permit = permits.take(message.length)
    if (permit === null) return unavailable('too many requests at once: try again later')
    try {
      return await handler({ message, header: (name) => call.metadata.get(name)[0]?.toString() })
    } catch (error) {
      // A fault of ours is no fault of the sender's: it keeps its samples and tries again.
      log.error('a call failed by a fault of the gateway', { path: call.getPath(), error })
      return unavailable('internal error: nothing was kept, try again later')
    } finally {
      permit.release()
    }
  }

  function unavailable(reason: string): GrpcAnswer {
    const retrySeconds = retryAfterSeconds(random(), permits.waitSeconds)
    return { code: status.UNAVAILABLE, reason, retrySeconds }
  }
}

function statusOf({ code, reason, retrySeconds }: GrpcError) {
  const metadata = new Metadata()
  const details = encodeRpcStatus(code, reason, retrySeconds)
  metadata.set('grpc-status-details-bin', Buffer.from(details))
  return { code, details: reason, metadata }
}

/** Resolves also when it closes because it broke. */
async function closed(socket: Socket): Promise<void> {
  await once(socket, 'close').catch(() => {})
}

/** Messages go through as they are: what they mean is not this file's business. */
function definitionOf({ service, methods }: GrpcParts) {
  const asIs = (bytes: Buffer) => bytes
  return Object.fromEntries(
    Object.keys(methods).map((name) => {
      const codec = {
        requestSerialize: asIs,
        requestDeserialize: asIs,
        responseSerialize: asIs,
        responseDeserialize: asIs,
      }
      const kind = { requestStream: false, responseStream: false } as const
      return [name, { path: `/${service}/${name}`, ...kind, ...codec }]
    }),
  )
}

/** Our own, because threads share its port, its errors have a name, and certificates change. */
function createListener(tls: TlsFiles | null, onSocket: (socket: Socket) => void) {
  const options = { noDelay: true }
  const listener =
    tls === null
      ? createTcpServer(options, onSocket)
      : createTlsServer({ ...options, ...tlsOptions(tls), ALPNProtocols: ['h2'] }, onSocket)
  listener.maxConnections = CONNECTIONS_MAX
  return listener
}
