import type { Block } from '../model/block.ts'
import { samplesOf } from '../model/counts.ts'
import { type Gap, type Place, placeBehind, placeOf } from './gap.ts'
import { Line } from './line.ts'

/**
 * What one cluster has between log and acknowledgement: blocks in memory, and gaps of blocks
 * that are only in the log.
 *
 * In order, there is one gap at most and it has no end: everything behind it is in it. So the
 * cluster's blocks leave in the order of the log.
 *
 * A class, because there is state with an invariant: a block of the cluster that was read and is
 * not acknowledged is in a line or in a gap, and never in both.
 */
export class ClusterQueue {
  readonly cluster: string
  readonly line = new Line()
  /** In the order of the log. */
  readonly gaps: Gap[] = []
  /** Requests that are held up. */
  held = 0
  /** Bytes that it may send before others have a turn; below zero when it sent too many. */
  credit = 0
  /** The sweep has gone past the beginning of the first gap. */
  isLeft = false

  constructor(cluster: string) {
    this.cluster = cluster
  }

  get blocks(): number {
    return this.line.blocks
  }

  get isBehind(): boolean {
    return this.gaps.length > 0
  }

  /** The oldest block that the destination does not have, or a place before it. */
  get oldest(): Place | undefined {
    return this.line.oldest ?? this.gaps[0]?.from
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
