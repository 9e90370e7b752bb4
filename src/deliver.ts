import { Bell } from './base/bell.ts'
import type { Clock } from './base/clock.ts'
import type { ClusterQueue } from './forward/cluster-queue.ts'
import type { Missing } from './forward/gap.ts'
import type { Ahead } from './forward/line.ts'
import { type LookAhead, SWEEP_BYTES } from './forward/look-ahead.ts'
import type { Departure } from './forward/turns.ts'
import type { Block } from './model/block.ts'
import type { Counts } from './model/counts.ts'
import type { Cursor } from './persist/cursor.ts'

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

type LogReader = {
  next(): Promise<LogRecord | null>
  /** Where `next` goes on. */
  readonly lsn: number
  close(): Promise<void>
}

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
  /** What was read and is not acknowledged: of a delivery that was stopped, or a new one. */
  ahead: LookAhead
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
  /** Everything before `position` is acknowledged, and that is on disk. */
  onCheckpoint: (position: number) => void
  onError: (error: unknown) => void
}

/**
 * The far half of the gateway: blocks out of the log, in order per series, until the
 * destination has them; then the cursor moves, and what lies behind it may be deleted.
 *
 * A block may be sent as soon as every block of its cluster up to its fence has been
 * acknowledged. So any number may be in flight, and yet no series is in two of them. Clusters
 * take turns, and none of them waits for room that another one has taken: see `LookAhead`.
 *
 * A class, because it is started and stopped, and because the cursor may never pass a
 * block that is not acknowledged.
 */
export class Delivery {
  readonly #parts: DeliveryParts
  readonly #ahead: LookAhead
  readonly #stopping = new AbortController()
  /** Rings when something was acknowledged, for whoever waits for room. */
  readonly #acknowledgement = new Bell()
  #loops: Promise<unknown> = Promise.resolve()

  constructor(parts: DeliveryParts) {
    this.#parts = parts
    this.#ahead = parts.ahead
  }

