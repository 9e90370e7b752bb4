import { DIGEST_WORDS } from '../model/batch.ts'
import type { Outcome } from '../model/outcome.ts'
import type { PushDigest } from './push-digest.ts'
import { RowIndex } from './row-index.ts'

/** A sender that repeats a push after its timeout does so within minutes. */
const REMEMBERED_MS = 10 * 60_000
/** Five hundred pushes a second for so long. */
const ANSWERS_MAX = 300_000

/**
 * The answers to committed pushes, by the digest of their bytes. The same bytes from the
 * same sender get the same answer without being read again: of a repeated push only each
 * series' newest sample could be recognised one by one.
 *
 * A class, because the columns are a ring with an index: answers `oldest` to `next` are
 * known, each in the row of its number. Columns and no objects, because the collector would
 * look through all of those again and again.
 */
export class ReplayMemory {
  readonly #answersMax: number
  readonly #digests: Uint32Array
  readonly #sinceMs: Float64Array
  /** Samples, histograms and exemplars written. */
  readonly #written: Uint32Array
  /** What was refused, of the few answers that say so. */
  readonly #refused = new Map<number, { rejectedPoints: number; reason: string }>()
  readonly #index: RowIndex
  #oldest = 0
  #next = 0

  constructor(answersMax = ANSWERS_MAX) {
    this.#answersMax = answersMax
    this.#digests = new Uint32Array(answersMax * DIGEST_WORDS)
    this.#sinceMs = new Float64Array(answersMax)
    this.#written = new Uint32Array(answersMax * 3)
    this.#index = new RowIndex(this.#digests, DIGEST_WORDS, (row) => !this.#isKnown(row))
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
    const row = this.#next % this.#answersMax
    const { samples, histograms, exemplars } = outcome.written
    this.#digests.set(digest, row * DIGEST_WORDS)
    this.#sinceMs[row] = nowMs
    this.#written.set([samples, histograms, exemplars], row * 3)
    if (outcome.kind === 'partial') {
      const { rejectedPoints, reason } = outcome
      this.#refused.set(row, { rejectedPoints, reason })
    }
    this.#next += 1
    this.#index.add(row)
  }

  get size(): number {
    return this.#next - this.#oldest
  }

  #forgetOld(nowMs: number): void {
    while (this.#oldest < this.#next) {
      const row = this.#oldest % this.#answersMax
      if (this.size < this.#answersMax && nowMs - this.#sinceMs[row]! <= REMEMBERED_MS) return
      this.#index.remove(row)
      this.#digests.fill(0, row * DIGEST_WORDS, (row + 1) * DIGEST_WORDS)
      this.#refused.delete(row)
      this.#oldest += 1
    }
  }

  #isKnown(row: number): boolean {
    const first = this.#oldest % this.#answersMax
    return (row - first + this.#answersMax) % this.#answersMax < this.size
  }
}
