import { type Counts, noCounts } from './counts.ts'

/** Why an element was refused: a closed list that metrics, answers and documentation share. */
export const REJECT_REASONS = [
  'name-missing',
  'label-invalid',
  'label-duplicate',
  'symbol-out-of-range',
  'histogram-invalid',
  'exemplar-invalid',
  'series-empty',
  'timestamp-invalid',
  'temporality',
  'too-far-ahead',
  'late',
] as const
export type RejectReason = (typeof REJECT_REASONS)[number]

/** Of one reason; `samples` and histograms are among the elements. */
export type RejectedElements = { elements: number; samples: number; example: string }

export type PlainRejections = {
  counts: Counts
  others: number
  points: number
  byReason: [RejectReason, RejectedElements][]
}

/** What a batch lost on its way, counted by reason, each with one example for the answer. */
export class Rejections {
  readonly counts: Counts = noCounts()
  readonly #byReason = new Map<RejectReason, RejectedElements>()
  /** Refused elements that have no count of their own, such as a series of labels alone. */
  #others = 0
  #points = 0
  #lastPoint = 0

  /** `example` names the culprit and the remedy; it is made only for a reason's first element. */
  add(reason: RejectReason, what: Partial<Counts>, example: () => string): void {
    const { samples = 0, histograms = 0, exemplars = 0 } = what
    this.counts.samples += samples
    this.counts.histograms += histograms
    this.counts.exemplars += exemplars
    const elements = samples + histograms + exemplars
    if (elements === 0) this.#others += 1
    const known = this.#byReason.get(reason)
    if (known === undefined) {
      const first = { elements: Math.max(1, elements), samples: samples + histograms }
      this.#byReason.set(reason, { ...first, example: example() })
    } else {
      known.elements += Math.max(1, elements)
      known.samples += samples + histograms
    }
  }

  /** Of OTLP: a point that became several samples is refused once. Those of one are neighbours. */
  addPoint(point: number): void {
    if (point !== this.#lastPoint) this.#points += 1
    this.#lastPoint = point
  }

  /** Data points of OTLP of which something was refused. */
  get points(): number {
    return this.#points
  }

  get isEmpty(): boolean {
    return this.#byReason.size === 0
  }

  get total(): number {
    const { samples, histograms, exemplars } = this.counts
    return samples + histograms + exemplars + this.#others
  }

  *[Symbol.iterator](): Iterator<[RejectReason, RejectedElements]> {
    yield* this.#byReason
  }

  /** All of it as a plain object, for another thread. */
  plain(): PlainRejections {
    return {
      counts: { ...this.counts },
      others: this.#others,
      points: this.#points,
      byReason: [...this.#byReason],
    }
  }

  /** Takes the place of what was here. */
  load({ counts, others, points, byReason }: PlainRejections): void {
    this.clear()
    this.#points = points
    Object.assign(this.counts, counts)
    this.#others = others
    for (const [reason, what] of byReason) this.#byReason.set(reason, what)
  }

  clear(): void {
    this.#byReason.clear()
    this.#others = 0
    this.#points = 0
    this.#lastPoint = 0
    this.counts.samples = 0
    this.counts.histograms = 0
    this.counts.exemplars = 0
  }
}
