import type { Batch } from '../model/batch.ts'
import type { Judgement } from '../model/judgement.ts'

/** The exemplars of a batch by the series that carry them, in their order; most have none. */
export class ExemplarList {
  readonly #first = new Map<number, number>()
  readonly #next = new Map<number, number>()

  /** Lists those that `judgement` found a carrier for. */
  fill(batch: Batch, judgement: Judgement): void {
    this.#first.clear()
    this.#next.clear()
    for (let i = batch.exemplarCount - 1; i >= 0; i--) {
      const carrier = judgement.exemplarCarrier[i]!
      if (carrier < 0) continue
      const first = this.#first.get(carrier)
      if (first !== undefined) this.#next.set(i, first)
      this.#first.set(carrier, i)
    }
  }

  /** The first exemplar that `series` carries, or -1. */
  first(series: number): number {
    return this.#first.get(series) ?? -1
  }

  /** The one that the same series carries after `exemplar`, or -1. */
  after(exemplar: number): number {
    return this.#next.get(exemplar) ?? -1
  }
}
