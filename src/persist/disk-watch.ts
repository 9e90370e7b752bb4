import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import type { Disk } from '../base/disk.ts'
import { SluiceError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { Log } from './log.ts'
import type { Spare } from './spare.ts'

/** Of the file system, when no quota is configured. */
const QUOTA_SHARE = 0.8
/** A write that takes longer than this is stuck: its senders are told to come back. */
const STUCK_MS = 5_000
/** Blocks in memory that wait for the disk; when there are more it is too slow for what comes. */
export const UNCOMMITTED_BYTES_MAX = 64 * 1024 * 1024
const PROBE_BYTES = 64 * 1024

export type DiskWatchParts = {
  disk: Disk
  /** `storage.path`. */
  path: string
  /** In `path`. */
  logDirectory: string
  log: Pick<
    Log,
    | 'sizeBytes'
    | 'isFailed'
    | 'writing'
    | 'uncommittedBytes'
    | 'isInPlace'
    | 'refuseWaiting'
    | 'trust'
  >
  spare: Spare
  /** What the log may take; a share of the file system when undefined. */
  quotaBytes: number | undefined
  clock: Clock
  logger: Logger
}

/** What the log may take when there is nothing else on the disk. */
export async function nominalQuota(
  disk: Disk,
  path: string,
  configuredBytes: number | undefined,
): Promise<number> {
  return configuredBytes ?? QUOTA_SHARE * (await disk.space(path)).totalBytes
}

/**
 * Whether the disk can be trusted with more. It is looked at once a second, so that nobody has to
 * do anything when the trouble is over.
 *
 * A class, because of what it saw last.
 */
export class DiskWatch {
  readonly #parts: DiskWatchParts
  #quotaBytes = 0
  #isInPlace = true
  #isCrowded = false
  /** The write that was going on at the last look, and since when. */
  #writing: object | null = null
  #writingSinceMs = 0
  #isStuck = false
  #looking: Promise<void> | null = null

  private constructor(parts: DiskWatchParts) {
    this.#parts = parts
  }

  /** Rejects when the disk cannot be asked. */
  static async start(parts: DiskWatchParts): Promise<DiskWatch> {
    const watch = new DiskWatch(parts)
    await watch.#measure()
    return watch
  }

  /**
   * What the log may take now: its quota, or what there is when others have filled the disk. As
   * much as the spare takes stays free, for what is written besides the log.
   */
  get quotaBytes(): number {
    return this.#quotaBytes
  }

  /** Nothing can be kept before the disk has changed, and perhaps not even then. */
  get isBroken(): boolean {
    return !this.#isInPlace || this.#parts.log.isFailed
  }

  /** Why nothing can be kept at the moment, or null. */
  refusal(): string | null {
    const { log, path } = this.#parts
    if (!this.#isInPlace) {
      return `${path} does not hold this gateway's log any more: put it back, or start anew`
    }
    if (this.#isStuck) return stuckReason(path)
    if (log.sizeBytes >= this.#quotaBytes) {
      return this.#isCrowded
        ? `the disk under ${path} is full: make room there, or see which destination is behind`
        : `the log in ${path} is full: a destination is behind, or storage.quota too small`
    }
    if (log.isFailed) return 'the log cannot be written'
    const isSlow = log.uncommittedBytes >= UNCOMMITTED_BYTES_MAX
    return isSlow ? `the disk under ${path} is too slow for what comes in` : null
  }

  /** To be called once a second. Resolves when everything was looked at, and never rejects. */
  look(): Promise<void> {
    this.#lookAtWriting()
    // A disk that is stuck does not answer this either.
    this.#looking ??= this.#lookAtDisk().finally(() => {
      this.#looking = null
    })
    return this.#looking
  }

  async stop(): Promise<void> {
    await this.#parts.spare.stopFilling()
    await this.#looking
  }

  #lookAtWriting(): void {
    const { log, clock, path } = this.#parts
    const nowMs = clock.monotonicMs()
    if (log.writing === null || log.writing !== this.#writing) {
      this.#writing = log.writing
      this.#writingSinceMs = nowMs
    }
    this.#isStuck = this.#writing !== null && nowMs - this.#writingSinceMs >= STUCK_MS
    if (this.#isStuck) log.refuseWaiting(new SluiceError('LOG_FAILED', stuckReason(path)))
  }

  async #lookAtDisk(): Promise<void> {
    const { log, logger, path } = this.#parts
    try {
      this.#isInPlace = await log.isInPlace()
      if (!this.#isInPlace) {
        logger.error('the data directory is gone: nothing is taken any more', { path })
        return
      }
      const freeBytes = await this.#measure()
      if (this.#isStuck) return
      if (log.isFailed && (await this.#works())) log.trust()
      this.#makeSpare(freeBytes)
    } catch (error) {
      logger.error('the disk cannot be looked at', { path, error })
    }
  }

  /** Returns what is free. */
  async #measure(): Promise<number> {
    const { disk, path, log, spare } = this.#parts
    const { totalBytes, freeBytes } = await disk.space(path)
    const allowed = this.#parts.quotaBytes ?? QUOTA_SHARE * totalBytes
    const possible = Math.max(0, log.sizeBytes + freeBytes - spare.bytes)
    this.#isCrowded = possible < allowed
    this.#quotaBytes = Math.min(allowed, possible)
    return freeBytes
  }

  /** Whether a new file beside the segments can be written and synced. */
  async #works(): Promise<boolean> {
    const { disk, logDirectory } = this.#parts
    const probe = join(logDirectory, 'probe')
    try {
      await disk.remove(probe)
      const file = await disk.open(probe, 'create')
      try {
        await file.write([new Uint8Array(PROBE_BYTES)], 0)
        await file.datasync()
      } finally {
        await file.close()
      }
      await disk.syncDirectory(logDirectory)
      return true
    } catch {
      return false
    } finally {
      await disk.remove(probe).catch(() => undefined)
    }
  }

  /** When its room can be taken without crowding out pushes. */
  #makeSpare(freeBytes: number): void {
    const { spare, log, logger } = this.#parts
    if (spare.isThere || log.isFailed || freeBytes < 3 * spare.bytes) return
    spare.fill().catch((error: unknown) => {
      logger.warn('no room can be kept aside for a full disk', { error })
    })
  }
}

function stuckReason(path: string): string {
  return `the disk under ${path} has not ended a write for ${STUCK_MS / 1000} seconds`
}
