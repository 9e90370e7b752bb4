import type { ClusterQueue } from './cluster-queue.ts'
import type { Ahead, Line } from './line.ts'

/** What a cluster may send in its turn, in bytes as they lie in the log: two or three blocks. */
const TURN_BYTES = 64 * 1024
/** What a request costs beside its bytes, so that many small ones are no way round a turn. */
const REQUEST_BYTES = 16 * 1024
/** So many requests more than it is good to have, for those whose share others hold. */
const EXTRA_MAX = 32

/** Blocks that go out in one request, and where they come from. */
export type Departure = { queue: ClusterQueue; line: Line; group: readonly Ahead[] }

/**
 * Who may send next: deficit round robin between clusters. In its turn a cluster sends until it
 * has used up what a turn is worth; what it sends beyond that it pays with its next turns. So
 * of two clusters that both have much to send, each sends half of the bytes.
 *
 * Requests that fail again and again hold their places, so a cluster may have its share of all
 * requests even where others hold more than theirs. How many are on the wire at once is up to
 * the receiver's pace, which those that only wait for their next try do not count in.
 *
 * A class, because there is state with an invariant: whoever has departed is counted until he
 * has arrived.
 */
export class Turns {
  readonly #ring: ClusterQueue[] = []
  #at = 0
  #inFlight = 0

  join(queue: ClusterQueue): void {
    this.#ring.push(queue)
  }

  get queues(): readonly ClusterQueue[] {
    return this.#ring
  }

  /** What is to be sent now; null when nothing may go. */
  next(inFlightMax: number): Departure | null {
    const share = Math.max(1, Math.floor(inFlightMax / this.#clustersAhead()))
    // Whoever may go and has no credit is a turn nearer to it: the next round ends this.
    for (let idle = 0; idle < this.#ring.length; this.#at = (this.#at + 1) % this.#ring.length) {
      const queue = this.#ring[this.#at]!
      idle += 1
      if (!this.#hasPlace(queue, inFlightMax, share)) continue
      if (!queue.line.isDue) {
        // Nobody saves up turns, but a debt is paid.
        queue.credit = Math.min(0, queue.credit + TURN_BYTES)
        continue
      }
      if (queue.credit <= 0) queue.credit += TURN_BYTES
      if (queue.credit > 0) return this.#depart(queue)
      idle = 0
    }
    return null
  }

  arrived({ queue }: Departure): void {
    queue.inFlight -= 1
    this.#inFlight -= 1
  }

  /** Everything in flight was broken off. */
  breakOff(): void {
    this.#inFlight = 0
    for (const queue of this.#ring) {
      queue.inFlight = 0
      queue.line.breakOff()
    }
  }

  #hasPlace({ inFlight }: ClusterQueue, inFlightMax: number, share: number): boolean {
    if (this.#inFlight < inFlightMax) return true
    return inFlight < share && this.#inFlight < inFlightMax + EXTRA_MAX
  }

  #clustersAhead(): number {
    let count = 0
    for (const { blocks } of this.#ring) if (blocks > 0) count += 1
    return Math.max(1, count)
  }

  #depart(queue: ClusterQueue): Departure {
    const group = queue.line.nextGroup()
    let bytes = REQUEST_BYTES
    for (const one of group) {
      one.isInFlight = true
      bytes += one.block.message.length
    }
    queue.credit -= bytes
    // Its turn goes on while it has credit.
    if (queue.credit <= 0) this.#at = (this.#at + 1) % this.#ring.length
    queue.inFlight += 1
    this.#inFlight += 1
    return { queue, line: queue.line, group }
  }
}
