import type { DecodedSample, DecodedSeries } from './decoded.ts'
import { type Bits, bitsOf, type HistogramMessage } from './remote-write.ts'

/** A series of either version, as protobufjs read it, with its labels looked up. */
export type SentSeries = {
  labels: [name: string, value: string][]
  samples: { value: Bits; timestamp: Bits; startTimestamp: Bits }[]
  histograms: HistogramMessage[]
  exemplars: { labels: [string, string][]; value: Bits; timestamp: Bits }[]
  metadata: { type: number; help: string; unit: string }
  createdTimestamp: Bits
}

export type Expected = {
  series: DecodedSeries[]
  rejected: { [reason: string]: number }
  oversized: number
}

type Options = { isHistogramValid: (histogram: HistogramMessage) => boolean; mayBeEmpty: boolean }

/** What the rules say of a request, without a thought for speed: the decoders' specification. */
export function decodeNaively(sent: SentSeries[], options: Options): Expected {
  const expected: Expected = { series: [], rejected: {}, oversized: 0 }
  for (const series of sent) {
    const elements = series.samples.length + series.histograms.length + series.exemplars.length
    const labels = settled(series.labels)
    if (typeof labels === 'string') reject(expected, labels, elements)
    else if (!labels.some(([name]) => name === '__name__')) {
      reject(expected, 'name-missing', elements)
    } else if (elements === 0) {
      if (!options.mayBeEmpty) reject(expected, 'series-empty', 1)
    } else accept(expected, series, labels, options)
  }
  return expected
}

function reject(expected: Expected, reason: string, elements: number): void {
  expected.rejected[reason] = (expected.rejected[reason] ?? 0) + Math.max(1, elements)
}

function accept(
  expected: Expected,
  series: SentSeries,
  labels: [string, string][],
  { isHistogramValid }: Options,
): void {
  const samples: DecodedSample[] = []
  for (const { value, timestamp, startTimestamp } of series.samples) {
    if (typeof timestamp === 'bigint') reject(expected, 'timestamp-invalid', 1)
    else {
      const startMs = startOf(startTimestamp, series.createdTimestamp, timestamp)
      samples.push({ bits: bitsOf(value), timestampMs: timestamp, startMs })
    }
  }
  for (const histogram of series.histograms) {
    const { timestamp, startTimestamp } = histogram
    if (!isHistogramValid(histogram)) reject(expected, 'histogram-invalid', 1)
    else if (typeof timestamp === 'bigint') reject(expected, 'timestamp-invalid', 1)
    else {
      const startMs = startOf(startTimestamp, series.createdTimestamp, timestamp)
      samples.push({
        histogram: { ...histogram, timestamp: 0, startTimestamp: 0 },
        timestampMs: timestamp,
        startMs,
      })
    }
  }
  samples.sort((one, other) => one.timestampMs - other.timestampMs)

  const exemplars: DecodedSeries['exemplars'] = []
  for (const exemplar of series.exemplars) {
    const sorted = settled(exemplar.labels)
    const timestampMs = exemplar.timestamp === 0 ? samples.at(-1)?.timestampMs : exemplar.timestamp
    const isTimed = typeof timestampMs === 'number' && timestampMs !== 0
    if (typeof sorted === 'string' || !isTimed) reject(expected, 'exemplar-invalid', 1)
    else if ([...sorted.flat().join('')].length > 128) expected.oversized += 1
    else exemplars.push({ labels: sorted, bits: bitsOf(exemplar.value), timestampMs })
  }

  if (samples.length + exemplars.length === 0) return
  const { type, help, unit } = series.metadata
  expected.series.push({
    labels,
    metadata: { type: type > 7 ? 0 : type, help, unit },
    samples,
    exemplars,
  })
}

function startOf(own: Bits, created: Bits, timestampMs: number): number {
  const usable = (start: Bits) => (typeof start === 'number' ? start : 0)
  const startMs = usable(own) === 0 ? usable(created) : usable(own)
  return startMs > timestampMs ? 0 : startMs
}

function settled(labels: [string, string][]): [string, string][] | string {
  if (labels.some(([name]) => name === '')) return 'label-invalid'
  const kept = labels.filter(([, value]) => value !== '')
  if (new Set(kept.map(([name]) => name)).size < kept.length) return 'label-duplicate'
  return kept.toSorted(([one], [other]) => Buffer.compare(Buffer.from(one), Buffer.from(other)))
}
