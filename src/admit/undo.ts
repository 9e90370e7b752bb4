import {
  BLOCK,
  EXEMPLAR_MS,
  NEWEST_BITS,
  NEWEST_MS,
  ROW_DOUBLES,
  ROW_WORDS,
  type SeriesTable,
} from './series-table.ts'

/** One entry after the other. */
export type UndoColumns = {
  readonly row: Uint32Array
  readonly newestMs: Float64Array
  /** Two words each. */
  readonly bits: Uint32Array
  /** Block number before; -1 when the row did not exist. */
  readonly block: Float64Array
}

function columnsFor(entries: number): UndoColumns {
  return {
    row: new Uint32Array(entries),
    newestMs: new Float64Array(entries),
    bits: new Uint32Array(entries * 2),
    block: new Float64Array(entries),
  }
}

/**
 * What rows looked like before blocks that are not on disk yet, oldest first, so that a
 * failed commit can be forgotten: a sender's retry must not look like a duplicate of
 * something that was lost.
 *
 * One entry per row and block: what a block changes twice is restored once.
 */
export class UndoLog {
  readonly #table: SeriesTable
  #columns = columnsFor(4_096)
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

  /**
   * Makes room for `entries` in the columns, and returns where they begin: whoever asks writes them
   * there, and says with `close` where they end.
   */
  reserve(entries: number): number {
    while (this.#end + entries > this.#columns.row.length) this.#grow()
    return this.#end
  }

  /** Good until the next `reserve` or `record`. */
  get columns(): UndoColumns {
    return this.#columns
  }

  close(end: number): void {
    this.#end = end
  }

  /** Call before the block changes `row` for the first time. */
  record(row: number, isNew: boolean): void {
    const at = this.reserve(1)
    const columns = this.#columns
    const { words, doubles } = this.#table
    columns.row[at] = row
    columns.newestMs[at] = doubles[row * ROW_DOUBLES + NEWEST_MS]!
    columns.bits[at * 2] = words[row * ROW_WORDS + NEWEST_BITS]!
    columns.bits[at * 2 + 1] = words[row * ROW_WORDS + NEWEST_BITS + 1]!
    columns.block[at] = isNew ? -1 : doubles[row * ROW_DOUBLES + BLOCK]!
    this.close(at + 1)
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
    const columns = this.#columns
    while (this.#end > this.#start) {
      const at = --this.#end
      const row = columns.row[at]!
      if (columns.block[at] === -1) {
        this.#table.remove(row)
        continue
      }
      doubles[row * ROW_DOUBLES + NEWEST_MS] = columns.newestMs[at]!
      words[row * ROW_WORDS + NEWEST_BITS] = columns.bits[at * 2]!
      words[row * ROW_WORDS + NEWEST_BITS + 1] = columns.bits[at * 2 + 1]!
      doubles[row * ROW_DOUBLES + BLOCK] = columns.block[at]!
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
    const { row, newestMs, bits, block } = this.#columns
    const start = this.#start
    // Where half of them are forgotten there is room in front.
    const isRoomInFront = start > row.length / 2
    const columns = isRoomInFront ? this.#columns : columnsFor(row.length * 2)
    columns.row.set(row.subarray(start, this.#end))
    columns.newestMs.set(newestMs.subarray(start, this.#end))
    columns.bits.set(bits.subarray(start * 2, this.#end * 2))
    columns.block.set(block.subarray(start, this.#end))
    this.#columns = columns
    this.#start = 0
    this.#end -= start
    for (const mark of this.#marks) mark.from -= start
  }
}
