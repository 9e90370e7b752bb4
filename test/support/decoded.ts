import { type Batch, DIGEST_WORDS, symbolText } from '../../src/model/batch.ts'
import { decodeHistogram, type HistogramMessage } from './remote-write.ts'

/** One series of a batch in plain objects, so that a test can compare and print it. */
export type DecodedSeries = {
  labels: [name: string, value: string][]
  metadata: { type: number; help: string; unit: string }
  samples: DecodedSample[]
  exemplars: { labels: [string, string][]; bits: bigint; timestampMs: number }[]
}

/** `bits` of a float sample, `histogram` of the other kind. */
export type DecodedSample = {
  timestampMs: number
  startMs: number
  bits?: bigint
  histogram?: HistogramMessage
}

/** All series of a batch, in its order. */
export function seriesOf(batch: Batch): DecodedSeries[] {
  const all: DecodedSeries[] = []
  for (let series = 0; series < batch.seriesCount; series++) {
    all.push({
      labels: labelsIn(batch, batch.seriesLabelStart[series]!, batch.seriesLabelEnd[series]!),
      metadata: {
        type: batch.seriesMetadataType[series]!,
        help: symbolText(batch, batch.seriesHelpRef[series]!),
        unit: symbolText(batch, batch.seriesUnitRef[series]!),
      },
      samples: [],
      exemplars: [],
    })
  }
  for (let i = 0; i < batch.sampleCount; i++) {
    all[batch.sampleSeries[i]!]!.samples.push(sampleAt(batch, i))
  }
  for (let i = 0; i < batch.exemplarCount; i++) {
    all[batch.exemplarSeries[i]!]!.exemplars.push({
      labels: labelsIn(batch, batch.exemplarLabelStart[i]!, batch.exemplarLabelEnd[i]!),
      bits: bitsAt(batch.exemplarBits, i),
      timestampMs: batch.exemplarTimestampMs[i]!,
    })
  }
  return all
}

/** The 128 bits of a series' identity, as text. */
export function identityOf(batch: Batch, series: number): string {
  const words = batch.seriesIdentity.subarray(series * DIGEST_WORDS, (series + 1) * DIGEST_WORDS)
  return [...words].map((word) => word.toString(16).padStart(8, '0')).join('')
}

/** Refused elements by reason. */
export function rejectedOf(batch: Batch): { [reason: string]: number } {
  const rejected: { [reason: string]: number } = {}
  for (const [reason, { elements }] of batch.rejections) rejected[reason] = elements
  return rejected
}

/** The example of each reason. */
export function examplesOf(batch: Batch): { [reason: string]: string } {
  const examples: { [reason: string]: string } = {}
  for (const [reason, { example }] of batch.rejections) examples[reason] = example
  return examples
}

function sampleAt(batch: Batch, i: number): DecodedSample {
  const times = { timestampMs: batch.sampleTimestampMs[i]!, startMs: batch.sampleStartMs[i]! }
  const start = batch.sampleHistogramStart[i]!
  const end = batch.sampleHistogramEnd[i]!
  return end > start
    ? { ...times, histogram: decodeHistogram(batch.histogramBytes.subarray(start, end)) }
    : { ...times, bits: bitsAt(batch.sampleBits, i) }
}

function labelsIn(batch: Batch, from: number, to: number): [string, string][] {
  const labels: [string, string][] = []
  for (let i = from; i < to; i += 2) {
    const name = symbolText(batch, batch.labelRefs[i]!)
    labels.push([name, symbolText(batch, batch.labelRefs[i + 1]!)])
  }
  return labels
}

function bitsAt(words: Uint32Array, i: number): bigint {
  return (BigInt(words[i * 2 + 1]!) << 32n) | BigInt(words[i * 2]!)
}
