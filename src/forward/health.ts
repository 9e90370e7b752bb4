import type { Clock } from '../base/clock.ts'
import type { Event } from './delivery.ts'

/**
 * How a receiver is, for people.
 *
 * A class, because it says something only when that changes: every retry alike would drown the
 * log.
 */
export class Health {
  state: 'ok' | 'backing-off' | 'paused' = 'ok'
  /** Why `state` is what it is; empty while all is well. */
  reason = ''
  /** When `state` changed last, by the monotonic clock. */
  sinceMs: number
  readonly #clock: Clock
  readonly #onEvent: (event: Event) => void

  constructor(clock: Clock, onEvent: (event: Event) => void) {
    this.#clock = clock
    this.#onEvent = onEvent
    this.sinceMs = clock.monotonicMs()
  }

  enter(state: Health['state'], reason: string): void {
    this.reason = reason
    if (state === this.state) return
    const previous = this.state
    const nowMs = this.#clock.monotonicMs()
    const lastedMs = nowMs - this.sinceMs
    this.state = state
    this.sinceMs = nowMs
    if (state === 'ok') {
      this.#onEvent({ level: 'info', message: 'the receiver answers again', previous, lastedMs })
    } else if (state === 'backing-off') {
      this.#onEvent({ level: 'warn', message: 'the receiver is in trouble: retrying', reason })
    } else {
      const message = 'the receiver refuses this gateway: keeping the data, retrying slowly'
      this.#onEvent({ level: 'error', message, reason })
    }
  }
}
