import type { Clock } from '../base/clock.ts'
import { Roster, type Seat } from '../base/roster.ts'
import { Tally } from '../model/tally.ts'
import { ClusterQueue } from './cluster-queue.ts'
import { olderOf, type Place } from './gap.ts'
import type { Ahead, Line } from './line.ts'

/** What a cluster may send in its turn, in bytes as they lie in the log: two or three blocks. */
const TURN_BYTES = 64 * 1024
/** What a request costs beside its bytes, so that many small ones are no way round a turn. */
const REQUEST_BYTES = 16 * 1024
/** A request without an outcome for so long is held up, and its place is another's. */
export const HELD_MS = 1_000
/** So many requests that are held up have a place beside the others. */
const HELD_MAX = 32

/** Blocks that go out in one request, and where they come from. */
export type Departure = Seat<Departed>

export type Departed = {
  queue: ClusterQueue
  line: Line
  group: Ahead[]
  sentMs: number
}

/**
 * Who may send next: deficit round robin between clusters. In its turn a cluster sends until it
 * has used up what a turn is worth; what it sends beyond that it pays with its next turns. So
 * of two clusters that both have much to send, each sends half of the bytes.
 *
 * Requests that fail again and again are held up: their cluster gets no more of them than its
 * share, and the others do not miss their places. How many are on the wire at once is up to the
 * receiver's pace, in which those that wait for their next try do not count.
 *
 * A class, because there is state with an invariant: whoever has departed is counted until he
 * has arrived.
 */
export class Turns {
  readonly #ring: ClusterQueue[] = []
  readonly #byCluster = new Map<string, ClusterQueue>()
  readonly #clock: Pick<Clock, 'monotonicMs'>
  #at = 0
  readonly #inFlight = new Roster<Departed>()
  #held = 0

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock
  }

  /** That of a cluster, which takes part from now on if it did not before. */
  queueOf(cluster: string): ClusterQueue {
    const known = this.#byCluster.get(cluster)
    if (known !== undefined) return known
    const queue = new ClusterQueue(cluster)
    this.#byCluster.set(cluster, queue)
    this.#ring.push(queue)
    return queue
  }

  get queues(): readonly ClusterQueue[] {
    return this.#ring
  }

  get lines(): Line[] {
    return this.#ring.flatMap(({ lines }) => lines)
  }

  /** Of all that was read and is not acknowledged; see `ClusterQueue`. */
  oldest(swept: Place | null): Place | undefined {
    let oldest: Place | undefined
    for (const queue of this.#ring) oldest = olderOf(oldest, queue.oldest(swept))
    return oldest
  }

  get samples(): Tally {
    return new Tally(this.#ring.map(({ cluster, samples }) => [cluster, samples]))
  }

  /**
   * @param inFlightMax requests that it is good to have in flight
   * @param urgentMs samples from before that wall time go before those that are fresh
   * @returns what is to be sent now; null when nothing may go
   */
  next(inFlightMax: number, urgentMs: number): Departure | null {
    const nowMs = this.#clock.monotonicMs()
    this.#count(nowMs)
    const places = Math.min(inFlightMax, inFlightMax + HELD_MAX - this.#held)
    if (this.#inFlight.size - this.#held >= places) return null
    const share = Math.max(1, Math.floor(inFlightMax / this.#clustersAhead()))
    // Whoever may go and has no credit is a turn nearer to it: the next round ends this.
    for (let idle = 0; idle < this.#ring.length; this.#at = (this.#at + 1) % this.#ring.length) {
      const queue = this.#ring[this.#at]!
      idle += 1
      if (queue.held >= share || queue.inFlight >= inFlightMax) continue
      const line = queue.nextLine(urgentMs)
      if (line === null) {
        // Nobody saves up turns, but a debt is paid.
        queue.credit = Math.min(0, queue.credit + TURN_BYTES)
        continue
      }
      if (queue.credit <= 0) queue.credit += TURN_BYTES
      if (queue.credit > 0) return this.#depart(queue, line, nowMs)
      idle = 0
    }
    return null
  }

  arrived(departure: Departure): void {
    this.#inFlight.remove(departure)
  }

  /** Everything in flight was broken off. */
  breakOff(): void {
    this.#inFlight.clear()
    for (const { lines } of this.#ring) for (const line of lines) line.breakOff()
  }

  #count(nowMs: number): void {
    this.#held = 0
    for (const queue of this.#ring) {
      queue.inFlight = 0
      queue.held = 0
    }
    for (const { member } of this.#inFlight.seats) {
      const { queue, sentMs } = member
      queue.inFlight += 1
      if (nowMs - sentMs < HELD_MS) continue
      this.#held += 1
      queue.held += 1
    }
  }

  #clustersAhead(): number {
    let count = 0
    for (const { blocks } of this.#ring) if (blocks > 0) count += 1
    return Math.max(1, count)
  }

  #depart(queue: ClusterQueue, line: Line, sentMs: number): Departure {
    const group = queue.groupOf(line)
    let bytes = REQUEST_BYTES
    for (const one of group) {
      one.isInFlight = true
      bytes += one.block.message.length
    }
    queue.credit -= bytes
    // Its turn goes on while it has credit.
    if (queue.credit <= 0) this.#at = (this.#at + 1) % this.#ring.length
    return this.#inFlight.add({ queue, line, group, sentMs })
  }
}
