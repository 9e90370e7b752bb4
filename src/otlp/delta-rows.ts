import { RowIndex } from '../admit/row-index.ts'
import { DIGEST_WORDS } from '../model/batch.ts'
import { costOf, type HistogramSum } from './histogram-sum.ts'

/** `timeMs` of a row that no series owns. */
const FREE = -1
/** A full round over the rows takes this many sweeps. */
const SWEEPS_PER_ROUND = 60

/** What rows were like before one push, oldest first; it stands or falls with `block`. */
type Change = {
  block: number
  seconds: number
  rows: number[]
  values: number[]
  startsMs: number[]
  /** FREE when there was no row. */
  timesMs: number[]
  /** When the rows were changed before that. */
  secondsBefore: number[]
  histograms: (HistogramSum | null)[]
}

/**
 * The sums of series whose senders tell differences, a row each.
 *
 * A class, because index, rows and changes must agree: what a push changed is remembered until
 * `forget` says that its block is on disk, and is as it was after `undo`.
 */
export class DeltaRows {
  /** Of a float series. */
  readonly value: Float64Array
  /** Where the sum begins, Unix milliseconds; 0 when nobody said. */
  readonly startMs: Float64Array
  /** Up to where it goes. */
  readonly timeMs: Float64Array
  /** Of a series of native histograms. */
  readonly histogram: (HistogramSum | null)[] = []

  readonly #rowsMax: number
  readonly #identity: Uint32Array
  /** When it was last changed, in monotonic seconds. */
  readonly #seconds: Uint32Array
  readonly #index: RowIndex
  readonly #free: number[] = []
  #rowsUsed = 0
  #sweepRow = 0
  #live = 0
  /** What histograms take beyond their rows, in rows. */
  #extra = 0
  #changes: Change[] = []
  #change: Change | null = null

  constructor(rowsMax: number) {
    this.#rowsMax = rowsMax
    this.value = new Float64Array(rowsMax)
    this.startMs = new Float64Array(rowsMax)
    this.timeMs = new Float64Array(rowsMax)
    this.#identity = new Uint32Array(rowsMax * DIGEST_WORDS)
    this.#seconds = new Uint32Array(rowsMax)
    const isFree = (row: number) => this.timeMs[row] === FREE
    this.#index = new RowIndex(this.#identity, DIGEST_WORDS, isFree)
  }

  /** Series that have a sum. */
  get live(): number {
    return this.#live
  }

  /** Rows that are taken, with what histograms take beyond theirs. */
  get held(): number {
    return this.#live + this.#extra
  }

  hasRoom(rows: number): boolean {
    return this.held + rows <= this.#rowsMax
  }

  /** The row of the series whose identity stands at `identity[at]`, or -1. */
  find(identity: Uint32Array, at: number): number {
    return this.#index.find(identity, at)
  }

  /** What changes from now on is of one push. */
  begin(nowSeconds: number): void {
    const columns = {
      rows: [],
      values: [],
      startsMs: [],
      timesMs: [],
      secondsBefore: [],
      histograms: [],
    }
    this.#change = { block: 0, seconds: nowSeconds, ...columns }
  }

  /** Gives a series a row, which is to be `set` at once. There has to be room. */
  insert(identity: Uint32Array, at: number): number {
    const row = this.#free.pop() ?? this.#rowsUsed++
    for (let i = 0; i < DIGEST_WORDS; i++) {
      this.#identity[row * DIGEST_WORDS + i] = identity[at + i]!
    }
    this.timeMs[row] = FREE
    this.#index.add(row)
    this.#live += 1
    return row
  }

  set(
    row: number,
    value: number,
    startMs: number,
    timeMs: number,
    histogram: HistogramSum | null = null,
  ): void {
    const change = this.#change!
    change.rows.push(row)
    change.values.push(this.value[row]!)
    change.startsMs.push(this.startMs[row]!)
    change.timesMs.push(this.timeMs[row]!)
    change.secondsBefore.push(this.#seconds[row]!)
    change.histograms.push(this.histogram[row] ?? null)
    this.#seconds[row] = change.seconds
    this.#put(row, value, startMs, timeMs, histogram)
  }

  #put(
    row: number,
    value: number,
    startMs: number,
    timeMs: number,
    histogram: HistogramSum | null,
  ): void {
    this.value[row] = value
    this.startMs[row] = startMs
    this.timeMs[row] = timeMs
    this.#extra += costOf(histogram) - costOf(this.histogram[row] ?? null)
    this.histogram[row] = histogram
  }

  #remove(row: number): void {
    this.#index.remove(row)
    this.#identity.fill(0, row * DIGEST_WORDS, (row + 1) * DIGEST_WORDS)
    this.#put(row, 0, 0, FREE, null)
    this.#free.push(row)
    this.#live -= 1
  }

  /** What changed since `begin` is in blocks up to `block`. */
  settle(block: number): void {
    const change = this.#change
    this.#change = null
    if (change === null || change.rows.length === 0) return
    change.block = block
    this.#changes.push(change)
  }

  /** Blocks up to `block` are on disk: what they changed stays. */
  forget(block: number): void {
    let onDisk = 0
    while (onDisk < this.#changes.length && this.#changes[onDisk]!.block <= block) onDisk += 1
    if (onDisk > 0) this.#changes.splice(0, onDisk)
  }

  /** No block that is not on disk yet will ever be. */
  undo(): void {
    for (const change of this.#changes.splice(0).reverse()) {
      for (let i = change.rows.length - 1; i >= 0; i--) {
        const row = change.rows[i]!
        const timeMs = change.timesMs[i]!
        this.#seconds[row] = change.secondsBefore[i]!
        if (timeMs === FREE) this.#remove(row)
        else this.#put(row, change.values[i]!, change.startsMs[i]!, timeMs, change.histograms[i]!)
      }
    }
  }

  /** To be called once a second: forgets sums that nothing was added to for `staleSeconds`. */
  sweep(nowSeconds: number, staleSeconds: number): void {
    // What may still be undone stays: it was not idle when its push came.
    const seconds = Math.min(nowSeconds, this.#changes[0]?.seconds ?? nowSeconds)
    for (let i = Math.ceil(this.#rowsUsed / SWEEPS_PER_ROUND); i > 0; i--) {
      const row = this.#sweepRow
      this.#sweepRow = row + 1 < this.#rowsUsed ? row + 1 : 0
      if (this.timeMs[row] === FREE) continue
      if (seconds - this.#seconds[row]! > staleSeconds) this.#remove(row)
    }
  }
}
