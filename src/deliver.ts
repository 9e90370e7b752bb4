import type { Clock } from './base/clock.ts'
import type { Block } from './model/block.ts'
import { type Counts, samplesOf } from './model/counts.ts'
import type { Cursor } from './persist/cursor.ts'

/** Blocks looked at ahead of the oldest one that is not acknowledged, and their bytes. */
const AHEAD_BLOCKS_MAX = 512
const AHEAD_BYTES_MAX = 32 * 1024 * 1024
/** A block of fewer samples goes out together with others: a request costs more than it does. */
const SMALL_SAMPLES = 1_000
const MERGED_SAMPLES_MAX = 10_000
const MERGED_BYTES_MAX = 8 * 1024 * 1024
/** The cursor lies at most this far behind: what lies between is sent again after a crash. */
const CURSOR_EVERY_MS = 1_000
/** After something that should never happen, such as a block that cannot be read back. */
const RETRY_AFTER_BUG_MS = 5_000

/** What became of a block at a destination; what its rules drop is missing from the three. */
export type Delivered = {
  forwarded: Counts
  refused: Counts
  unsupported: Counts
}

type LogRecord = { lsn: number; type: number; payload: Uint8Array }

type LogReader = { next(): Promise<LogRecord | null>; close(): Promise<void> }

/** What delivery asks of the log; `persist/log.ts` is one. */
export type DeliveredLog = {
  /** Committed records from `fromLsn` on; null when there is none yet. */
  reader(fromLsn: number): LogReader
  waitBeyond(lsn: number, signal: AbortSignal): Promise<void>
  /** What a record of the reader held is not needed any more. */
  giveBack(payload: Uint8Array): void
}

export type DeliveryParts = {
  log: DeliveredLog
  cursor: Pick<Cursor, 'position' | 'save'>
  /** The oldest record that the destination does not have, and the samples in all before it. */
  from: { lsn: number; samplesBefore: number }
  clock: Clock
  /** Null for a record that is not a block. */
  decodeBlock: (record: LogRecord) => Block | null
  /** Resolves with the final outcome, however many tries it takes; rejects when aborted. */
  deliver: (block: Block, signal: AbortSignal) => Promise<Delivered>
  /** Requests that it is good to have in flight now. */
  inFlightMax: () => number
  /** One block with all that is in several of one cluster, in their order; null when it cannot. */
  merge: (blocks: readonly Block[]) => Block | null
  onDelivered: (block: Block, delivered: Delivered) => void
  /** So many samples were in blocks of these numbers that are not there any more. */
  onDamage: (samples: number, fromBlock: number, toBlock: number) => void
  /** Everything before `position` is acknowledged, and that is on disk. */
  onCheckpoint: (position: number) => void
  onError: (error: unknown) => void
}

/** A block between log and acknowledgement. */
type Ahead = { block: Block; isInFlight: boolean }

/**
 * The far half of the gateway: blocks out of the log, in order per series, until the
 * destination has them; then the cursor moves, and what lies behind it may be deleted.
 *
 * A block may be sent as soon as every block of its cluster up to its fence has been
 * acknowledged. So any number may be in flight, and yet no series is in two of them.
 *
 * A class, because it is started and stopped, and because the cursor may never pass a
 * block that is still ahead.
 */
export class Delivery {
  readonly #parts: DeliveryParts
  /** In log order: the first one is the oldest that the destination does not have. */
  readonly #ahead: Ahead[] = []
  #aheadBytes = 0
  /** Samples in all blocks up to the one that was read last. */
  #samplesRead: number
  #inFlight = 0
  readonly #stopping = new AbortController()
  #readUpTo: number
  #wake = () => {}
  #loops: Promise<unknown> = Promise.resolve()

  constructor(parts: DeliveryParts) {
    this.#parts = parts
    this.#readUpTo = parts.from.lsn - 1
    this.#samplesRead = parts.from.samplesBefore
  }

