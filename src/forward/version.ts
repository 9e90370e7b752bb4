import type { Clock } from '../base/clock.ts'
import type { Protocol } from './answer.ts'
import type { Event } from './delivery.ts'

/** How long Remote Write 1.0 is spoken before 2.0 is tried again: receivers get upgraded. */
const FALLBACK_MS = 60 * 60_000

/**
 * Which version of Remote Write a receiver is spoken to in.
 *
 * A class, because it remembers what the receiver has refused.
 */
export class Version {
  readonly #clock: Clock
  readonly #onEvent: (event: Event) => void
  /** Until then, by the monotonic clock, 1.0 is spoken; for good where somebody wants it so. */
  #fallbackUntilMs: number
  /** Whether the receiver said nothing about versions, so that 1.0 has to prove itself. */
  isGuess = false

  /** @param first what is spoken first; `rw1` is spoken for good */
  constructor(first: Protocol, clock: Clock, onEvent: (event: Event) => void) {
    this.#clock = clock
    this.#onEvent = onEvent
    this.#fallbackUntilMs = first === 'rw1' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY
  }

  get protocol(): Protocol {
    return this.#clock.monotonicMs() < this.#fallbackUntilMs ? 'rw1' : 'rw2'
  }

  /** The receiver does not take 2.0. */
  fallBack(reason: string, isGuess: boolean): void {
    const isNews = this.protocol === 'rw2'
    this.#fallbackUntilMs = this.#clock.monotonicMs() + FALLBACK_MS
    this.isGuess = isGuess
    if (!isNews) return
    const message = 'the receiver does not take Remote Write 2.0: sending 1.0 for an hour'
    this.#onEvent({ level: 'warn', message, reason })
  }

  /** 2.0 again, unless 1.0 is asked for. */
  tryAgain(): void {
    if (this.#fallbackUntilMs === Number.POSITIVE_INFINITY) return
    this.#fallbackUntilMs = Number.NEGATIVE_INFINITY
  }
}
