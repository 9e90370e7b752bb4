import { join } from 'node:path'
import type { Disk, DiskFile } from '../base/disk.ts'
import { type Group, nextLsnOf } from './group.ts'
import {
  encodeSegmentHeader,
  FORMAT_VERSION,
  SEGMENT_HEADER_BYTES,
  type Segment,
  segmentName,
} from './segment.ts'

export type WriterOptions = {
  disk: Disk
  directory: string
  storeId: string
  /** A segment is closed before it grows past this, unless one group alone is larger. */
  segmentBytes: number
  /** Names of segment files that hold nothing of ours that is committed. */
  leftover: Set<string>
  /** Names of segment files that hold what is not ours. */
  foreign: Set<string>
}

/**
 * Writes groups to the end of the log, one at a time. A group lies in one segment as a whole,
 * so that it fails or holds as a whole.
 *
 * A class, because there is state with an invariant: at most one file is being written, it was
 * begun by this writer, and nothing that was written to it has failed. After a failed write or
 * sync nobody knows what the file holds, so it is never written or synced again.
 */
export class SegmentWriter {
  readonly #options: WriterOptions
  #active: { segment: Segment; file: DiskFile } | undefined
  /** The active segment that is to grow no more. */
  #left: Segment | undefined

  constructor(options: WriterOptions) {
    this.#options = options
  }

  /**
   * Resolves to the segment that holds the group when it is on disk. The caller moves the
   * segment's `endLsn` and `readableBytes` on to what it says is committed.
   */
  async write(group: Group): Promise<Segment> {
    const active = this.#active
    const isLeft = active !== undefined && active.segment === this.#left
    if (!active || isLeft || active.segment.fileBytes + group.bytes > this.#options.segmentBytes) {
      return this.#begin(group)
    }
    const { segment, file } = active
    const position = segment.readableBytes
    // Counted before it is certain: a failed write may have taken the room all the same.
    segment.fileBytes += group.bytes
    await file.write(group.parts, position)
    await file.datasync()
    return segment
  }

  /** The next group begins another segment than this one. */
  leave(segment: Segment): void {
    this.#left = segment
  }

  /** Lets go of the file; the next group begins another. */
  async abandon(): Promise<void> {
    const active = this.#active
    this.#active = undefined
    // What was to be on disk has been synced; an error in closing says nothing new.
    await active?.file.close().catch(() => undefined)
  }

  /** The new segment's name comes to stay when its first group is on disk, and not before. */
  async #begin(group: Group): Promise<Segment> {
    // First of all: should the new file fail, the old one must not grow past its first LSN.
    await this.abandon()
    const { disk, directory, storeId, leftover } = this.#options
    const { firstLsn, chainBefore: chain } = group
    const name = segmentName(firstLsn)
    const path = join(directory, name)
    await this.#clear(name)

    const file = await disk.open(path, 'append')
    leftover.add(name)
    try {
      const header = encodeSegmentHeader({ version: FORMAT_VERSION, storeId, firstLsn, chain })
      await file.write([header, ...group.parts], 0)
      await file.datasync()
      await disk.syncDirectory(directory)
    } catch (error) {
      await file.close().catch(() => undefined)
      // It may have taken the last room there was, and others need some.
      await disk.remove(path).then(
        () => leftover.delete(name),
        () => undefined,
      )
      throw error
    }
    leftover.delete(name)
    const bytes = SEGMENT_HEADER_BYTES + group.bytes
    const endLsn = nextLsnOf(group)
    const sizes = { readableBytes: bytes, fileBytes: bytes }
    const segment: Segment = { name, path, firstLsn, endLsn, chain, ...sizes }
    this.#active = { segment, file }
    return segment
  }

  /** Takes away what an attempt that failed, or a stranger, has left where a segment begins. */
  async #clear(name: string): Promise<void> {
    const { disk, directory, leftover, foreign } = this.#options
    for (const old of leftover) {
      await disk.remove(join(directory, old))
      leftover.delete(old)
    }
    if (foreign.has(name)) {
      await disk.rename(join(directory, name), join(directory, `${name}.foreign`))
      foreign.delete(name)
    }
  }
}
