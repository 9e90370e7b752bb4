import type { Batch } from '../model/batch.ts'
import type { ProtobufWriter } from '../wire/protobuf-writer.ts'
import type { BatchSymbols } from './batch-symbols.ts'
import { LABELS_REFS, SAMPLE_TIMESTAMP, SAMPLE_VALUE, SAMPLES, TIMESERIES } from './request-tags.ts'

/** Times that take six bytes as a varint. */
const PLAIN_MS_MIN = 2 ** 35
const PLAIN_MS_END = 2 ** 42
/** References of a plain series at most, of two bytes each, and all of it with its metadata. */
const PLAIN_REFS_MAX = 62
const PLAIN_BYTES_MAX = 256

/**
 * Writes the series of `sample`, its only one, if it is like nearly all are: of few labels,
 * with a float sample from 1971 to 2109, no start and no exemplar. All lengths are known to
 * take a byte, so everything has its place at once. Its message is left open at `out.at` before
 * the call plus one, for metadata. False when it is not plain, and nothing is written.
 */
export function writePlainSeries(
  out: ProtobufWriter,
  batch: Batch,
  sample: number,
  symbols: BatchSymbols,
): boolean {
  const series = batch.sampleSeries[sample]!
  const timestampMs = batch.sampleTimestampMs[sample]!
  if (batch.sampleHistogramEnd[sample]! > 0 || batch.sampleStartMs[sample] !== 0) return false
  if (timestampMs < PLAIN_MS_MIN || timestampMs >= PLAIN_MS_END) return false

  out.reserve(PLAIN_BYTES_MAX)
  const start = out.at
  const { bytes, view } = out
  let at = writeRefs(out, batch, series, start + 4, symbols)
  if (at < 0) return false
  bytes[start] = TIMESERIES
  bytes[start + 2] = LABELS_REFS
  bytes[start + 3] = at - start - 4

  const low = batch.sampleBits[sample * 2]!
  const high = batch.sampleBits[sample * 2 + 1]!
  bytes[at] = SAMPLES
  if (low === 0 && high === 0) {
    // The value 0 is written by leaving it out.
    bytes[at + 1] = 7
    at += 2
  } else {
    bytes[at + 1] = 16
    bytes[at + 2] = SAMPLE_VALUE
    view.setUint32(at + 3, low, true)
    view.setUint32(at + 7, high, true)
    at += 11
  }
  const upper = Math.floor(timestampMs / 2 ** 28)
  const lower = timestampMs - upper * 2 ** 28
  bytes[at] = SAMPLE_TIMESTAMP
  bytes[at + 1] = lower | 0x80
  bytes[at + 2] = (lower >>> 7) | 0x80
  bytes[at + 3] = (lower >>> 14) | 0x80
  bytes[at + 4] = (lower >>> 21) | 0x80
  bytes[at + 5] = upper | 0x80
  bytes[at + 6] = upper >>> 7
  out.at = at + 7
  return true
}

/**
 * Writes the references of a series at `at` and returns where they end; -1 when they, with
 * what comes behind, may need a length of more than a byte.
 */
function writeRefs(
  { bytes }: ProtobufWriter,
  batch: Batch,
  series: number,
  start: number,
  symbols: BatchSymbols,
): number {
  const { labelRefs } = batch
  const { symbolOf } = symbols
  const from = batch.seriesLabelStart[series]!
  const to = batch.seriesLabelEnd[series]!
  if (to - from > PLAIN_REFS_MAX) return -1
  let at = start
  for (let i = from; i < to; i++) {
    const symbol = symbolOf[labelRefs[i]!]! || symbols.add(labelRefs[i]!)
    if (symbol < 0x80) bytes[at++] = symbol
    else if (symbol < 0x4000) {
      bytes[at++] = symbol | 0x80
      bytes[at++] = symbol >>> 7
    } else return -1
  }
  return at
}