  start(): void {
    const stopped = (error: unknown) => {
      if (!this.#signal.aborted) this.#parts.onError(error)
    }
    this.#loops = Promise.all([this.#run().catch(stopped), this.#checkpointOften().catch(stopped)])
  }

  /** Breaks off what is in flight, keeps what is not acknowledged, and saves how far it came. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the gateway is stopping'))
    this.#wake()
    await this.#loops
    await this.#checkpoint().catch(this.#parts.onError)
  }

  /** Everything before this LSN has been acknowledged. */
  get acknowledged(): number {
    return this.#ahead[0]?.block.number ?? this.#readUpTo + 1
  }

  /** Samples in all blocks before that one. */
  get samplesBefore(): number {
    return this.#ahead[0]?.block.samplesBefore ?? this.#samplesRead
  }

  /** Samples in those blocks before this one that the destination does not have. */
  missingBefore({ number, samplesBefore }: Block): number {
    const read = this.#ahead.filter(({ block }) => block.number < number)
    const unread = Math.max(0, samplesBefore - this.#samplesRead)
    return read.reduce((sum, { block }) => sum + samplesOf(block.counts), unread)
  }

  /** The oldest block that the destination does not have, if one has been read. */
  get oldest(): Block | undefined {
    return this.#ahead[0]?.block
  }

  get #signal(): AbortSignal {
    return this.#stopping.signal
  }

  /** What cannot be read now is tried again: a disk in trouble holds up what lies there alone. */
  async #run(): Promise<void> {
    while (!this.#signal.aborted) {
      const reader = this.#parts.log.reader(this.#readUpTo + 1)
      try {
        await this.#deliverFrom(reader)
      } catch (error) {
        if (this.#signal.aborted) return
        this.#parts.onError(error)
        await this.#sendUntil(this.#parts.clock.sleep(RETRY_AFTER_BUG_MS, this.#signal))
      } finally {
        await reader.close()
      }
    }
  }

  /** What was read before goes on its way while nothing more can be read. */
  async #sendUntil(over: Promise<void>): Promise<void> {
    const end = over.then(() => true)
    do {
      this.#sendAll()
    } while (!(await Promise.race([this.#woken(), end])))
  }

  /** To be asked for before looking, so that what ends meanwhile is not missed. */
  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  async #deliverFrom(reader: LogReader): Promise<void> {
    const { log } = this.#parts
    let commit: Promise<void> | null = null
    while (!this.#signal.aborted) {
      const woken = this.#woken()
      while (this.#hasRoom()) {
        const record = await reader.next()
        if (record === null) break
        const block = this.#parts.decodeBlock(record)
        if (block !== null) this.#add(block)
        this.#readUpTo = record.lsn
      }
      this.#sendAll()
      // A commit is of interest only when there is room for what it brings. The wait for it
      // outlives a turn: whoever waited anew each time would leave many behind.
      if (!this.#hasRoom()) await woken
      else {
        commit ??= log.waitBeyond(this.#readUpTo, this.#signal).then(() => {
          commit = null
        })
        await Promise.race([woken, commit])
      }
    }
  }

  #add(block: Block): void {
    const { samplesBefore, counts } = block
    const missing = samplesBefore - this.#samplesRead
    if (missing > 0) this.#parts.onDamage(missing, this.#readUpTo + 1, block.number - 1)
    this.#samplesRead = samplesBefore + samplesOf(counts)
    this.#ahead.push({ block, isInFlight: false })
    this.#aheadBytes += block.message.length
  }

  #hasRoom(): boolean {
    return this.#ahead.length < AHEAD_BLOCKS_MAX && this.#aheadBytes < AHEAD_BYTES_MAX
  }

  #sendAll(): void {
    for (let i = 0; i < this.#ahead.length; i++) {
      if (this.#inFlight >= this.#parts.inFlightMax()) return
      if (this.#mayGo(this.#ahead[i]!)) this.#sendTogether(this.#groupFrom(i))
    }
  }

  #mayGo({ block, isInFlight }: Ahead): boolean {
    return !isInFlight && this.#isDue(block)
  }

  /** Blocks are in the order of the log: what a fence waits for is behind the cluster's oldest. */
  #isDue({ cluster, fence }: Block): boolean {
    const oldest = this.#ahead.find(({ block }) => block.cluster === cluster)
    return oldest === undefined || oldest.block.number > fence
  }

  /** The block at `i`, and when it is small those small ones behind it that may go as well. */
  #groupFrom(i: number): Ahead[] {
    const first = this.#ahead[i]!
    const group = [first]
    if (!isSmall(first.block)) return group
    let samples = samplesOf(first.block.counts)
    let rawBytes = first.block.rawBytes
    for (const next of this.#ahead.slice(i + 1)) {
      const { block } = next
      if (block.cluster !== first.block.cluster || !isSmall(block) || !this.#mayGo(next)) continue
      samples += samplesOf(block.counts)
      rawBytes += block.rawBytes
      if (samples > MERGED_SAMPLES_MAX || rawBytes > MERGED_BYTES_MAX) break
      group.push(next)
    }
    return group
  }

  #sendTogether(group: Ahead[]): void {
    const merged = group.length === 1 ? null : this.#parts.merge(group.map(({ block }) => block))
    if (merged === null) this.#send(group[0]!.block, [group[0]!])
    else this.#send(merged, group)
  }

  #send(block: Block, group: Ahead[]): void {
    for (const one of group) one.isInFlight = true
    this.#inFlight += 1
    this.#parts.deliver(block, this.#signal).then(
      (delivered) => {
        this.#inFlight -= 1
        this.#remove(group)
        this.#parts.onDelivered(block, delivered)
        this.#wake()
      },
      (error) => this.#sendAgainLater(group, error),
    )
  }

  #remove(group: Ahead[]): void {
    for (const one of group) {
      this.#ahead.splice(this.#ahead.indexOf(one), 1)
      this.#aheadBytes -= one.block.message.length
      this.#parts.log.giveBack(one.block.message)
    }
  }

  /** Nothing is given up: blocks stay where they are, and after a restart they are sent again. */
  #sendAgainLater(group: Ahead[], error: unknown): void {
    if (this.#signal.aborted) return
    this.#parts.onError(error)
    const later = this.#parts.clock.sleep(RETRY_AFTER_BUG_MS, this.#signal)
    later.then(
      () => {
        for (const one of group) one.isInFlight = false
        this.#inFlight -= 1
        this.#wake()
      },
      () => {},
    )
  }

  async #checkpointOften(): Promise<void> {
    while (!this.#signal.aborted) {
      await this.#parts.clock.sleep(CURSOR_EVERY_MS, this.#signal)
      await this.#checkpoint().catch(this.#parts.onError)
    }
  }

  /** Outcome first, then the cursor, then the deletion: never another way round. */
  async #checkpoint(): Promise<void> {
    const { cursor, onCheckpoint } = this.#parts
    const position = this.acknowledged
    if (position <= cursor.position) return
    await cursor.save(position, this.samplesBefore)
    onCheckpoint(position)
  }
}

function isSmall({ counts }: Block): boolean {
  return samplesOf(counts) < SMALL_SAMPLES
}
