import { Admission } from '../../src/admit/admission.ts'
import type { Clock } from '../../src/base/clock.ts'
import { type Delivered, Delivery } from '../../src/deliver.ts'
import { LookAhead, type LookAheadParts } from '../../src/forward/look-ahead.ts'
import type { Block } from '../../src/model/block.ts'
import { noCounts, samplesOf } from '../../src/model/counts.ts'
import { batchOf, type Row, wholeOf } from './rows.ts'

export type Request = { block: Block; numbers: number[]; answer: () => void }

export type RigOptions = Pick<LookAheadParts, 'limits' | 'newestFirstWithinMs'> & {
  /** Of a block that is appended; a byte when it is not said. */
  blockBytes?: number
  /** Blocks count as so many samples, and are not sent together when that is much. */
  blockSamples?: number
}

/** Whoever waits more often goes round in a circle, in which no timer would ever run. */
const WAITS_MAX = 10_000

/** A gateway without disk and network: admission in front, delivery behind, answers by hand. */
export class DeliveryRig {
  /** The log, by block number - 1. Survives a restart, as the cursor does. */
  readonly rows: Row[][] = []
  readonly blocks: Block[] = []
  /** Numbers of blocks that cannot be read any more. */
  readonly damaged = new Set<number>()
  /** Numbers of blocks that were given up. */
  readonly dropped = new Set<number>()
  /** Numbers of blocks that were acknowledged since the last restart, or before the cursor. */
  readonly acknowledged = new Set<number>()
  cursor = { number: 1, samplesBefore: 0 }
  /** Answers that are due, in the order in which their requests began. */
  readonly inFlight: Request[] = []
  /** Rows at the receiver, in order of arrival. */
  readonly received: Row[] = []
  admission!: Admission
  ahead!: LookAhead
  delivery!: Delivery
  inFlightMax = 8
  /** As a lane counts: what need not be delivered any more. */
  samplesDone = 0
  /** Blocks that were read and not given back. */
  inMemory = 0
  /** Times that somebody waited for a commit. */
  waits = 0
  nowMs = 0
  readonly #options: RigOptions
  readonly #sleeping = new Set<() => void>()
  readonly #clock: Clock = {
    nowMs: () => this.nowMs,
    monotonicMs: () => this.nowMs,
    sleep: (_, signal) => this.#sleep(signal),
  }
  #committed: (() => void)[] = []

  constructor(options: RigOptions = {}) {
    this.#options = options
  }

  /** As after a crash: nothing is known but log and cursor. */
  start(): void {
    const seriesMax = 7
    this.admission = new Admission({
      seriesMax,
      outOfOrderWindowMs: 0,
      lastBlock: this.blocks.length,
    })
    this.inMemory = 0
    this.samplesDone = this.cursor.samplesBefore
    for (const number of this.acknowledged) {
      if (number >= this.cursor.number) this.acknowledged.delete(number)
    }
    const { limits = {}, newestFirstWithinMs = 0 } = this.#options
    this.ahead = new LookAhead({
      limits,
      newestFirstWithinMs,
      from: this.cursor,
      clock: this.#clock,
      onDamage: ({ samples }) => {
        this.samplesDone += samples
      },
    })
    this.resume()
  }

  /** Goes on with what is in memory. */
  resume(): void {
    this.delivery = new Delivery({
      clock: this.#clock,
      log: {
        reader: (fromLsn) => this.#readerFrom(fromLsn),
        giveBack: () => {
          this.inMemory -= 1
        },
        waitBeyond: async (lsn) => {
          this.waits += 1
          if (this.blocks.length > lsn && this.waits < WAITS_MAX) return
          await new Promise<void>((resolve) => this.#committed.push(resolve))
        },
      },
      cursor: { position: this.cursor.number, save: async () => {} },
      ahead: this.ahead,
      decodeBlock: ({ lsn, payload }) => ({ ...this.blocks[lsn - 1]!, message: payload }),
      deliver: (block, signal) => this.#deliver(block, signal),
      inFlightMax: () => this.inFlightMax,
      merge,
      onDelivered: ({ counts }) => {
        this.samplesDone += samplesOf(counts)
      },
      onCheckpoint: () => {},
      onError: (error) => {
        throw error
      },
    })
    this.delivery.start()
  }

  push(cluster: string, rows: Row[]): void {
    const batch = batchOf(rows)
    const number = this.blocks.length + 1
    const { fence } = this.admission.judge(batch, wholeOf(batch), number, 1e12, 0)
    this.admission.forget(number)
    this.append(cluster, rows, fence)
  }

  /** A block as it is, unjudged. */
  append(cluster: string, rows: Row[], fence = 0, bytes = this.#options.blockBytes ?? 1): void {
    const number = this.blocks.length + 1
    const before = this.blocks.at(-1)
    this.rows.push(rows)
    this.blocks.push({
      number,
      fence,
      cluster,
      counts: { ...noCounts(), samples: this.#options.blockSamples ?? rows.length },
      minTimestampMs: rows[0]?.timestampMs ?? 0,
      maxTimestampMs: rows.at(-1)?.timestampMs ?? 0,
      receivedMs: rows[0]?.timestampMs ?? 0,
      rawBytes: 0,
      samplesBefore: before === undefined ? 0 : before.samplesBefore + samplesOf(before.counts),
      bytesBefore: before === undefined ? 0 : before.bytesBefore + before.message.length,
      message: new Uint8Array(bytes),
    })
    for (const resolve of this.#committed.splice(0)) resolve()
  }

  saveCursor(): void {
    const { acknowledged: number, samplesBefore } = this.ahead
    this.cursor = { number, samplesBefore }
  }

  /** Gives up everything before block `number`; says how many samples that was. */
  async dropBefore(number: number): Promise<number> {
    await this.stop()
    const first = this.blocks[number - 1]!
    const missing = await this.delivery.missingBefore(first)
    this.delivery.dropBefore(first, missing)
    this.samplesDone += missing.samples.sum
    this.saveCursor()
    this.resume()
    return missing.samples.sum
  }

  /** Lets so much time pass; whoever sleeps wakes up. */
  async pass(ms: number): Promise<void> {
    this.nowMs += ms
    for (const wake of this.#sleeping) wake()
    this.#sleeping.clear()
    await settle()
  }

  #sleep(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#sleeping.add(resolve)
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
  }

  async stop(): Promise<void> {
    const stopped = this.delivery.stop()
    for (const resolve of this.#committed.splice(0)) resolve()
    await stopped
    this.inFlight.length = 0
  }

  async restart(): Promise<void> {
    await this.stop()
    this.start()
  }

  /** Answers everything, the newest first, until there is nothing left to send. */
  async drain(): Promise<void> {
    for (await settle(); this.inFlight.length > 0; await settle()) this.inFlight.pop()!.answer()
  }

  /** Clusters that lack something, which lies in the log. */
  waiting(): Set<string> {
    const waits = this.blocks.filter(
      ({ number }) =>
        !this.acknowledged.has(number) && !this.dropped.has(number) && !this.damaged.has(number),
    )
    return new Set(waits.map(({ cluster }) => cluster))
  }

  #readerFrom(fromLsn: number) {
    let lsn = fromLsn
    return {
      next: async () => {
        while (this.damaged.has(lsn)) lsn++
        const block = this.blocks[lsn - 1]
        if (block === undefined) return null
        this.inMemory += 1
        return { lsn: lsn++, type: 1, payload: block.message }
      },
      get lsn() {
        return lsn
      },
      close: async () => {},
    }
  }

  /** The receiver takes what is sent when it answers; a request cut off before that may be lost. */
  #deliver(block: Block, signal: AbortSignal): Promise<Delivered> {
    const numbers = (block as Merged).numbers ?? [block.number]
    return new Promise((resolve, reject) => {
      const outcome = { forwarded: noCounts(), refused: noCounts(), unsupported: noCounts() }
      const answer = () => {
        for (const number of numbers) {
          this.received.push(...this.rows[number - 1]!)
          this.acknowledged.add(number)
        }
        resolve(outcome)
      }
      this.inFlight.push({ block, numbers, answer })
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
  }
}

type Merged = Block & { numbers?: number[] }

function merge(blocks: readonly Block[]): Merged {
  const counts = noCounts()
  for (const block of blocks) counts.samples += samplesOf(block.counts)
  return { ...blocks[0]!, counts, numbers: blocks.map(({ number }) => number) }
}

/** Lets everything that is ready to run, run. */
export const settle = () => new Promise((resolve) => setImmediate(resolve))
