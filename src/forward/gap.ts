import type { Block } from '../model/block.ts'
import { samplesOf } from '../model/counts.ts'

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
