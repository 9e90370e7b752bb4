import type { Batch } from '../model/batch.ts'
import {
  HISTOGRAM_START,
  HISTOGRAM_TIMESTAMP,
  HISTOGRAMS,
  SAMPLE_START,
  SAMPLE_TIMESTAMP,
  SAMPLE_VALUE,
  SAMPLES,
} from '../model/request-tags.ts'
import type { ProtobufWriter } from '../wire/protobuf-writer.ts'

/** Tag and length, a value, and two timestamps that are negative. */
const SAMPLE_BYTES_MAX = 2 + 9 + 2 * 11

/** Writes a float sample of a batch as a field of its series. */
export function writeSample(out: ProtobufWriter, batch: Batch, sample: number): void {
  const startMs = batch.sampleStartMs[sample]!
  const timestampMs = batch.sampleTimestampMs[sample]!
  out.reserve(SAMPLE_BYTES_MAX)
  const { bytes, at } = out
  bytes[at] = SAMPLES
  bytes[at + 2] = SAMPLE_VALUE
  out.at = at + 3
  out.fixed64(batch.sampleBits[sample * 2]!, batch.sampleBits[sample * 2 + 1]!)
  bytes[at + 11] = SAMPLE_TIMESTAMP
  out.at = at + 12
  out.int64(timestampMs)
  writeStart(out, SAMPLE_START, startMs)
  bytes[at + 1] = out.at - at - 2
}

/** Writes a histogram of a batch as a field of its series. */
export function writeHistogram(out: ProtobufWriter, batch: Batch, sample: number): void {
  out.uint32(HISTOGRAMS)
  const message = out.open()
  out.raw(
    batch.histogramBytes,
    batch.sampleHistogramStart[sample]!,
    batch.sampleHistogramEnd[sample]!,
  )
  out.uint32(HISTOGRAM_TIMESTAMP)
  out.int64(batch.sampleTimestampMs[sample]!)
  writeStart(out, HISTOGRAM_START, batch.sampleStartMs[sample]!)
  out.close(message)
}

/** A start of 0 is none. */
function writeStart(out: ProtobufWriter, tag: number, startMs: number): void {
  if (startMs === 0) return
  out.uint32(tag)
  out.int64(startMs)
}
