import { assert } from '../base/errors.ts'
import { DIGEST_WORDS } from '../model/batch.ts'

/** A row that no series owns has this block number. */
const FREE = -1
/** Slots per row at most: with linear probing a hit then takes about one and a half looks. */
const SLOTS_PER_ROW = 1.5

/** Series unseen for this long are forgotten, or for `IDLE_INTERVALS_MAX` of their own intervals. */
const IDLE_SECONDS_MAX = 600
const IDLE_INTERVALS_MAX = 10

/**
 * What the gateway remembers of every active series: one row each, in columns.
 *
 * ```text
 *   identity ── word 3 ──▶ slots (row + 1, 0 = empty, linear probing) ──▶ row
 *
 *   row   identity  newest   bits     block    seen   interval
 *         16 B      8 B      8 B      8 B      4 B    2 B
 * ```
 *
 * Rows never move, so others may hold a row's number for as long as the series lives.
 * All columns are reserved for `rowsMax` at the start: the system hands out their pages
 * when they are first touched, so an unused row costs no memory and growing costs no pause.
 *
 * A class, because slots and rows must agree: a row is owned exactly when one slot leads
 * to it.
 */
export class SeriesTable {
  readonly rowsMax: number
  /** Newest timestamp that was accepted, Unix milliseconds. */
  readonly newestMs: Float64Array
  /** Bits of the newest value, low and high word; for a histogram the digest of its content. */
  readonly newestBits: Uint32Array
  /** Number of the last block that carried the series. */
  readonly block: Float64Array
  /** When the series was last seen, in monotonic seconds. */
  readonly seenSeconds: Uint32Array
  /** Distance of its last two samples. */
  readonly intervalSeconds: Uint16Array
  /** Newest exemplar that was accepted, and a digest of it. Pages of these are used by few series. */
  readonly exemplarMs: Float64Array
  readonly exemplarDigest: Uint32Array
  /** Place of its family in the metadata memory, and the epoch in which it was looked up. */
  readonly metadata: Uint32Array
  readonly metadataEpoch: Uint32Array

  readonly #identity: Uint32Array
  readonly #slots: Uint32Array
  readonly #mask: number
  #rowsUsed = 0
  #freeRow = 0
  #live = 0
  #sweepRow = 0

  constructor(rowsMax: number) {
    assert(rowsMax > 0 && rowsMax < 2 ** 30, 'row numbers fit 30 bits')
    this.rowsMax = rowsMax
    this.newestMs = new Float64Array(rowsMax)
    this.newestBits = new Uint32Array(rowsMax * 2)
    this.block = new Float64Array(rowsMax)
    this.seenSeconds = new Uint32Array(rowsMax)
    this.intervalSeconds = new Uint16Array(rowsMax)
    this.exemplarMs = new Float64Array(rowsMax)
    this.exemplarDigest = new Uint32Array(rowsMax)
    this.metadata = new Uint32Array(rowsMax)
    this.metadataEpoch = new Uint32Array(rowsMax)
    this.#identity = new Uint32Array(rowsMax * DIGEST_WORDS)
    const slots = 2 ** Math.ceil(Math.log2(rowsMax * SLOTS_PER_ROW))
    this.#slots = new Uint32Array(slots)
    this.#mask = slots - 1
  }

  /** Number of series that own a row. */
  get live(): number {
    return this.#live
  }

  /** The row of the series whose identity stands at `identity[at]`, or -1. */
  find(identity: Uint32Array, at: number): number {
    const slots = this.#slots
    const mask = this.#mask
    for (let slot = identity[at + 3]! & mask; ; slot = (slot + 1) & mask) {
      const row = slots[slot]! - 1
      if (row < 0 || this.#isRowOf(row, identity, at)) return row
    }
  }

  /** Gives a series a row of its own, all columns 0, or -1 when the table is full. Not looked up before: see `find`. */
  insert(identity: Uint32Array, at: number): number {
    const row = this.#takeRow()
    if (row < 0) return -1
    this.#identity.set(identity.subarray(at, at + DIGEST_WORDS), row * DIGEST_WORDS)
    const slots = this.#slots
    const mask = this.#mask
    let slot = identity[at + 3]! & mask
    while (slots[slot] !== 0) slot = (slot + 1) & mask
    slots[slot] = row + 1
    this.#live += 1
    return row
  }

  /** Forgets the series that owns `row`. */
  remove(row: number): void {
    assert(this.block[row] !== FREE, 'a row is given back once')
    const slots = this.#slots
    const mask = this.#mask
    let hole = this.#home(row)
    while (slots[hole] !== row + 1) hole = (hole + 1) & mask
    // Rows behind the hole move up unless that would put them before their home, so that
    // probing never has to step over a grave.
    for (let slot = (hole + 1) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const distance = (slot - this.#home(slots[slot]! - 1)) & mask
      if (distance < ((slot - hole) & mask)) continue
      slots[hole] = slots[slot]!
      hole = slot
    }
    slots[hole] = 0
    this.block[row] = FREE
    this.#identity[row * DIGEST_WORDS] = this.#freeRow
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
      if (this.block[row] === FREE) continue
      const idleSeconds = nowSeconds - this.seenSeconds[row]!
      const patience = IDLE_INTERVALS_MAX * this.intervalSeconds[row]!
      if (idleSeconds <= Math.max(IDLE_SECONDS_MAX, patience)) continue
      fence = Math.max(fence, this.block[row]!)
      this.remove(row)
    }
    return fence
  }

  /** Rows that a whole round of `sweep` has to look at. */
  get rowsUsed(): number {
    return this.#rowsUsed
  }

  #takeRow(): number {
    if (this.#freeRow === 0) return this.#rowsUsed < this.rowsMax ? this.#rowsUsed++ : -1
    const row = this.#freeRow - 1
    this.#freeRow = this.#identity[row * DIGEST_WORDS]!
    this.newestMs[row] = 0
    this.newestBits[row * 2] = 0
    this.newestBits[row * 2 + 1] = 0
    this.block[row] = 0
    this.intervalSeconds[row] = 0
    // A column that nobody wrote keeps its pages unused.
    if (this.exemplarMs[row] !== 0) this.exemplarMs[row] = 0
    if (this.metadataEpoch[row] !== 0) this.metadataEpoch[row] = 0
    return row
  }

  #home(row: number): number {
    return this.#identity[row * DIGEST_WORDS + 3]! & this.#mask
  }

  #isRowOf(row: number, identity: Uint32Array, at: number): boolean {
    const own = this.#identity
    const start = row * DIGEST_WORDS
    return (
      own[start] === identity[at] &&
      own[start + 1] === identity[at + 1] &&
      own[start + 2] === identity[at + 2] &&
      own[start + 3] === identity[at + 3]
    )
  }
}
