import { assert } from '../base/errors.ts'
import { release } from '../base/memory.ts'
import type { LoggedRecord } from './group.ts'

/** What the newest records may take of memory. */
export const TAIL_BYTES = 4 * 1024 * 1024

/** Of payloads that were given back, for those that are read next. */
export const POOL_BYTES = 8 * 1024 * 1024

/**
 * The newest committed records, as they were written: whoever reads right behind the writer
 * needs neither the disk nor their checksums.
 *
 * A class, because there is state with an invariant: the records are consecutive, and
 * together no larger than the limit.
 */
export class Tail {
  readonly #limitBytes: number
  /** From `oldestLsn` on. */
  readonly #records: LoggedRecord[] = []
  #oldestLsn = 1
  #bytes = 0

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Takes the records of a committed group, numbered from `firstLsn`. */
  add(firstLsn: number, records: readonly LoggedRecord[]): void {
    if (this.#records.length === 0) this.#oldestLsn = firstLsn
    assert(firstLsn === this.#oldestLsn + this.#records.length, 'the log has no gaps')
    for (const record of records) {
      this.#records.push(record)
      this.#bytes += bytesOf(record)
    }
    while (this.#bytes > this.#limitBytes) this.#forgetOldest()
  }

  /** A record by its number, if it is among the newest: good until the next `add`. */
  find(lsn: number): LoggedRecord | undefined {
    return this.#records[lsn - this.#oldestLsn]
  }

  #forgetOldest(): void {
    const oldest = this.#records.shift()!
    this.#bytes -= bytesOf(oldest)
    for (const part of oldest.parts) release(part)
    this.#oldestLsn += 1
  }
}

function bytesOf({ parts }: LoggedRecord): number {
  return parts.reduce((bytes, part) => bytes + part.length, 0)
}
