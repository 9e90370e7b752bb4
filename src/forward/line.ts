import type { Block } from '../model/block.ts'
import { samplesOf } from '../model/counts.ts'

/** A block of fewer samples goes out together with others: a request costs more than it does. */
const SMALL_SAMPLES = 1_000
const MERGED_SAMPLES_MAX = 10_000
const MERGED_BYTES_MAX = 8 * 1024 * 1024

/** A block between log and acknowledgement. */
export type Ahead = { readonly block: Block; isInFlight: boolean }

/**
 * Blocks of one cluster in the order of the log: the first one is the oldest that the
 * destination does not have.
 *
 * A class, because there is state with an invariant: a block may go only when every block
 * before it up to its fence has left the line.
 */
export class Line {
  readonly #ahead: Ahead[] = []
  bytes = 0
  samples = 0

  get blocks(): number {
    return this.#ahead.length
  }

  get oldest(): Block | undefined {
    return this.#ahead[0]?.block
  }

  add(block: Block): void {
    this.#ahead.push({ block, isInFlight: false })
    this.bytes += block.message.length
    this.samples += samplesOf(block.counts)
  }

  get isDue(): boolean {
    return this.#ahead.some((one) => this.#mayGo(one))
  }

  /** The first block that may go, and when it is small those small ones behind it that may too. */
  nextGroup(): Ahead[] {
    const start = this.#ahead.findIndex((one) => this.#mayGo(one))
    if (start < 0) return []
    const first = this.#ahead[start]!
    const group = [first]
    if (!isSmall(first.block)) return group
    let samples = samplesOf(first.block.counts)
    let rawBytes = first.block.rawBytes
    for (let i = start + 1; i < this.#ahead.length; i++) {
      const next = this.#ahead[i]!
      if (!isSmall(next.block) || !this.#mayGo(next)) continue
      samples += samplesOf(next.block.counts)
      rawBytes += next.block.rawBytes
      if (samples > MERGED_SAMPLES_MAX || rawBytes > MERGED_BYTES_MAX) break
      group.push(next)
    }
    return group
  }

  /** What the line holds before block `number`. */
  before(number: number): Ahead[] {
    return this.#ahead.filter(({ block }) => block.number < number)
  }

  remove(group: readonly Ahead[]): void {
    for (const one of group) {
      this.#ahead.splice(this.#ahead.indexOf(one), 1)
      this.bytes -= one.block.message.length
      this.samples -= samplesOf(one.block.counts)
    }
  }

  /** What was broken off is sent again. */
  breakOff(): void {
    for (const one of this.#ahead) one.isInFlight = false
  }

  #mayGo({ block, isInFlight }: Ahead): boolean {
    return !isInFlight && this.#ahead[0]!.block.number > block.fence
  }
}

function isSmall({ counts }: Block): boolean {
  return samplesOf(counts) < SMALL_SAMPLES
}
