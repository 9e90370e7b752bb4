import type { Batch } from '../model/batch.ts'
import { type Counts, noCounts } from '../model/counts.ts'
import { ProtobufReader } from '../wire/protobuf-reader.ts'
import type { ProtobufWriter } from '../wire/protobuf-writer.ts'

/** `field << 3 | wireType` of prometheus.WriteRequest and what is in it. */
const REQUEST_TIMESERIES = 0x0a
const SERIES_LABELS = 0x0a
const SERIES_SAMPLES = 0x12
const SERIES_EXEMPLARS = 0x1a
const SERIES_HISTOGRAMS = 0x22
const LABEL_NAME = 0x0a
const LABEL_VALUE = 0x12
const SAMPLE_VALUE = 0x09
const SAMPLE_TIMESTAMP = 0x10
const EXEMPLAR_LABELS = 0x0a
const EXEMPLAR_VALUE = 0x11
const EXEMPLAR_TIMESTAMP = 0x18
const HISTOGRAM_SCHEMA = 0x20
const HISTOGRAM_TIMESTAMP = 0x78

/** Custom buckets: a histogram that Remote Write 1.0 cannot carry. */
const CUSTOM_BUCKETS_SCHEMA = -53

export type Encoded = {
  /** What is in the message. */
  counts: Counts
  /** What Remote Write 1.0 has no place for. */
  dropped: Counts
}

/**
 * Writes a part of a batch as prometheus.WriteRequest, in place of what `out` held:
 * the series `fromSeries` up to `toSeries`, with their exemplars and without start
 * timestamps and metadata.
 *
 * A series that has both float samples and histograms becomes several with the same
 * labels, because a receiver takes all floats of one before its histograms, and so would
 * see them out of order.
 *
 * @param samples range of the batch's samples: no others are written
 * @see https://prometheus.io/docs/specs/prw/remote_write_spec/
 */
export function encodeRemoteWrite1(
  batch: Batch,
  fromSeries: number,
  toSeries: number,
  out: ProtobufWriter,
  samples = { from: 0, to: batch.sampleCount },
): Encoded {
  const { sampleSeries, exemplarCount, exemplarSeries } = batch
  const sampleCount = samples.to
  const counts = noCounts()
  const dropped = noCounts()
  out.clear()

  let sample = Math.max(samples.from, firstOf(sampleSeries, sampleCount, fromSeries))
  let exemplar = firstOf(exemplarSeries, exemplarCount, fromSeries)
  for (let series = fromSeries; series < toSeries; series++) {
    const firstSample = sample
    while (sample < sampleCount && sampleSeries[sample] === series) sample++
    const firstExemplar = exemplar
    while (exemplar < exemplarCount && exemplarSeries[exemplar] === series) exemplar++

    let opened = writeSamples(batch, series, firstSample, sample, out, counts, dropped)
    // Where a series is written in parts, they go with its last one.
    const goesOn = sample < batch.sampleCount && sampleSeries[sample] === series
    const exemplars = goesOn ? 0 : exemplar - firstExemplar
    if (opened === -1 && sample > firstSample) {
      // A receiver knows exemplars only of series that it has samples of.
      dropped.exemplars += exemplars
    } else if (exemplars > 0) {
      if (opened === -1) opened = openSeries(batch, series, out)
      writeExemplars(batch, firstExemplar, exemplar, out)
      counts.exemplars += exemplars
    }
    if (opened !== -1) out.close(opened)
  }
  return { counts, dropped }
}

/** Place of the first entry that belongs to `series` or a later one; entries ascend. */
export function firstOf(column: Uint32Array, count: number, series: number): number {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (column[middle]! < series) low = middle + 1
    else high = middle
  }
  return low
}

