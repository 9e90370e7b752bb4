import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { TlsFiles } from '../base/tls-files.ts'
import type { GrpcHandler, GrpcServer } from '../receive/grpc.ts'
import { createOtlpHandler } from '../receive/otlp.ts'
import { answerCall } from '../receive/otlp-answer.ts'
import type { Permits } from '../receive/permit.ts'
import { faultless, type Ingest } from '../receive/push.ts'
import { createServer, TIMEOUTS } from '../receive/server.ts'
import { createWriteHandler, type WriteCounters } from '../receive/write.ts'
import { type Listeners, mapListeners } from './listeners.ts'

/** Open requests get this long to finish when the gateway stops. */
export const DRAIN_MS = 5_000

const METRICS_SERVICE = 'opentelemetry.proto.collector.metrics.v1.MetricsService'

export type EndpointParts = {
  listeners: Listeners
  tls: TlsFiles | null
  ingest: Ingest
  permits: Permits
  clock: Clock
  /** In [0, 1). */
  random: () => number
  log: Logger
  connections: ConnectionLimits
  /** Other threads listen on the same ports. */
  isShared: boolean
}

/** What a connection may take; without an answer it is closed. */
export type ConnectionLimits = {
  headerTimeoutMs: number
  requestTimeoutMs: number
  /** Of one address. */
  perAddressMax: number
}

/** Where pushes come in. */
export type Endpoint = {
  /** Resolves with the ports; throws LISTEN_FAILED, and then nothing is left running. */
  start(): Promise<Listeners<number>>
  /** What was answered so far. */
  counters(): WriteCounters
  /** Takes no more requests, waits for the open ones for `deadlineMs`, then ends them. */
  stop(deadlineMs: number): Promise<void>
}

type Listener = Pick<Endpoint, 'stop'> & { start(): Promise<number> }

/** Servers with the paths of remote write and of OTLP, and one that speaks gRPC. */
export function createEndpoint(parts: EndpointParts): Endpoint {
  const { listeners, tls, permits, clock, random, log, isShared } = parts
  // Without configured clusters anyone may write, and a series is what its labels say.
  const identify = () => ({ cluster: 'default' })
  const ingest = faultless(parts.ingest, log)
  const write = createWriteHandler({ identify, ingest, permits, clock, random })
  const { counters } = write
  const otlp = createOtlpHandler({ identify, ingest, permits, clock, random, counters })
  const exported: GrpcHandler = async ({ message }) => {
    const receivedMs = clock.nowMs()
    const push = { sender: identify(), protocol: 'otlp-grpc', body: message, receivedMs } as const
    return answerCall(await ingest(push), random())
  }

  const writeRoutes = { '/api/v1/write': write.handle, '/api/v1/push': write.handle }
  const otlpRoutes = { '/v1/metrics': otlp, '/api/v1/otlp/v1/metrics': otlp }
  const { headerTimeoutMs: headersMs, requestTimeoutMs: requestMs } = parts.connections
  const { perAddressMax } = parts.connections
  const timeouts = { ...TIMEOUTS, headersMs, requestMs }
  const common = { tls, clock, log, isShared, timeouts, perAddressMax }
  const shortage = () => ({ isShort: isShortOf(permits) })
  let grpc: GrpcServer | null = null
  const servers: Listeners<Listener> = {
    write: createServer({
      ...{ ...common, ...listeners.write, ...shortage() },
      routes: { ...writeRoutes, ...otlpRoutes },
    }),
    otlpHttp:
      listeners.otlpHttp === null
        ? null
        : createServer({ ...common, ...listeners.otlpHttp, ...shortage(), routes: otlpRoutes }),
    otlpGrpc: listeners.otlpGrpc === null ? null : { start: startGrpc, stop: stopGrpc },
  }

  async function startGrpc(): Promise<number> {
    // Here and not above: who has no use for gRPC need not load it, in each thread.
    const { createGrpcServer } = await import('../receive/grpc.ts')
    grpc = createGrpcServer({
      ...{ ...common, permits, random, address: listeners.otlpGrpc! },
      ...{ service: METRICS_SERVICE, methods: { Export: exported } },
    })
    return grpc.start()
  }

  async function stopGrpc(deadlineMs: number): Promise<void> {
    await grpc?.stop(deadlineMs)
  }

  const stop = async (deadlineMs: number): Promise<void> => {
    const { write: writing, otlpHttp, otlpGrpc } = servers
    const all = [writing, otlpHttp, otlpGrpc].map((server) => server?.stop(deadlineMs))
    await Promise.all(all)
  }

  return {
    async start() {
      try {
        return await mapListeners(servers, (one) => one.start())
      } catch (error) {
        await stop(0)
        throw error
      }
    },
    counters() {
      const calls = Array.from(
        grpc?.counters.answers ?? [],
        ([code, count]) => [`otlp-grpc ${code}`, count] as const,
      )
      return { ...counters, answers: new Map([...counters.answers, ...calls]) }
    },
    stop,
  }
}

/** Who found no room comes back after a while, and is to find some then. */
const SHORT_LOOKS = 5

/** Whether somebody found no room in the last few calls. */
function isShortOf(permits: Permits): () => boolean {
  let before = permits.refused
  let looks = 0
  return () => {
    looks = permits.refused > before ? SHORT_LOOKS : looks - 1
    before = permits.refused
    return looks > 0
  }
}
