import type { Block } from '../model/block.ts'
import { samplesOf } from '../model/counts.ts'
import { Tally, UNKNOWN_CLUSTER } from '../model/tally.ts'

/** Where a block lies in the log, and what lies before it. */
export type Place = Pick<
  Block,
  'number' | 'samplesBefore' | 'bytesBefore' | 'receivedMs' | 'minTimestampMs'
>

/** A copy: a place outlives the block, whose memory is used again. */
export function placeOf(block: Place): Place {
  const { number, samplesBefore, bytesBefore, receivedMs, minTimestampMs } = block
  return { number, samplesBefore, bytesBefore, receivedMs, minTimestampMs }
}

export function placeBehind(block: Block): Place {
  const { number, samplesBefore, bytesBefore, counts, message } = block
  return {
    ...placeOf(block),
    number: number + 1,
    samplesBefore: samplesBefore + samplesOf(counts),
    bytesBefore: bytesBefore + message.length,
  }
}

export function olderOf(one: Place | undefined, other: Place | undefined): Place | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return one.number < other.number ? one : other
}

/**
 * Blocks of one cluster that were read when there was no room for them, and are read again
 * later: all of its blocks from `from` on and before `end`. Of each no more is remembered than
 * its share of the sums, so a gap takes the same memory however long it is.
 */
export type Gap = {
  from: Place
  /** Infinite while what is read anew still goes into it. */
  end: number
  samples: number
  bytes: number
}

/** So many samples were in blocks of these numbers that are not in the log any more. */
export type Hole = {
  samples: number
  fromBlock: number
  toBlock: number
  /** Null when they may be anybody's. */
  cluster: string | null
}

/**
 * What a destination does not have of blocks that are given up.
 *
 * A class, because of the sum.
 */
export class Missing {
  readonly samples: Tally
  readonly inGaps = new Map<Gap, { samples: number; bytes: number }>()

  /** @param unread samples in blocks that were not read yet, nobody knows whose */
  constructor(unread: number) {
    this.samples = new Tally([[UNKNOWN_CLUSTER, unread]])
  }

  /** A block that is in memory. */
  add({ cluster, counts }: Block): void {
    this.samples.add(cluster, samplesOf(counts))
  }

  /** One of those that were not read yet. */
  addUnread({ cluster, counts }: Block): void {
    this.samples.move(UNKNOWN_CLUSTER, cluster, samplesOf(counts))
  }

  /** A block that lies in a gap. */
  addInGap(gap: Gap, block: Block): void {
    const { counts, message } = block
    const sum = this.inGaps.get(gap) ?? { samples: 0, bytes: 0 }
    sum.samples += samplesOf(counts)
    sum.bytes += message.length
    this.inGaps.set(gap, sum)
    this.add(block)
  }
}
