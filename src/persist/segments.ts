import type { Disk } from '../base/disk.ts'
import type { Segment } from './segment.ts'

/**
 * The segments with committed records, oldest first.
 *
 * A class, because there is state with an invariant: what is released is out of the list before
 * its file is gone, so no reader opens it any more, and the last segment is never released,
 * because it keeps the count.
 */
export class Segments {
  readonly #disk: Disk
  readonly #directory: string
  readonly #segments: Segment[]
  #releasing: Promise<void> = Promise.resolve()

  constructor(disk: Disk, directory: string, segments: Segment[]) {
    this.#disk = disk
    this.#directory = directory
    this.#segments = segments
  }

  get oldest(): Segment | undefined {
    return this.#segments[0]
  }

  get second(): Segment | undefined {
    return this.#segments[1]
  }

  get last(): Segment | undefined {
    return this.#segments.at(-1)
  }

  /** What they take of the disk. */
  get sizeBytes(): number {
    return this.#segments.reduce((bytes, segment) => bytes + segment.fileBytes, 0)
  }

  add(segment: Segment): void {
    this.#segments.push(segment)
  }

  /** The one that holds `lsn`, the oldest one when that is released, or none at all. */
  at(lsn: number): Segment | undefined {
    return this.#segments.findLast(({ firstLsn }) => firstLsn <= lsn) ?? this.oldest
  }

  /** What those take that hold nothing but records below `lsn`. */
  bytesBelow(lsn: number): number {
    let bytes = 0
    for (let i = 1; i < this.#segments.length && this.#segments[i]!.firstLsn <= lsn; i++) {
      bytes += this.#segments[i - 1]!.fileBytes
    }
    return bytes
  }

  /**
   * Deletes those that hold nothing but records below `lsn`, the oldest first, until such take
   * no more than `keptBytes`. Rejects when the disk refuses.
   */
  release(lsn: number, keptBytes: number): Promise<void> {
    const released = this.#releasing.then(() => this.#release(lsn, keptBytes))
    this.#releasing = released.catch(() => undefined)
    return released
  }

  /** Resolves when nothing is being deleted. */
  idle(): Promise<void> {
    return this.#releasing
  }

  async #release(lsn: number, keptBytes: number): Promise<void> {
    while (this.bytesBelow(lsn) > keptBytes) {
      const oldest = this.#segments.shift()!
      try {
        await this.#disk.remove(oldest.path)
      } catch (error) {
        this.#segments.unshift(oldest)
        throw error
      }
      // One by one, so that a power cut cannot leave a hole in the middle.
      await this.#disk.syncDirectory(this.#directory)
    }
  }
}
