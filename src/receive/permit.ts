import { type Clock, systemClock } from '../base/clock.ts'
import { assert } from '../base/errors.ts'
import { BODY_BYTES_MAX } from './body.ts'

/** Bytes of request bodies in memory at once, all requests together. */
export const PERMIT_BYTES = 256 * 1024 * 1024

/** What a request costs besides its body: headers, socket, objects. So they are limited, too. */
const REQUEST_BYTES = 16 * 1024

/** With less, the largest body that is taken would never find room. */
export const PERMIT_BYTES_MIN = BODY_BYTES_MAX + REQUEST_BYTES

/** In less time nothing is known of how fast memory comes back. */
const MEASURED_MS_MIN = 100
const WAIT_SECONDS_MAX = 60

/** Some of the memory for bodies, held by one request. */
export type Permit = {
  /** Takes `bytes` more; false when they are not there, and then nothing was taken. */
  grow(bytes: number): boolean
  /** Gives everything back. */
  release(): void
}

/**
 * The memory that request bodies may take. A permit is asked for before the body is read,
 * so that what cannot be held is refused and not half read.
 *
 * A class, because of its invariant: what is in use is the sum of the open permits, and
 * never more than the limit.
 */
export class Permits {
  readonly limitBytes: number
  readonly #clock: Pick<Clock, 'monotonicMs'>
  #inUseBytes = 0
  #refused = 0
  /** Of those who found no room and may come back, since more than half was in use. */
  #turnedAwayBytes = 0
  /** What was given back since then. */
  #drainedBytes = 0
  /** Null: less than half is in use. */
  #busySinceMs: number | null = null
  #drainedPerMs = 0

  constructor(limitBytes: number = PERMIT_BYTES, clock: Pick<Clock, 'monotonicMs'> = systemClock) {
    this.limitBytes = limitBytes
    this.#clock = clock
  }

  get inUseBytes(): number {
    return this.#inUseBytes
  }

  /** Requests that found no room. */
  get refused(): number {
    return this.#refused
  }

  /**
   * In how many seconds there may be room for all who were turned away, as fast as memory came
   * back lately: from 1 to 60, or null when nobody knows.
   */
  get waitSeconds(): number | null {
    if (this.#drainedPerMs === 0) return null
    const seconds = this.#turnedAwayBytes / this.#drainedPerMs / 1_000
    return Math.min(WAIT_SECONDS_MAX, Math.max(1, seconds))
  }

  /** A permit for a body of `bytes`, or null when there is no room for it now. */
  take(bytes: number): Permit | null {
    let heldBytes = 0
    const grow = (more: number): boolean => {
      assert(more >= 0, 'a permit only grows')
      if (this.#inUseBytes + more > this.limitBytes) {
        this.#refused += 1
        this.#turnedAwayBytes += more
        return false
      }
      this.#inUseBytes += more
      this.#turnedAwayBytes = Math.max(0, this.#turnedAwayBytes - more)
      heldBytes += more
      if (this.#isBusy) this.#busySinceMs ??= this.#clock.monotonicMs()
      return true
    }
    if (!grow(REQUEST_BYTES + bytes)) return null
    const release = (): void => {
      this.#inUseBytes -= heldBytes
      this.#noteDrained(heldBytes)
      heldBytes = 0
    }
    return { grow, release }
  }

  /** With less in use, what comes back is what came in, and says nothing of what could. */
  get #isBusy(): boolean {
    return this.#inUseBytes > this.limitBytes / 2
  }

  #noteDrained(bytes: number): void {
    if (this.#busySinceMs === null) return
    this.#drainedBytes += bytes
    const busyMs = this.#clock.monotonicMs() - this.#busySinceMs
    if (busyMs >= MEASURED_MS_MIN) this.#drainedPerMs = this.#drainedBytes / busyMs
    if (this.#isBusy) return
    this.#busySinceMs = null
    this.#drainedBytes = 0
    this.#turnedAwayBytes = 0
  }
}
