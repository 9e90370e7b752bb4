import { type Counts, noCounts } from '../model/counts.ts'
import { ProtobufReader } from '../wire/protobuf-reader.ts'
import type { ProtobufWriter } from '../wire/protobuf-writer.ts'

/** `field << 3 | wireType` of io.prometheus.write.v2.Request and of its TimeSeries. */
const REQUEST_TIMESERIES = 0x2a
const SERIES_SAMPLES = 0x12
const SERIES_HISTOGRAMS = 0x1a
const SERIES_EXEMPLARS = 0x22

/** A 2.0 request taken apart by its series, without looking into them. */
export type RemoteWrite2 = {
  raw: Uint8Array
  /** Ranges of `raw`, start and end in turn: per series, its field with tag and length. */
  series: number[]
  /** The same for every other field: the symbols. */
  rest: number[]
}

const reader = new ProtobufReader()

/** Null when `raw` is damaged. The result refers to `raw`. */
export function readRemoteWrite2(raw: Uint8Array): RemoteWrite2 | null {
  const series: number[] = []
  const rest: number[] = []
  reader.reset(raw)
  while (reader.hasMore()) {
    const start = reader.at
    const tag = reader.uint32()
    reader.skip(tag)
    const ranges = tag === REQUEST_TIMESERIES ? series : rest
    ranges.push(start, reader.at)
  }
  return reader.malformed === null ? { raw, series, rest } : null
}

export function seriesCount({ series }: RemoteWrite2): number {
  return series.length / 2
}

/**
 * Writes the request with the series `from` up to `to` alone, in place of what `out` held,
 * and counts them. All symbols go along, so that no reference has to change.
 */
export function writePart(
  { raw, series, rest }: RemoteWrite2,
  from: number,
  to: number,
  out: ProtobufWriter,
): Counts {
  out.clear()
  for (let i = 0; i < rest.length; i += 2) out.raw(raw, rest[i]!, rest[i + 1]!)
  const counts = noCounts()
  for (let i = 2 * from; i < 2 * to; i += 2) {
    out.raw(raw, series[i]!, series[i + 1]!)
    countElements(raw, series[i]!, series[i + 1]!, counts)
  }
  return counts
}

function countElements(raw: Uint8Array, from: number, to: number, counts: Counts): void {
  reader.reset(raw, from, to)
  reader.uint32()
  const outer = reader.enter()
  while (reader.hasMore()) {
    const tag = reader.uint32()
    if (tag === SERIES_SAMPLES) counts.samples += 1
    else if (tag === SERIES_HISTOGRAMS) counts.histograms += 1
    else if (tag === SERIES_EXEMPLARS) counts.exemplars += 1
    reader.skip(tag)
  }
  reader.leave(outer)
}
