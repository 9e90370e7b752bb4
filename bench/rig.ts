import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { coreMicros, cpuMicros, residentBytes, threadMicros } from './cpu.ts'
import { type Helper, startHelper } from './helper.ts'
import { PUSH_SAMPLES } from './load.ts'
import type { Rounds, SenderOrders, Sent } from './sender.ts'
import type { Arrived, SinkOrders } from './sink.ts'
import { startTarget, type Target, type TargetOptions } from './target.ts'

export type Plan = Omit<TargetOptions, 'directory' | 'sink'> & {
  protocol: 'rw1' | 'rw2' | 'otlp'
  series: number
  pushSamples?: number
  /** Share of the series that are new in each round. */
  churn?: number
  /** Two make an HA pair: the second one sends the same samples in other bodies. */
  senders?: 1 | 2
  /** Of all senders together. */
  connections?: number
}

/** What is the same for all plans of a run. */
export type Setting = {
  /** On a real disk: a sync to memory costs nothing. */
  workspace: string
  warmUpSeconds: number
  /** Of all windows together: the one in the middle counts, as a shared machine disturbs some. */
  windowSeconds: number
  windows: number
}

/** One stretch of load, up to the arrival of its last sample. */
export type Window = {
  /** Different ones: what two senders push counts once. */
  samples: number
  arrivedSamples: number
  /** Of the target, all its threads, until the last sample had arrived. */
  cpuMicros: number
  /** Of the thread that worked most. */
  busiestThreadMicros: number
  /** Until nearly all had arrived, so that a flush at the end does not count. */
  samplesPerSecond: number
  /** Of the target's core, used by anyone else: above a few percent, costs cannot be trusted. */
  othersShare: number
  bytesOut: number
  residentBytes: number
  sent: Sent
}

type Wait = {
  /** How many samples are nearly all. */
  nearly?: number
  /** Nothing is missing before this is over. */
  sending?: Promise<unknown>
  stallMs?: number
}

/**
 * Rounds follow each other faster than in life, and no receiver takes samples from far ahead: with
 * 40 rounds a second of real time, those of two minutes have to fit into the ten that are allowed.
 */
const INTERVAL_MS = 100
const CONNECTIONS = 10
/** Of prepared bodies. */
const MEMORY_BYTES = 1.5e9
const STALL_MS = 30_000
const NEARLY_ALL = 0.95

/**
 * A target between a sender and a sink of its own, and the books about what was sent and
 * what must arrive. It knows nothing of rows.
 */
export class Rig {
  readonly target: Target
  readonly sink: Helper<SinkOrders>
  readonly sender: Helper<SenderOrders>
  readonly plan: Plan
  readonly residentBytesAtStart: number
  readonly samplesPerRound: number
  readonly #stops: AsyncDisposableStack
  #round = 0
  #expected = 0
  #bytesPerRound = 0

  private constructor(
    plan: Plan,
    parts: Pick<Rig, 'target' | 'sink' | 'sender' | 'residentBytesAtStart' | 'samplesPerRound'>,
    stops: AsyncDisposableStack,
  ) {
    this.plan = plan
    this.target = parts.target
    this.sink = parts.sink
    this.sender = parts.sender
    this.residentBytesAtStart = parts.residentBytesAtStart
    this.samplesPerRound = parts.samplesPerRound
    this.#stops = stops
  }

  static async start(plan: Plan, { workspace }: Setting): Promise<Rig> {
    const stops = new AsyncDisposableStack()
    RUNNING.add(stops)
    stops.defer(() => void RUNNING.delete(stops))
    try {
      const directory = await mkdtemp(join(workspace, `${plan.name}-`))
      stops.defer(() => rm(directory, { recursive: true, force: true }))
      const sink = startHelper<SinkOrders>('sink.ts')
      stops.defer(() => sink.stop())
      const port = await sink.ask('listen')
      const url = `http://127.0.0.1:${port}/api/v1/write`
      const target = await startTarget({ ...plan, directory, sink: url })
      stops.defer(() => target.child.stop().then(() => undefined))
      const sender = startHelper<SenderOrders>('sender.ts')
      stops.defer(() => sender.stop())
      const { samplesPerRound } = await sender.ask(
        'aim',
        aimOf(plan, plan.protocol === 'otlp' ? target.otlpUrl : target.url),
      )
      const residentBytesAtStart = await residentBytes(target.child.process.pid!)
      return new Rig(plan, { target, sink, sender, residentBytesAtStart, samplesPerRound }, stops)
    } catch (error) {
      await stops.disposeAsync()
      throw error
    }
  }

  /** Sends until everything is compiled and known. */
  async warmUp(seconds: number, order: 'begin' | 'beginStamped' = 'begin'): Promise<Window> {
    const endMs = performance.now() + seconds * 1000
    for (let perSecond = 0; ; ) {
      const rounds = this.roundsFor(0.5, perSecond)
      await this.sender.ask(order, rounds)
      const window = await this.measure(rounds)
      if (performance.now() > endMs) return window
      perSecond = window.samples / window.sent.seconds
    }
  }

  /** Rounds that were not sent before. */
  nextRounds(count: number): Rounds {
    const from = this.#round
    this.#round += count
    return { from, count }
  }

