import { ReplayMemory } from '../admit/replay.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import { release } from '../base/memory.ts'
import type { TlsFiles } from '../base/tls-files.ts'
import { createIngest, type IngestParts, type Push, readPush } from '../ingest.ts'
import { createBatch } from '../model/batch.ts'
import type { DigestKey } from '../model/identity.ts'
import type { IngestCounters } from '../model/ingest-counters.ts'
import type { Outcome } from '../model/outcome.ts'
import type { OtlpOptions } from '../otlp/options.ts'
import { PERMIT_BYTES_MIN, Permits } from '../receive/permit.ts'
import { createServer } from '../receive/server.ts'
import type { RequestStatus } from '../status/sources.ts'
import { type ConnectionLimits, createEndpoint, DRAIN_MS } from './endpoint.ts'
import { type Listeners, mapListeners } from './listeners.ts'
import { Pool } from './pool.ts'
import { createReadParts } from './reader.ts'

export type IntakeParts = Omit<IngestParts, 'replay'> & {
  listeners: Listeners
  tls: TlsFiles | null
  limits: ConnectionLimits & { intakeThreads: number; bodyBytesMax: number }
  key: DigestKey
  otlp: OtlpOptions
  clock: Clock
  /** In [0, 1). */
  random: () => number
  log: Logger
}

/** Where pushes come in, in this thread or in several, and what became of them. */
export type Intake = {
  /** Resolves with the ports; throws LISTEN_FAILED, and then nothing is left running. */
  start(): Promise<Listeners<number>>
  counters: IngestCounters
  /** Of the answers to earlier pushes. */
  answerBytes(): number
  /** Brings `requests` up to date. */
  refresh(): Promise<void>
  requests(): RequestStatus[]
  /** Of all request bodies together. */
  bodyBytesMax: number
  /** Takes no more pushes, and gives those that were taken time to be answered. */
  stop(): Promise<void>
}

export function createIntake(parts: IntakeParts): Intake {
  return parts.limits.intakeThreads === 1 ? inThisThread(parts) : inThreads(parts)
}

/** Everything in this thread: nothing costs less. */
function inThisThread(parts: IntakeParts): Intake {
  const { listeners, tls, key, clock, random, log, limits: connections } = parts
  const replay = new ReplayMemory()
  const ingest = createIngest({ ...parts, replay })
  const batch = createBatch()
  const readParts = createReadParts(key, parts.otlp)
  const permits = new Permits(parts.limits.bodyBytesMax)

  async function receive(push: Push): Promise<Outcome> {
    const digest = readParts.digest(push)
    const known = ingest.withoutReading(digest, push.sender)
    if (known !== null) return known
    const reason = readPush(readParts, push, batch)
    if (reason !== null) {
      ingest.countMalformed()
      return { kind: 'malformed', reason }
    }
    let isKept = false
    const body = () => {
      isKept = true
      return push.body
    }
    const outcome = ingest.take({ sender: push.sender, digest, batch, body })
    if (!isKept) release(push.body)
    return outcome
  }

  const common = { listeners, tls, permits, clock, random, log, connections }
  const endpoint = createEndpoint({ ...common, ingest: receive, isShared: false })
  return {
    start: () => endpoint.start(),
    counters: ingest.counters,
    answerBytes: () => replay.bytes,
    refresh: async () => {},
    requests: () => {
      const { refused: withoutRoom, inUseBytes: bodyBytes } = permits
      return [{ ...endpoint.counters(), withoutRoom, bodyBytes }]
    },
    bodyBytesMax: permits.limitBytes,
    stop: () => endpoint.stop(DRAIN_MS),
  }
}

/** Threads that read, and this one, which judges. */
function inThreads(parts: IntakeParts): Intake {
  const { listeners, tls, limits, key, otlp, clock, log } = parts
  const threads = limits.intakeThreads
  const replay = new ReplayMemory()
  const ingest = createIngest({ ...parts, replay })
  const permitBytes = Math.max(limits.bodyBytesMax / threads, PERMIT_BYTES_MIN)
  const pool = new Pool({
    key,
    otlp,
    tls,
    threads,
    connections: limits,
    permitBytes,
    take: async (arrival) =>
      ingest.withoutReading(arrival.digest, arrival.sender) ?? ingest.take(arrival),
    onMalformed: ingest.countMalformed,
    log,
  })

  async function start(): Promise<Listeners<number>> {
    // On a shared port nobody would notice another process that listens there, too.
    const free = await mapListeners(listeners, async (address) => {
      const probe = createServer({ ...address, routes: {}, clock, log })
      const port = await probe.start()
      await probe.stop(0)
      return { ...address, port }
    })
    await pool.start(free)
    return mapListeners(free, async ({ port }) => port)
  }

  return {
    start,
    counters: ingest.counters,
    answerBytes: () => replay.bytes,
    refresh: () => pool.refresh(),
    requests: () => pool.counters,
    bodyBytesMax: permitBytes * threads,
    stop: () => pool.stop(),
  }
}