  start(): void {
    const stopped = (error: unknown) => {
      if (!this.#signal.aborted) this.#parts.onError(error)
    }
    const loops = [
      this.#persist(() => this.#readOn()),
      this.#persist(() => this.#readAgain()),
      this.#checkpointOften(),
    ]
    this.#loops = Promise.all(loops.map((loop) => loop.catch(stopped)))
  }

  /** Breaks off what is in flight, keeps what is not acknowledged, and saves how far it came. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the gateway is stopping'))
    this.#acknowledgement.ring()
    await this.#loops
    this.#ahead.breakOff()
    await this.#checkpoint().catch(this.#parts.onError)
  }

  /** To be called when `inFlightMax` has grown, though nothing was delivered. */
  lookAgain(): void {
    this.#sendAll()
  }

  /** Once it is stopped: what the destination does not have of the blocks before `first`. */
  async missingBefore(first: Block): Promise<Missing> {
    const { log, decodeBlock } = this.#parts
    const missing = this.#ahead.missingBefore(first)
    const reader = log.reader(this.#ahead.acknowledged)
    try {
      for (;;) {
        const record = await reader.next()
        const isBefore = record !== null && record.lsn < first.number
        const block = isBefore ? decodeBlock(record) : null
        if (block !== null) this.#ahead.countMissing(block, missing)
        if (record !== null) log.giveBack(record.payload)
        if (!isBefore) return missing
      }
    } finally {
      await reader.close()
    }
  }

  /** Once it is stopped: gives that up. */
  dropBefore(first: Block, missing: Missing): void {
    this.#giveBack(this.#ahead.dropBefore(first, missing))
  }

  get #signal(): AbortSignal {
    return this.#stopping.signal
  }

  /** What cannot be read now is tried again: a disk in trouble holds up what lies there alone. */
  async #persist(read: () => Promise<void>): Promise<void> {
    while (!this.#signal.aborted) {
      try {
        await read()
      } catch (error) {
        if (this.#signal.aborted) return
        this.#parts.onError(error)
        // What was read before goes on its way.
        this.#sendAll()
        await this.#parts.clock.sleep(RETRY_AFTER_BUG_MS, this.#signal)
      }
    }
  }

  /** The way forward: everything, up to what is committed last. */
  async #readOn(): Promise<void> {
    const { log } = this.#parts
    const reader = log.reader(this.#ahead.end)
    try {
      while (!this.#signal.aborted) {
        const record = await reader.next()
        if (record !== null) this.#read(record)
        else this.#ahead.reachedEnd()
        // With all that is there small blocks go together; but on a long way nobody waits for it.
        if (record === null || this.#ahead.isBehind) this.#sendAll()
        if (this.#signal.aborted) return
        // The last records may be damaged: then the reader is further than the last block.
        if (record === null) await log.waitBeyond(reader.lsn - 1, this.#signal)
        while (this.#ahead.isFarAhead && !this.#signal.aborted) await this.#acknowledgement.wait()
      }
    } finally {
      await reader.close()
    }
  }

  #read(record: LogRecord): void {
    const block = this.#parts.decodeBlock(record)
    if (block === null) this.#ahead.readOther(record.lsn)
    if (block === null || !this.#ahead.read(block)) this.#parts.log.giveBack(record.payload)
  }

  /** Back to what there was no room for, as soon as there is. */
  async #readAgain(): Promise<void> {
    let reader: LogReader | undefined
    this.#ahead.dropSweep()
    try {
      while (!this.#signal.aborted) {
        const queue = this.#ahead.hungry()
        if (queue === null) {
          await this.#acknowledgement.wait()
          continue
        }
        const from = this.#ahead.sweepFrom(queue)
        if (from !== null) {
          await reader?.close()
          reader = this.#parts.log.reader(from)
        }
        if (reader !== undefined && (await this.#sweep(reader, queue))) {
          await reader.close()
          reader = undefined
        }
        this.#sendAll()
      }
    } finally {
      await reader?.close()
    }
  }

  /** One sweep for `queue`; true when it came to the end of what was read. */
  async #sweep(reader: LogReader, queue: ClusterQueue): Promise<boolean> {
    let bytes = 0
    while (bytes < SWEEP_BYTES && this.#ahead.wants(queue) && !this.#signal.aborted) {
      const record = await reader.next()
      if (record !== null) {
        const isKnown = record.lsn < this.#ahead.end
        const block = isKnown ? this.#parts.decodeBlock(record) : null
        const isTaken = block !== null && this.#ahead.readAgain(block)
        if (!isTaken) this.#parts.log.giveBack(record.payload)
        bytes += record.payload.length
      }
      if (record === null || record.lsn + 1 >= this.#ahead.end) {
        this.#ahead.endSweep()
        return true
      }
    }
    return false
  }

  #sendAll(): void {
    while (!this.#signal.aborted) {
      const departure = this.#ahead.next(this.#parts.inFlightMax())
      if (departure === null) return
      this.#send(departure)
    }
  }

  #send(departure: Departure): void {
    const { group } = departure.member
    const merged = group.length === 1 ? null : this.#parts.merge(group.map(({ block }) => block))
    // One of them cannot be read: the first goes alone, and the others may go by themselves.
    if (merged === null) for (const other of group.splice(1)) other.isInFlight = false
    this.#deliver(merged ?? group[0]!.block, departure)
  }

  #deliver(block: Block, departure: Departure): void {
    this.#parts.deliver(block, this.#signal).then(
      (delivered) => {
        this.#ahead.arrived(departure)
        this.#giveBack(departure.member.group)
        this.#parts.onDelivered(block, delivered)
        this.#acknowledgement.ring()
        this.#sendAll()
      },
      (error) => this.#sendAgainLater(departure, error),
    )
  }

  #giveBack(group: readonly Ahead[]): void {
    for (const { block } of group) this.#parts.log.giveBack(block.message)
  }

  /** Nothing is given up: blocks stay where they are, and after a restart they are sent again. */
  #sendAgainLater(departure: Departure, error: unknown): void {
    if (this.#signal.aborted) return
    this.#parts.onError(error)
    const later = this.#parts.clock.sleep(RETRY_AFTER_BUG_MS, this.#signal)
    later.then(
      () => {
        this.#ahead.returned(departure)
        this.#sendAll()
      },
      () => {},
    )
  }

  async #checkpointOften(): Promise<void> {
    while (!this.#signal.aborted) {
      await this.#parts.clock.sleep(CURSOR_EVERY_MS, this.#signal)
      await this.#checkpoint().catch(this.#parts.onError)
      // What is held up by now has left its place to others.
      this.#sendAll()
    }
  }

  /** Outcome first, then the cursor, then the deletion: never another way round. */
  async #checkpoint(): Promise<void> {
    const { cursor, onCheckpoint } = this.#parts
    const { acknowledged: position, samplesBefore } = this.#ahead
    if (position <= cursor.position) return
    await cursor.save(position, samplesBefore)
    onCheckpoint(position)
  }
}
