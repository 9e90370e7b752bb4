import type { IncomingMessage } from 'node:http'
import { receivedBytes } from './body.ts'

/** So many looks a body has to get going; then it must have come as fast as it has to, so far. */
const GRACE_LOOKS = 10
/** While others are turned away for want of the memory that it holds. */
const GRACE_LOOKS_SHORT = 1
/** Slower than the slowest line that somebody would send metrics over. */
const BYTES_PER_SECOND_MIN = 256

/**
 * Bodies that come too slowly to be whole in time, as they are told from those that are only
 * slow: whoever announces much and sends little would keep the memory that it asked for from
 * others until the deadline.
 *
 * Time is counted in looks, so that a process that was stopped for a while blames nobody.
 *
 * A class, because of what it remembers from look to look.
 */
export class SlowBodies {
  readonly #requestMs: number
  /** Between two looks. */
  readonly lookMs: number
  readonly #looks = new WeakMap<IncomingMessage, number>()

  /** @param requestMs in which a body has to be whole */
  constructor(requestMs: number) {
    this.#requestMs = requestMs
    this.lookMs = Math.min(1_000, requestMs / (6 * GRACE_LOOKS))
  }

  /**
   * To be called every `lookMs` for a request that is open: whether it is to be cut off. `isShort`:
   * others were turned away just now.
   */
  isTooSlow(request: IncomingMessage, isShort: boolean): boolean {
    const bytes = receivedBytes(request)
    if (bytes === null || request.complete) return false
    const looks = (this.#looks.get(request) ?? 0) + 1
    this.#looks.set(request, looks)
    const grace = isShort ? GRACE_LOOKS_SHORT : GRACE_LOOKS
    return looks > grace && bytes < this.#bytesDue(request, (looks - 1) * this.lookMs)
  }

  #bytesDue({ headers }: IncomingMessage, afterMs: number): number {
    const announced = Number(headers['content-length'] ?? 0)
    const perMs = Math.max(BYTES_PER_SECOND_MIN / 1_000, announced / this.#requestMs)
    return perMs * afterMs
  }
}
