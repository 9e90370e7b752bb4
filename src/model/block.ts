import type { Counts } from './counts.ts'

/**
 * The unit of log and delivery: a ready Remote Write 2.0 message and what must be
 * known of it without opening it.
 *
 * `number` is the LSN of the record that holds it, so numbers only grow. `fence` is
 * the largest number of an earlier block that shares a series with this one (0 when
 * none does): a block may be sent once every block of its cluster up to its fence has
 * been acknowledged, and so a series is never in two requests at once.
 */
export type Block = {
  number: number
  fence: number
  cluster: string
  counts: Counts
  minTimestampMs: number
  maxTimestampMs: number
  /** Wall time of the block's first push. */
  receivedMs: number
  /** Decompressed size of `message`. */
  rawBytes: number
  /** Samples, histograms and bytes in all blocks before this one: differences give a backlog. */
  samplesBefore: number
  bytesBefore: number
  /** `io.prometheus.write.v2.Request`, snappy block format. */
  message: Uint8Array
}
