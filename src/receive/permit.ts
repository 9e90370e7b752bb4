import { assert } from '../base/errors.ts'
import { BODY_BYTES_MAX } from './body.ts'

/** Bytes of request bodies in memory at once, all requests together. */
export const PERMIT_BYTES = 256 * 1024 * 1024

/** What a request costs besides its body: headers, socket, objects. So they are limited, too. */
const REQUEST_BYTES = 16 * 1024

/** With less, the largest body that is taken would never find room. */
export const PERMIT_BYTES_MIN = BODY_BYTES_MAX + REQUEST_BYTES

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
  #inUseBytes = 0
  #refused = 0

  constructor(limitBytes: number = PERMIT_BYTES) {
    this.limitBytes = limitBytes
  }

  get inUseBytes(): number {
    return this.#inUseBytes
  }

  /** Requests that found no room. */
  get refused(): number {
    return this.#refused
  }

  /** A permit for a body of `bytes`, or null when there is no room for it now. */
  take(bytes: number): Permit | null {
    let heldBytes = 0
    const grow = (more: number): boolean => {
      assert(more >= 0, 'a permit only grows')
      if (this.#inUseBytes + more > this.limitBytes) {
        this.#refused += 1
        return false
      }
      this.#inUseBytes += more
      heldBytes += more
      return true
    }
    if (!grow(REQUEST_BYTES + bytes)) return null
    const release = (): void => {
      this.#inUseBytes -= heldBytes
      heldBytes = 0
    }
    return { grow, release }
  }
}
