import type { Batch } from '../model/batch.ts'
import type { Block } from '../model/block.ts'
import { noCounts, samplesOf } from '../model/counts.ts'
import type { DigestKey } from '../model/identity.ts'
import type { Judgement, Slice } from '../model/judgement.ts'
import { type FamilyOf, RequestWriter } from './request-writer.ts'

/**
 * The block being written: a message, and what must be known of it without opening it.
 *
 * The message of a plain Remote Write 2.0 push that is kept as a whole is the one that
 * came: nothing would be written differently, so nothing is.
 */
export class BlockBuilder {
  number = 0
  cluster = ''
  counts = noCounts()
  readonly #writer: RequestWriter
  #receivedMs = 0
  #fence = 0
  #minTimestampMs = Number.POSITIVE_INFINITY
  #maxTimestampMs = Number.NEGATIVE_INFINITY
  /** A whole push as it came, and its size when decompressed; then the writer is empty. */
  #adopted: { block: Uint8Array; rawBytes: number } | null = null

  constructor(key: DigestKey, familyOf: FamilyOf) {
    this.#writer = new RequestWriter(key, familyOf)
  }

  /** Starts over with an empty block; the buffers are kept. */
  begin(number: number, cluster: string, receivedMs: number): void {
    this.number = number
    this.cluster = cluster
    this.counts = noCounts()
    this.#writer.clear()
    this.#adopted = null
    this.#receivedMs = receivedMs
    this.#fence = 0
    this.#minTimestampMs = Number.POSITIVE_INFINITY
    this.#maxTimestampMs = Number.NEGATIVE_INFINITY
  }

  get isEmpty(): boolean {
    return samplesOf(this.counts) === 0
  }

  /** Takes no more: its message belongs to another. */
  get isClosed(): boolean {
    return this.#adopted !== null
  }

  /** Adds what `judgement` keeps of a slice. Nothing of the batch is held on to. */
  add(batch: Batch, slice: Slice, judgement: Judgement): void {
    this.#writer.add(batch, slice, judgement)
    this.#count(judgement)
  }

  /** Makes the compressed `message` of `batch`, which is kept as a whole, the block's own. */
  adopt(batch: Batch, judgement: Judgement, message: Uint8Array): void {
    this.#adopted = { block: message, rawBytes: batch.bytes.length }
    this.#count(judgement)
  }

  /** The finished block, its place in the totals given by the caller. */
  seal(samplesBefore: number, bytesBefore: number): Block {
    const { block: message, rawBytes } = this.#adopted ?? this.#writer.finish()
    return {
      number: this.number,
      fence: this.#fence,
      cluster: this.cluster,
      counts: this.counts,
      minTimestampMs: this.#minTimestampMs,
      maxTimestampMs: this.#maxTimestampMs,
      receivedMs: this.#receivedMs,
      rawBytes,
      samplesBefore,
      bytesBefore,
      message,
    }
  }

  #count({ fence, minTimestampMs, maxTimestampMs, kept }: Judgement): void {
    this.#fence = Math.max(this.#fence, fence)
    this.#minTimestampMs = Math.min(this.#minTimestampMs, minTimestampMs)
    this.#maxTimestampMs = Math.max(this.#maxTimestampMs, maxTimestampMs)
    this.counts.samples += kept.samples
    this.counts.histograms += kept.histograms
    this.counts.exemplars += kept.exemplars
  }
}
