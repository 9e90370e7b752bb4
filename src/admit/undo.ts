import { grown } from '../model/batch.ts'
import {
  BLOCK,
  EXEMPLAR_MS,
  NEWEST_BITS,
  NEWEST_MS,
  ROW_DOUBLES,
  ROW_WORDS,
  type SeriesTable,
} from './series-table.ts'

/**
 * What rows looked like before blocks that are not on disk yet, oldest first, so that a
 * failed commit can be forgotten: a sender's retry must not look like a duplicate of
 * something that was lost.
 *
 * One entry per row and block: what a block changes twice is restored once.
 */
export class UndoLog {
  readonly #table: SeriesTable
  #row = new Uint32Array(4096)
  #newestMs = new Float64Array(4096)
  #bits = new Uint32Array(4096 * 2)
  /** Block number before; -1 when the row did not exist. */
  #block = new Float64Array(4096)
  #start = 0
  #end = 0
  /**
   * Where the entries of each block begin, oldest first. So forgetting takes a step per block: a
   * loop over entries, entered once per commit, was never compiled for good.
   */
  #marks: { block: number; from: number }[] = []

  constructor(table: SeriesTable) {
    this.#table = table
  }

  /** What is recorded from now on is changed by `block`; blocks come in rising order. */
  begin(block: number): void {
    if (this.#marks.at(-1)?.block === block) return
    this.#marks.push({ block, from: this.#end })
  }

  /** Call before the block changes `row` for the first time. */
  record(row: number, isNew: boolean): void {
    if (this.#end >= this.#row.length) this.#grow()
    const at = this.#end++
    const { words, doubles } = this.#table
    this.#row[at] = row
    this.#newestMs[at] = doubles[row * ROW_DOUBLES + NEWEST_MS]!
    this.#bits[at * 2] = words[row * ROW_WORDS + NEWEST_BITS]!
    this.#bits[at * 2 + 1] = words[row * ROW_WORDS + NEWEST_BITS + 1]!
    this.#block[at] = isNew ? -1 : doubles[row * ROW_DOUBLES + BLOCK]!
  }

  /** Blocks up to `block` are on disk: what they changed stays. */
  forget(block: number): void {
    this.#marks = this.#marks.filter((mark) => mark.block > block)
    const [first] = this.#marks
    if (first === undefined) this.#clear()
    else this.#start = first.from
  }

  /** Restores every row that a block not on disk has changed, the newest change first. */
  undo(): void {
    const { words, doubles } = this.#table
    while (this.#end > this.#start) {
      const at = --this.#end
      const row = this.#row[at]!
      if (this.#block[at] === -1) {
        this.#table.remove(row)
        continue
      }
      doubles[row * ROW_DOUBLES + NEWEST_MS] = this.#newestMs[at]!
      words[row * ROW_WORDS + NEWEST_BITS] = this.#bits[at * 2]!
      words[row * ROW_WORDS + NEWEST_BITS + 1] = this.#bits[at * 2 + 1]!
      doubles[row * ROW_DOUBLES + BLOCK] = this.#block[at]!
      // Rather an exemplar twice than one lost.
      doubles[row * ROW_DOUBLES + EXEMPLAR_MS] = 0
    }
    this.#clear()
  }

  /** Entries that wait for their block; for tests and metrics. */
  get size(): number {
    return this.#end - this.#start
  }

  #clear(): void {
    this.#marks = []
    this.#start = 0
    this.#end = 0
  }

  #grow(): void {
    const { length } = this.#row
    if (this.#start > length / 2) {
      this.#shift()
      return
    }
    this.#row = grown(this.#row, length + 1)
    this.#newestMs = grown(this.#newestMs, length + 1)
    this.#bits = grown(this.#bits, this.#row.length * 2)
    this.#block = grown(this.#block, length + 1)
  }

  /** Moves the entries that still wait to the front. */
  #shift(): void {
    const start = this.#start
    this.#row.copyWithin(0, start)
    this.#newestMs.copyWithin(0, start)
    this.#bits.copyWithin(0, start * 2)
    this.#block.copyWithin(0, start)
    this.#start = 0
    this.#end -= start
    for (const mark of this.#marks) mark.from -= start
  }
}
