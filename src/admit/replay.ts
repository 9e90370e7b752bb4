import { DIGEST_WORDS } from '../model/batch.ts'
import type { Outcome } from '../model/outcome.ts'
import type { PushDigest } from './push-digest.ts'
import { RowIndex } from './row-index.ts'

/** A sender that repeats a push after its timeout does so within minutes. */
const REMEMBERED_MS = 10 * 60_000
/** Five hundred pushes a second for so long. */
const ANSWERS_MAX = 300_000
/** Of one answer in all columns. */
const ANSWER_BYTES = DIGEST_WORDS * 4 + 8 + 3 * 4 + 4
/** What stands for its time in a row that holds no answer. */
const FREE = -1

/**
 * The answers to committed pushes, by the digest of their bytes. The same bytes from the
 * same sender get the same answer without being read again: of a repeated push only each
 * series' newest sample could be recognised one by one.
 *
 * A class, because columns, index and the queue of rows must agree. Columns and no objects,
 * because the collector would look through all of those again and again; and rows that are used
 * again at once, so that no more memory is touched than ten minutes of pushes take.
 */
export class ReplayMemory {
  readonly #answersMax: number
  readonly #digests: Uint32Array
  readonly #sinceMs: Float64Array
  /** Samples, histograms and exemplars written. */
  readonly #written: Uint32Array
  /** The row, counted from 1, of the answer after this one, or of the next one that is free. */
  readonly #behind: Uint32Array
  /** What was refused, of the few answers that say so. */
  readonly #refused = new Map<number, { rejectedPoints: number; reason: string }>()
  readonly #index: RowIndex
  #oldest = 0
  #newest = 0
  #free = 0
  #rowsUsed = 0
  #size = 0

  constructor(answersMax = ANSWERS_MAX) {
    this.#answersMax = answersMax
    this.#digests = new Uint32Array(answersMax * DIGEST_WORDS)
    this.#sinceMs = new Float64Array(answersMax)
    this.#written = new Uint32Array(answersMax * 3)
    this.#behind = new Uint32Array(answersMax)
    this.#index = new RowIndex(this.#digests, DIGEST_WORDS, (row) => this.#sinceMs[row] === FREE)
  }

  find(digest: PushDigest, nowMs: number): Outcome | undefined {
    const row = this.#index.find(digest, 0)
    if (row < 0 || nowMs - this.#sinceMs[row]! > REMEMBERED_MS) return undefined
    const [samples, histograms, exemplars] = this.#written.subarray(row * 3, row * 3 + 3)
    const written = { samples: samples!, histograms: histograms!, exemplars: exemplars! }
    const refused = this.#refused.get(row)
    return refused === undefined
      ? { kind: 'accepted', written }
      : { kind: 'partial', written, ...refused }
  }

  /** Only for pushes whose good part is on disk. Times are monotonic milliseconds. */
  remember(digest: PushDigest, outcome: Outcome, nowMs: number): void {
    if (outcome.kind !== 'accepted' && outcome.kind !== 'partial') return
    this.#forgetOld(nowMs)
    // The same push twice at once: the first one's answer stays.
    if (this.#index.find(digest, 0) >= 0) return
    const row = this.#takeRow()
    const { samples, histograms, exemplars } = outcome.written
    this.#digests.set(digest, row * DIGEST_WORDS)
    this.#sinceMs[row] = nowMs
    this.#written.set([samples, histograms, exemplars], row * 3)
    if (outcome.kind === 'partial') {
      const { rejectedPoints, reason } = outcome
      this.#refused.set(row, { rejectedPoints, reason })
    }
    this.#index.add(row)
  }

  get size(): number {
    return this.#size
  }

  /** Of rows that were ever used; the others take no memory. */
  get bytes(): number {
    return this.#rowsUsed * ANSWER_BYTES + this.#index.bytes
  }

  /** A row at the end of the queue. */
  #takeRow(): number {
    let row = this.#free - 1
    if (row < 0) row = this.#rowsUsed++
    else this.#free = this.#behind[row]!
    this.#behind[row] = 0
    if (this.#size === 0) this.#oldest = row
    else this.#behind[this.#newest] = row + 1
    this.#newest = row
    this.#size += 1
    return row
  }

  #forgetOld(nowMs: number): void {
    while (this.#size > 0) {
      const row = this.#oldest
      if (this.#size < this.#answersMax && nowMs - this.#sinceMs[row]! <= REMEMBERED_MS) return
      this.#index.remove(row)
      this.#digests.fill(0, row * DIGEST_WORDS, (row + 1) * DIGEST_WORDS)
      this.#refused.delete(row)
      this.#oldest = this.#behind[row]! - 1
      this.#behind[row] = this.#free
      this.#free = row + 1
      this.#sinceMs[row] = FREE
      this.#size -= 1
    }
  }
}
