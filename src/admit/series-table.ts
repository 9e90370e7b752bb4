import { assert } from '../base/errors.ts'
import { DIGEST_WORDS } from '../model/batch.ts'
import { RowIndex } from './row-index.ts'

/** A row that no series owns has this block number. */
const FREE = -1

/** Series unseen for so long are forgotten, or for `IDLE_INTERVALS_MAX` of their own intervals. */
const IDLE_SECONDS_MAX = 600
const IDLE_INTERVALS_MAX = 10

/** A row is one cache line: `words[row * ROW_WORDS + …]`, `doubles[row * ROW_DOUBLES + …]`. */
export const ROW_WORDS = 16
export const ROW_DOUBLES = 8
const ROW_BYTES = 64
/** Of the digest of the newest exemplar, and of the way to the next row. */
const COLUMN_BYTES = 4 + 4

/** Double: newest timestamp that was accepted, Unix milliseconds. */
export const NEWEST_MS = 2
/** Two words: bits of the newest value, low and high; for a histogram the digest of its content. */
export const NEWEST_BITS = 6
/** Double: number of the last block that carried the series. */
export const BLOCK = 4
/** Word: when the series was last seen, in monotonic seconds. */
export const SEEN_SECONDS = 10
/** Word: distance of its last two samples, as far as it matters. */
export const INTERVAL_SECONDS = 11
export const INTERVAL_SECONDS_MAX = 65_535
/** Double: timestamp of the newest exemplar that was accepted. */
export const EXEMPLAR_MS = 6
/** Word: place of its family in the metadata memory, and the epoch in which it was looked up. */
export const FAMILY = 14
export const FAMILY_EPOCH = 15

/**
 * What the gateway remembers of every active series: one row of 64 bytes each.
 *
 * ```text
 *   identity ── word 3 ──▶ index ──▶ row
 *
 *   byte  0          16        24     32     40      44        48        56      60    64
 *         │ identity │ newest  │ bits │ block│ seen  │ interval│ exemplar│ family│ epoch│
 *         │ 4 words  │ ms      │ 2 w  │      │ s     │ s       │ ms      │       │      │
 * ```
 *
 * A sender brings its series in the same order each time: so each row knows which one came after
 * it the last time, and nearly always that is the one again. At first it is the row behind it, as
 * rows are handed out in the order in which series appear.
 *
 * Rows never move, so others may hold a row's number for as long as the series lives.
 * All are reserved for `rowsMax` at the start: the system hands out pages when they are
 * first touched, so an unused row costs no memory and growing costs no pause.
 *
 * A class, because index and rows must agree: a row is owned exactly when the index leads to
 * it.
 */
export class SeriesTable {
  readonly rowsMax: number
  /** The rows, seen as words and as doubles. */
  readonly words: Uint32Array
  readonly doubles: Float64Array
  /** Digest of the newest exemplar per row: a column of its own, for few series have one. */
  readonly exemplarDigest: Uint32Array
  /** How many rows lie between a row and the one that comes after it; negative on the way back. */
  readonly skips: Int32Array

  readonly #index: RowIndex
  #rowsUsed = 0
  #freeRow = 0
  #live = 0
  #sweepRow = 0

  constructor(rowsMax: number) {
    assert(rowsMax > 0 && rowsMax < 2 ** 30, 'row numbers fit 30 bits')
    this.rowsMax = rowsMax
    const rows = new ArrayBuffer(rowsMax * ROW_BYTES)
    this.words = new Uint32Array(rows)
    this.doubles = new Float64Array(rows)
    this.exemplarDigest = new Uint32Array(rowsMax)
    this.skips = new Int32Array(rowsMax)
    const isFree = (row: number) => this.doubles[row * ROW_DOUBLES + BLOCK] === FREE
    this.#index = new RowIndex(this.words, ROW_WORDS, isFree)
  }

  /** Number of series that own a row. */
  get live(): number {
    return this.#live
  }

  /** Of rows that were ever used; the others take no memory. */
  get bytes(): number {
    return this.#rowsUsed * (ROW_BYTES + COLUMN_BYTES) + this.#index.bytes
  }

  /** The row of the series whose identity stands at `identity[at]`, or -1. */
  find(identity: Uint32Array, at: number): number {
    return this.#index.find(identity, at)
  }

  /** The same, of a series that comes after that of the row `before`, which may be -1. */
  findAfter(before: number, identity: Uint32Array, at: number): number {
    const guess = before < 0 ? 0 : before + 1 + this.skips[before]!
    if (guess < this.#rowsUsed && this.#index.isRowOf(guess, identity, at)) return guess
    const row = this.#index.find(identity, at)
    this.#learn(before, row)
    return row
  }

  /**
   * Gives a series a row of its own, all else in it 0, or -1 when the table is full. Not looked
   * up before: see `find`. It comes after that of the row `before`, which may be -1.
   */
  insert(identity: Uint32Array, at: number, before = -1): number {
    const row = this.#takeRow()
    if (row < 0) return -1
    this.#learn(before, row)
    for (let i = 0; i < DIGEST_WORDS; i++) this.words[row * ROW_WORDS + i] = identity[at + i]!
    this.#index.add(row)
    this.#live += 1
    return row
  }

  /** Forgets the series that owns `row`. */
  remove(row: number): void {
    assert(this.doubles[row * ROW_DOUBLES + BLOCK] !== FREE, 'a row is given back once')
    this.#index.remove(row)
    // No identity is all zero but for its first word, so no guess takes the row for its own.
    this.words.fill(0, row * ROW_WORDS, (row + 1) * ROW_WORDS)
    this.words[row * ROW_WORDS] = this.#freeRow
    this.doubles[row * ROW_DOUBLES + BLOCK] = FREE
    this.#freeRow = row + 1
    this.#live -= 1
  }

  /**
   * Looks at the next `rows` rows, round and round, and forgets the series among them that
   * have been idle too long. Returns the largest block number that any of them was last
   * carried by: whoever comes back must wait for that block.
   */
  sweep(rows: number, nowSeconds: number): number {
    let fence = 0
    for (let i = Math.min(rows, this.#rowsUsed); i > 0; i--) {
      const row = this.#sweepRow
      this.#sweepRow = row + 1 < this.#rowsUsed ? row + 1 : 0
      const block = this.doubles[row * ROW_DOUBLES + BLOCK]!
      if (block === FREE) continue
      const idleSeconds = nowSeconds - this.words[row * ROW_WORDS + SEEN_SECONDS]!
      const patience = IDLE_INTERVALS_MAX * this.words[row * ROW_WORDS + INTERVAL_SECONDS]!
      if (idleSeconds <= Math.max(IDLE_SECONDS_MAX, patience)) continue
      fence = Math.max(fence, block)
      this.remove(row)
    }
    return fence
  }

  /** Rows that a whole round of `sweep` has to look at. */
  get rowsUsed(): number {
    return this.#rowsUsed
  }

  #learn(before: number, row: number): void {
    if (before >= 0 && row >= 0) this.skips[before] = row - before - 1
  }

  #takeRow(): number {
    if (this.#freeRow === 0) return this.#rowsUsed < this.rowsMax ? this.#rowsUsed++ : -1
    const row = this.#freeRow - 1
    this.#freeRow = this.words[row * ROW_WORDS]!
    this.doubles[row * ROW_DOUBLES + BLOCK] = 0
    return row
  }
}
