import type { Clock } from '../base/clock.ts'
import type { Log } from './log.ts'

/** What every destination has is kept so long all the same, so that it can be sent once more. */
const HOLD_MS = 10 * 60_000
const HOLD_BYTES = 2 * 1024 ** 3
/**
 * What is held for that is the first to go: it may fill the log to this share of its quota, which
 * shrinks when others fill the disk. So it never stands in the way of a push.
 */
const HELD_QUOTA_SHARE = 0.5

export type RetentionParts = {
  log: Pick<Log, 'oldestLsn' | 'sizeBytes' | 'bytesBelow' | 'release'>
  /** The series table on disk knows of all blocks up to this one. */
  savedLsn: () => number
  /** Saves that table. Never rejects; when the disk does, `savedLsn` stays. */
  save: () => Promise<void>
  clock: Clock
  /** What the log may take now. */
  quotaBytes: () => number
}

/**
 * Which part of the log may go: what all destinations have, and have had for a while.
 *
 * A class, because there is state with an invariant: nothing is released that one of the
 * destinations does not have.
 */
export class Retention {
  readonly #parts: RetentionParts
  /** By destination: everything before this LSN has been acknowledged. */
  readonly #positions = new Map<string, number>()
  /** When all had which position, oldest first; both only grow. */
  readonly #reached: { atMs: number; position: number }[] = []

  constructor(parts: RetentionParts) {
    this.#parts = parts
  }

  /** Destination `name` has everything before `position`. It may be lower than before. */
  advance(name: string, position: number): void {
    this.#positions.set(name, position)
  }

  /** Nothing is kept for `name` any more. */
  forget(name: string): void {
    this.#positions.delete(name)
  }

  /** To be called once a second: deletes what nobody needs any more. Rejects when the disk does. */
  async release(): Promise<void> {
    const { log, clock, quotaBytes } = this.#parts
    const nowMs = clock.monotonicMs()
    if (this.#positions.size === 0) return
    const common = Math.min(...this.#positions.values())
    const reached = this.#reached
    while ((reached.at(-1)?.position ?? 0) > common) reached.pop()
    if ((reached.at(-1)?.position ?? 0) < common) reached.push({ atMs: nowMs, position: common })

    let aged = 0
    while (reached.length > 0 && nowMs - reached[0]!.atMs >= HOLD_MS) {
      aged = reached[0]!.position
      // The newest one stays, so that standing still is not taken for news.
      if (reached.length === 1) break
      reached.shift()
    }
    await this.#release(aged, 0)
    const needed = log.sizeBytes - log.bytesBelow(common)
    const room = HELD_QUOTA_SHARE * quotaBytes() - needed
    await this.#release(common, Math.min(HOLD_BYTES, Math.max(0, room)))
  }

  /**
   * After a crash the saved table is brought up to date from the log, so what it does not know
   * goes last, and is saved before. When that fails it goes all the same: pushes need the room,
   * and so may the table.
   */
  async #release(lsn: number, keptBytes: number): Promise<void> {
    const { log, savedLsn, save } = this.#parts
    const known = Math.min(lsn, savedLsn() + 1)
    const unknownBytes = log.bytesBelow(lsn) - log.bytesBelow(known)
    await log.release(known, Math.max(0, keptBytes - unknownBytes))
    if (log.bytesBelow(lsn) <= keptBytes) return
    await save()
    await log.release(lsn, keptBytes)
    if (savedLsn() + 1 < log.oldestLsn) await save()
  }
}
