import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import type { Disk } from '../base/disk.ts'
import type { Logger } from '../base/log.ts'
import type { Cursor } from '../persist/cursor.ts'
import type { Ledger } from '../persist/ledger.ts'
import type { Log } from '../persist/log.ts'
import type { Retention } from '../persist/retention.ts'
import type { BlockTotals } from '../persist/totals.ts'
import type { ParkedStatus } from '../status/sources.ts'
import { Losses } from './losses.ts'

/** So long the log keeps what a destination lacks that is not configured any more. */
const PARKED_MS_MAX = 24 * 3_600_000
/** It may fill the log with that up to this share of its quota. */
const PARKED_QUOTA_SHARE = 0.8

export type ParkedParts = {
  disk: Disk
  cursorDirectory: string
  log: Pick<Log, 'sizeBytes' | 'lastLsn'>
  retention: Retention
  ledger: Ledger
  totals: BlockTotals
  quotaBytes: () => number
  clock: Clock
  logger: Logger
}

type Parked = { cursor: Cursor; samplesDone: number; sinceMs: number }

/**
 * Destinations that are not configured any more, and may come back: the log keeps what they lack
 * for a day from then, or from the last start, and while there is room for it. What is let go is
 * in the ledger before it goes; then the destination is one that never was.
 *
 * A class, because the log keeps something for exactly those that are in it.
 */
export class ParkedDestinations {
  readonly #parts: ParkedParts
  readonly #byName = new Map<string, Parked>()

  constructor(parts: ParkedParts) {
    this.#parts = parts
  }

  /** @param samplesDone of all samples that ever were in the log, those that it has */
  park(name: string, cursor: Cursor, samplesDone: number): void {
    const { retention, clock } = this.#parts
    this.#byName.set(name, { cursor, samplesDone, sinceMs: clock.monotonicMs() })
    retention.advance(name, cursor.position)
  }

  /** Undefined when it is not parked. */
  cursorOf(name: string): Cursor | undefined {
    return this.#byName.get(name)?.cursor
  }

  /** It has come back, and the cursor is its own again. */
  unpark(name: string): void {
    this.#byName.delete(name)
  }

  status(): ParkedStatus[] {
    return Array.from(this.#byName, ([name, parked]) => ({
      name,
      waitingSamples: this.#waitingOf(parked),
      parkedSeconds: (this.#parts.clock.monotonicMs() - parked.sinceMs) / 1000,
    }))
  }

  /** To be called once a second. Rejects when the disk does; what it was about stays parked. */
  async letGo(): Promise<void> {
    const { log, quotaBytes, clock } = this.#parts
    const isShort = log.sizeBytes >= PARKED_QUOTA_SHARE * quotaBytes()
    for (const [name, parked] of this.#byName) {
      if (clock.monotonicMs() - parked.sinceMs >= PARKED_MS_MAX) {
        await this.#letGo(name, parked, 'it has been out of the configuration for a day')
      } else if (isShort) {
        // Its segments go before the next one is asked for its own.
        return this.#letGo(name, parked, 'it is not configured, and the log is nearly full')
      }
    }
  }

  async close(): Promise<void> {
    for (const { cursor } of this.#byName.values()) await cursor.close()
    this.#byName.clear()
  }

  async #letGo(name: string, parked: Parked, reason: string): Promise<void> {
    const { disk, cursorDirectory, log, retention } = this.#parts
    const samples = this.#waitingOf(parked)
    const [fromBlock, toBlock] = [parked.cursor.position, log.lastLsn]
    const losses = new Losses(name, this.#parts)
    if (samples > 0) await losses.allow({ kind: 'parked', samples, fromBlock, toBlock, reason })
    this.#byName.delete(name)
    retention.forget(name)
    await parked.cursor.close()
    await disk.remove(join(cursorDirectory, name))
    await disk.syncDirectory(cursorDirectory)
  }

  #waitingOf({ samplesDone }: Parked): number {
    return this.#parts.totals.samples.sum - samplesDone
  }
}
