import type { BufferPool } from '../base/buffer-pool.ts'
import type { Disk, DiskFile } from '../base/disk.ts'
import { assert } from '../base/errors.ts'
import { copyBytes } from '../base/memory.ts'
import type { LoggedRecord } from './group.ts'
import { RecordScanner } from './scan.ts'
import { type Damage, SEGMENT_HEADER_BYTES, type Segment } from './segment.ts'

export type LogRecord = {
  lsn: number
  type: number
  /** The caller's, until it gives it back to the log. */
  payload: Uint8Array
}

/** What a reader sees of its log. */
export type LogView = {
  disk: Disk
  seed: number
  readAheadBytes: number
  /** Where payloads are taken from. */
  pool: BufferPool
  committedLsn(): number
  /** A record that is still in memory. */
  recent(lsn: number): LoggedRecord | undefined
  /** The segment that holds `lsn`, the oldest one when it is released, or none at all. */
  segmentAt(lsn: number): Segment | undefined
  isReleased(segment: Segment): boolean
  reportDamage(damage: Damage): void
}

type Place = { segment: Segment; file: DiskFile; scanner: RecordScanner }

/**
 * Reads committed records in order, from one LSN on, past rotation, release and damage.
 *
 * A class, because it holds an open file and a place in it. One call of `next` at a time.
 */
export class LogReader {
  readonly #log: LogView
  #lsn: number
  #place: Place | undefined
  #isReading = false

  constructor(log: LogView, fromLsn: number) {
    this.#log = log
    this.#lsn = fromLsn
  }

  /** Where `next` goes on: behind everything that was read, or is damaged or released. */
  get lsn(): number {
    return this.#lsn
  }

  /**
   * The next record, or null when there is none that is committed. LSNs only grow, and one that
   * is left out was released or is damaged; damage is reported through the log's `onDamage`.
   *
   * Rejects when the disk refuses to read; the same call may be tried again.
   */
  async next(): Promise<LogRecord | null> {
    assert(!this.#isReading, 'a reader is asked for one record at a time')
    this.#isReading = true
    try {
      while (this.#lsn <= this.#log.committedLsn()) {
        const record = await this.#step()
        if (record !== undefined) return record
      }
      return null
    } finally {
      this.#isReading = false
    }
  }

  async close(): Promise<void> {
    const place = this.#place
    this.#place = undefined
    await place?.file.close()
  }

  /** One step forward: a record when there is one to hand out. */
  async #step(): Promise<LogRecord | undefined> {
    const recent = this.#log.recent(this.#lsn)
    if (recent !== undefined) {
      // An open file would keep a segment's room after its release.
      if (this.#place !== undefined) await this.close()
      return { lsn: this.#lsn++, type: recent.type, payload: this.#copyOf(recent.parts) }
    }
    const segment = this.#segment()
    if (segment === undefined) {
      this.#lsn = this.#log.committedLsn() + 1
      return undefined
    }
    const place = await this.#placeIn(segment)
    if (place === undefined) return undefined
    const { scanner } = place
    const { endLsn, name } = segment
    const found = await scanner.next(segment.readableBytes, endLsn)

    if (found.kind === 'record') {
      const { lsn, type } = found.header
      if (lsn < this.#lsn) return undefined
      this.#lsn = lsn + 1
      return { lsn, type, payload: this.#copyOf([found.payload]) }
    }
    if (found.kind === 'damage') {
      const { kind, ...damage } = found
      this.#log.reportDamage({ segment: name, ...damage })
      return undefined
    }
    // The next segment begins at `endLsn`, so what is not here is nowhere.
    const reason = found.bytes === 0 ? 'missing' : found.reason
    const lost = { segment: name, fromLsn: scanner.lsn, toLsn: endLsn - 1 }
    this.#log.reportDamage({ ...lost, bytes: found.bytes, reason })
    this.#skipTo(place, endLsn)
    return undefined
  }

  #copyOf(parts: readonly Uint8Array[]): Uint8Array {
    const payload = this.#log.pool.take(parts.reduce((bytes, part) => bytes + part.length, 0))
    let at = 0
    for (const part of parts) {
      copyBytes(part, 0, part.length, payload, at)
      at += part.length
    }
    return payload
  }

  #skipTo(place: Place, lsn: number): void {
    place.scanner.skipTo(place.segment.readableBytes, lsn)
    this.#lsn = Math.max(this.#lsn, lsn)
  }

  #segment(): Segment | undefined {
    const current = this.#place?.segment
    const isCurrent =
      current !== undefined && this.#lsn < current.endLsn && !this.#log.isReleased(current)
    if (isCurrent) return current
    const segment = this.#log.segmentAt(this.#lsn)
    this.#lsn = Math.max(this.#lsn, segment?.firstLsn ?? 0)
    return segment
  }

  async #placeIn(segment: Segment): Promise<Place | undefined> {
    if (this.#place?.segment === segment) return this.#place
    await this.close()
    const file = await this.#open(segment)
    if (file === undefined) return undefined
    const { seed, readAheadBytes } = this.#log
    const { firstLsn: lsn, chain } = segment
    const start = { seed, position: SEGMENT_HEADER_BYTES, lsn, chain, readAheadBytes }
    this.#place = { segment, file, scanner: new RecordScanner(file, start) }
    return this.#place
  }

  /** Undefined when the file is gone: released a moment ago, or taken away by somebody. */
  async #open(segment: Segment): Promise<DiskFile | undefined> {
    try {
      return await this.#log.disk.open(segment.path, 'read')
    } catch (error) {
      if (!isMissingFile(error)) throw error
      if (this.#log.isReleased(segment)) return undefined
      const lost = { fromLsn: this.#lsn, toLsn: segment.endLsn - 1 }
      this.#log.reportDamage({ segment: segment.name, ...lost, bytes: 0, reason: 'missing' })
      this.#lsn = segment.endLsn
      return undefined
    }
  }
}

function isMissingFile(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
