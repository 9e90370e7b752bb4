import type { Block } from '../model/block.ts'
import { samplesOf } from '../model/counts.ts'
import { type Gap, olderOf, type Place, placeBehind, placeOf } from './gap.ts'
import { type Ahead, Line } from './line.ts'
import type { Room } from './room.ts'

/** A line may have so many times as much of the room as is free. */
export const GREED = 3
/** Where the newest go first: each time that they run out of room there is one more. */
const GAPS_MAX = 16

/**
 * What one cluster has between log and acknowledgement: blocks in memory, and gaps of blocks
 * that are only in the log.
 *
 * In order, there is one gap at most and it has no end: everything behind it is in it. So the
 * cluster's blocks leave in the order of the log. Where the newest go first, blocks that come
 * while there is a gap go into a line of their own, `fresh`, which is in order in itself, and
 * what would not wait any longer than the receiver's window in the other line goes before it.
 *
 * A class, because there is state with an invariant: a block of the cluster that was read and is
 * not acknowledged is in a line or in a gap, and never in both.
 */
export class ClusterQueue {
  readonly cluster: string
  readonly line = new Line()
  readonly fresh = new Line()
  /** In the order of the log. */
  readonly gaps: Gap[] = []
  /** Requests, and those of them that are held up. */
  inFlight = 0
  held = 0
  #wasFresh = false
  /** Bytes that it may send before others have a turn; below zero when it sent too many. */
  credit = 0
  /** The sweep has gone past the beginning of the first gap. */
  isLeft = false

  constructor(cluster: string) {
    this.cluster = cluster
  }

  get blocks(): number {
    return this.line.blocks + this.fresh.blocks
  }

  get lines(): readonly Line[] {
    return [this.line, this.fresh]
  }

  /** Samples that were read and are not acknowledged. */
  get samples(): number {
    const inGaps = this.gaps.reduce((sum, { samples }) => sum + samples, 0)
    return this.line.samples + this.fresh.samples + inGaps
  }

  get isBehind(): boolean {
    return this.gaps.length > 0
  }

  /**
   * The oldest block that the destination does not have, or a place before it.
   *
   * @param swept up to where the sweep has come that is on its way
   */
  oldest(swept: Place | null): Place | undefined {
    const oldest = olderOf(this.line.oldest, this.fresh.oldest)
    const from = this.gaps[0]?.from
    const isSwept = from !== undefined && !this.isLeft && (swept?.number ?? 0) > from.number
    return olderOf(oldest, isSwept ? swept! : from)
  }

  /** Where the newest block goes; null when it is passed over. */
  lineFor(room: Room, isFresh: boolean): Line | null {
    if (!this.isBehind && this.fresh.blocks === 0) {
      return room.isFor(this.line, GREED) ? this.line : null
    }
    // While some of it is fresh, what follows is too, or it would overtake.
    if (!isFresh && this.isBehind) return null
    // Not for each block that goes another gap.
    const isFull = this.#hasOpenGap && this.gaps.length >= GAPS_MAX
    return !isFull && room.isFor(this.fresh, this.#hasOpenGap ? 1 : GREED) ? this.fresh : null
  }

  /**
   * Who of the two goes next: each other time what is fresh; but as long as something waits whose
   * samples are from before `urgentMs`, the older one of both.
   */
  nextLine(urgentMs: number): Line | null {
    const old = this.line.isDue ? this.line : null
    const newest = this.fresh.oldest
    if (newest === undefined) return old
    const fresh = this.fresh.isDue ? this.fresh : null
    const oldestMs = (this.line.oldest ?? this.gaps[0]?.from)?.minTimestampMs
    const isOldFirst = oldestMs !== undefined && oldestMs <= newest.minTimestampMs
    if ((isOldFirst ? oldestMs : newest.minTimestampMs) < urgentMs) return isOldFirst ? old : fresh
    return this.#wasFresh ? (old ?? fresh) : (fresh ?? old)
  }

  groupOf(line: Line): Ahead[] {
    this.#wasFresh = line === this.fresh
    return line.nextGroup()
  }

  /** There is no room for `block`, which is the newest that was read. */
  pass(block: Block): void {
    let gap = this.gaps.at(-1)
    if (gap === undefined || gap.end <= block.number) {
      gap = { from: placeOf(block), end: Number.POSITIVE_INFINITY, samples: 0, bytes: 0 }
      if (this.gaps.push(gap) === 1) this.isLeft = false
    }
    gap.samples += samplesOf(block.counts)
    gap.bytes += block.message.length
  }

  get #hasOpenGap(): boolean {
    return this.gaps.at(-1)?.end === Number.POSITIVE_INFINITY
  }

  /** What is read from `number` on is not in the last gap any more. */
  endGap(number: number): void {
    const last = this.gaps.at(-1)
    if (last !== undefined && last.end > number) last.end = number
  }

  /** The gap that the block lies in. */
  gapAround({ number }: Place): Gap | undefined {
    return this.gaps.find(({ from, end }) => from.number <= number && number < end)
  }

  /** Takes the next block of the first gap. */
  take(gap: Gap, block: Block): void {
    gap.from = placeBehind(block)
    gap.samples -= samplesOf(block.counts)
    gap.bytes -= block.message.length
    this.line.add(block)
  }

  /** Nothing of the gaps is left before `place`; returns those that end there. */
  advance(place: Place): Gap[] {
    const isOver = this.gaps.findIndex(({ end }) => end > place.number)
    const ended = this.gaps.splice(0, isOver < 0 ? this.gaps.length : isOver)
    const [gap] = this.gaps
    if (gap !== undefined && gap.from.number < place.number) gap.from = placeOf(place)
    return ended
  }
}