/** Returns the TimeSeries that it left open, or -1 when it wrote none. */
function writeSamples(
  batch: Batch,
  series: number,
  from: number,
  to: number,
  out: ProtobufWriter,
  counts: Counts,
  dropped: Counts,
): number {
  let opened = -1
  let holdsHistograms = false
  for (let i = from; i < to; i++) {
    const isHistogram = batch.sampleHistogramEnd[i] !== 0
    if (isHistogram && hasCustomBuckets(batch, i)) {
      dropped.histograms += 1
      continue
    }
    if (opened === -1 || isHistogram !== holdsHistograms) {
      if (opened !== -1) out.close(opened)
      opened = openSeries(batch, series, out)
      holdsHistograms = isHistogram
    }
    if (isHistogram) {
      writeHistogram(batch, i, out)
      counts.histograms += 1
    } else {
      writeFloat(batch, i, out)
      counts.samples += 1
    }
  }
  return opened
}

function writeExemplars(batch: Batch, from: number, to: number, out: ProtobufWriter): void {
  const { exemplarLabelStart, exemplarLabelEnd, exemplarBits, exemplarTimestampMs } = batch
  for (let i = from; i < to; i++) {
    out.uint32(SERIES_EXEMPLARS)
    const message = out.open()
    writeLabels(batch, exemplarLabelStart[i]!, exemplarLabelEnd[i]!, EXEMPLAR_LABELS, out)
    out.uint32(EXEMPLAR_VALUE)
    out.fixed64(exemplarBits[2 * i]!, exemplarBits[2 * i + 1]!)
    out.uint32(EXEMPLAR_TIMESTAMP)
    out.int64(exemplarTimestampMs[i]!)
    out.close(message)
  }
}

function openSeries(batch: Batch, series: number, out: ProtobufWriter): number {
  out.uint32(REQUEST_TIMESERIES)
  const opened = out.open()
  const { seriesLabelStart, seriesLabelEnd } = batch
  writeLabels(batch, seriesLabelStart[series]!, seriesLabelEnd[series]!, SERIES_LABELS, out)
  return opened
}

function writeLabels(
  batch: Batch,
  from: number,
  to: number,
  tag: number,
  out: ProtobufWriter,
): void {
  const { bytes, labelRefs, symbolStart, symbolEnd } = batch
  for (let i = from; i < to; i += 2) {
    const name = labelRefs[i]!
    const value = labelRefs[i + 1]!
    out.uint32(tag)
    const label = out.open()
    out.uint32(LABEL_NAME)
    out.lengthDelimited(bytes, symbolStart[name]!, symbolEnd[name]!)
    out.uint32(LABEL_VALUE)
    out.lengthDelimited(bytes, symbolStart[value]!, symbolEnd[value]!)
    out.close(label)
  }
}

function writeFloat(batch: Batch, i: number, out: ProtobufWriter): void {
  out.uint32(SERIES_SAMPLES)
  const message = out.open()
  out.uint32(SAMPLE_VALUE)
  // Two words and never a number: a stale marker is a NaN that arithmetic would quieten.
  out.fixed64(batch.sampleBits[2 * i]!, batch.sampleBits[2 * i + 1]!)
  out.uint32(SAMPLE_TIMESTAMP)
  out.int64(batch.sampleTimestampMs[i]!)
  out.close(message)
}

/** A batch keeps histograms as 2.0 messages, and 1.0 gives their fields the same numbers. */
function writeHistogram(batch: Batch, i: number, out: ProtobufWriter): void {
  out.uint32(SERIES_HISTOGRAMS)
  const message = out.open()
  out.raw(batch.histogramBytes, batch.sampleHistogramStart[i]!, batch.sampleHistogramEnd[i]!)
  out.uint32(HISTOGRAM_TIMESTAMP)
  out.int64(batch.sampleTimestampMs[i]!)
  out.close(message)
}

const reader = new ProtobufReader()

function hasCustomBuckets(batch: Batch, i: number): boolean {
  reader.reset(batch.histogramBytes, batch.sampleHistogramStart[i]!, batch.sampleHistogramEnd[i]!)
  while (reader.hasMore()) {
    const tag = reader.uint32()
    if (tag === HISTOGRAM_SCHEMA) return reader.sint32() === CUSTOM_BUCKETS_SCHEMA
    reader.skip(tag)
  }
  return false
}