  /** As many rounds as will take so long; at least one, and no more than memory has room for. */
  roundsFor(seconds: number, samplesPerSecond: number): Rounds {
    const wanted = Math.round((seconds * samplesPerSecond) / this.samplesPerRound)
    const room = Math.floor(MEMORY_BYTES / Math.max(1, this.#bytesPerRound))
    return this.nextRounds(Math.max(1, Math.min(wanted, room)))
  }

  async prepare(rounds: Rounds): Promise<void> {
    this.#bytesPerRound = (await this.sender.ask('prepare', rounds)) / rounds.count
  }

  /**
   * Sends what was prepared or begun and waits until it has arrived.
   *
   * @param copies how often each sample of these rounds must arrive; 0 for mere duplicates
   * @throws when samples are missing, or more arrive than were sent
   */
  async measure(rounds: Rounds, copies = this.copies, pushesPerSecond?: number): Promise<Window> {
    const { pid } = this
    const before = await this.arrivedExactly()
    const threadsBefore = await threadMicros(pid)
    const coreBefore = await coreMicros()
    const cpuBefore = await cpuMicros(pid)
    const samples = rounds.count * this.samplesPerRound
    const expected = samples * copies
    this.#expected += expected

    const startMs = performance.now()
    const sending = this.send(pushesPerSecond)
    const nearly = before.samples + NEARLY_ALL * expected
    const [sent, { after, nearlyMs }] = await Promise.all([
      sending,
      this.arrival({ nearly, sending }),
    ])
    const seconds = copies === 0 ? sent.seconds : (nearlyMs - startMs) / 1000 / NEARLY_ALL
    const cpu = (await cpuMicros(pid)) - cpuBefore
    const core = (await coreMicros()) - coreBefore
    const wallMicros = (performance.now() - startMs) * 1000
    const threads = await threadMicros(pid)
    const busiest = [...threads].map(([id, micros]) => micros - (threadsBefore.get(id) ?? 0))
    return {
      samples,
      arrivedSamples: expected,
      cpuMicros: cpu,
      busiestThreadMicros: Math.max(...busiest),
      samplesPerSecond: samples / seconds,
      othersShare: this.plan.cores === undefined ? Math.max(0, (core - cpu) / wallMicros) : 0,
      bytesOut: after.bytes - before.bytes,
      residentBytes: await residentBytes(pid),
      sent,
    }
  }

  /** Hands the prepared or begun rounds to the target; resolves when it has taken them. */
  send(pushesPerSecond?: number): Promise<Sent> {
    return this.sender.ask('send', pushesPerSecond === undefined ? {} : { pushesPerSecond })
  }

  /** Notes that these rounds have to arrive, though nobody waits for them yet. */
  expect({ count }: Rounds): number {
    this.#expected += count * this.samplesPerRound * this.copies
    return count * this.samplesPerRound
  }

  /** How often a sample arrives that all senders push: only Sluice drops duplicates. */
  get copies(): number {
    return this.plan.name === 'sluice' ? 1 : (this.plan.senders ?? 1)
  }

  /** Rounds that were sent, or are about to be. */
  get rounds(): number {
    return this.#round
  }

  get samplesPerPush(): number {
    return this.plan.pushSamples ?? PUSH_SAMPLES
  }

  get pid(): number {
    return this.target.child.process.pid!
  }

  /** What has arrived, when it is what had to arrive by now. */
  async arrivedExactly(): Promise<Arrived> {
    const arrived = await this.sink.ask('arrived')
    if (arrived.samples !== this.#expected) {
      const { samples } = arrived
      const count = Math.abs(samples - this.#expected)
      const verdict = samples < this.#expected ? 'are missing at' : 'too many are at'
      throw new Error(`${this.plan.name}: ${count} samples ${verdict} the sink`)
    }
    return arrived
  }

  /** Polls the sink until everything is there, and notes when nearly everything was. */
  async arrival({ nearly = 0, sending, stallMs = STALL_MS }: Wait) {
    let isSent = false
    const end = () => {
      isSent = true
    }
    if (sending === undefined) end()
    else sending.then(end, end)
    let nearlyMs = 0
    let progressMs = performance.now()
    let last = 0
    while (true) {
      const after = await this.sink.ask('arrived')
      const nowMs = performance.now()
      if (after.samples !== last || !isSent) progressMs = nowMs
      last = after.samples
      if (nearlyMs === 0 && after.samples >= nearly) nearlyMs = nowMs
      const isOver = isSent && after.samples >= this.#expected
      if (isOver || nowMs - progressMs > stallMs) {
        await this.arrivedExactly()
        return { after, nearlyMs }
      }
      await delay(20)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stops.disposeAsync()
  }
}

const RUNNING = new Set<AsyncDisposableStack>()

/** Ends all processes of all rigs and removes their directories. */
export async function stopAll(): Promise<void> {
  await Promise.all([...RUNNING].map((stops) => stops.disposeAsync()))
}

function aimOf(plan: Plan, url: string) {
  const { protocol, series, churn = 0, pushSamples = PUSH_SAMPLES, senders = 1 } = plan
  // A sample of the past would be taken for one that its sender has already forwarded.
  const startMs = Date.now() + 1_000
  const hasTargetInfo = plan.name === 'sluice'
  const which = { protocol, series, churn, pushSamples, hasTargetInfo }
  const load = { ...which, startMs, intervalMs: INTERVAL_MS }
  const loads = [load, { ...load, shift: 700 }].slice(0, senders)
  return { url, protocol, loads, connections: plan.connections ?? CONNECTIONS }
}
