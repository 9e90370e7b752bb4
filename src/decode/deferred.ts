import { grown } from '../model/batch.ts'

/** Ranges of the body that are decoded once the series' labels are known to be good. */
export class Deferred {
  count = 0
  bounds = new Uint32Array(32)

  push(from: number, to: number): void {
    this.bounds = grown(this.bounds, (this.count + 1) * 2)
    this.bounds[this.count * 2] = from
    this.bounds[this.count * 2 + 1] = to
    this.count += 1
  }
}
