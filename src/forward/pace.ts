/** More has not made any receiver faster; with one of 100 ms it is 300 blocks a second. */
export const IN_FLIGHT_MAX = 32

/** Weight of the newest round in the mean duration. */
const WEIGHT = 0.4
/** A round that takes so many deviations longer than usual says that the receiver is busy. */
const DEVIATIONS = 2.5
const BUSY_FACTOR = 0.9
const FAILED_FACTOR = 0.5

/**
 * How many requests are sent to a receiver at once: more while that helps, fewer when it hurts.
 *
 * It begins with one and doubles with each round, as long as all of them are used; after the
 * first failure it goes on one by one from half of where it was. A round is as many answers as
 * may be waited for. Nothing has to be configured, and a receiver that comes back is not drowned.
 *
 * A class, because there is state with an invariant: whoever has entered is counted until he
 * leaves.
 */
export class Pace {
  #limit = 1
  /** Up to here it doubles. */
  #threshold = IN_FLIGHT_MAX
  #inFlight = 0
  readonly #waiting = new Set<() => void>()
  #meanMs = 0
  #varianceMs2 = 0
  #isFirst = true
  #round = { answers: 0, sumMs: 0, isFull: false, hasFailed: false }

  get limit(): number {
    return Math.floor(this.#limit)
  }

  /** Resolves when there is room for one more; rejects with the reason of `signal`. */
  async enter(signal: AbortSignal): Promise<void> {
    while (this.#inFlight >= this.limit) await this.#room(signal)
    this.#inFlight += 1
    if (this.#inFlight >= this.limit) this.#round.isFull = true
  }

  leave(): void {
    this.#inFlight -= 1
    this.#wake()
  }

  /** The receiver has answered, whatever it said, after `tookMs`. */
  answered(tookMs: number): void {
    const round = this.#round
    round.answers += 1
    round.sumMs += tookMs
    if (round.answers >= this.limit) this.#endRound()
  }

  /** It was too much for the receiver, or for the way there. Once in a round that is news. */
  failed(): void {
    if (this.#round.hasFailed) return
    this.#round.hasFailed = true
    this.#limit = Math.max(1, this.#limit * FAILED_FACTOR)
    this.#threshold = this.#limit
  }

  /** The receiver is down: when it is back, it is asked by one request. */
  collapse(): void {
    this.#threshold = Math.max(this.#threshold, this.#limit * FAILED_FACTOR)
    this.#limit = 1
  }

  #endRound(): void {
    const { answers, sumMs, isFull, hasFailed } = this.#round
    const tookMs = sumMs / answers
    const usualMs = this.#meanMs + DEVIATIONS * Math.sqrt(this.#varianceMs2)
    if (!hasFailed) {
      if (tookMs > usualMs && !this.#isFirst) this.#limit = Math.max(1, this.#limit * BUSY_FACTOR)
      else if (isFull) this.#grow()
    }
    const weight = this.#isFirst ? 1 : WEIGHT
    const differenceMs = tookMs - this.#meanMs
    this.#meanMs += weight * differenceMs
    this.#varianceMs2 = (1 - weight) * (this.#varianceMs2 + weight * differenceMs ** 2)
    this.#isFirst = false
    const isStillFull = this.#inFlight >= this.limit
    this.#round = { answers: 0, sumMs: 0, isFull: isStillFull, hasFailed: false }
  }

  #grow(): void {
    const next = this.#limit < this.#threshold ? this.#limit * 2 : this.#limit + 1
    this.#limit = Math.min(IN_FLIGHT_MAX, next)
    this.#wake()
  }

  async #room(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { promise, resolve } = Promise.withResolvers<unknown>()
    const wake = () => resolve(undefined)
    this.#waiting.add(wake)
    signal.addEventListener('abort', resolve, { once: true })
    await promise
    this.#waiting.delete(wake)
    signal.removeEventListener('abort', resolve)
    signal.throwIfAborted()
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
  }
}
