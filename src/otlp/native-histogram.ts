import type { Buckets, Words64 } from '../decode/buckets.ts'
import { histogramProblem } from '../decode/histogram-check.ts'
import { clearHistogram, type HistogramFields, setDouble } from '../decode/histogram-fields.ts'
import type { Metric } from './metric.ts'
import { type Point, STALE_HIGH, STALE_LOW } from './point.ts'

/** So many empty buckets are written out; more begin a new span. */
const GAP_MAX = 2
const SCHEMA_CUSTOM = -53

/** The bits of a double; a histogram of negative observations may have none. */
export type NativeSum = { low: number; high: number }

/**
 * Fills one side with the buckets from `index` on, and leaves out what is empty at its start
 * and in wide gaps. `counts` are unsigned integers.
 */
export function setBuckets(side: Buckets, index: number, counts: Words64): void {
  const { words } = counts
  let spanFrom = 0
  let spanTo = 0
  /** End of the span before, of which the next one's offset is counted. */
  let end = 0
  let before = 0n
  const closeSpan = (): void => {
    if (spanTo > spanFrom) side.addSpan(spanFrom + index - end, spanTo - spanFrom)
    if (spanTo > spanFrom) end = spanTo + index
  }
  const push = (count: bigint): void => {
    const delta = BigInt.asUintN(64, count - before)
    side.deltas.push(Number(delta & 0xffff_ffffn), Number(delta >> 32n))
    before = count
  }
  for (let i = 0; i < counts.length; i++) {
    if ((words[i * 2]! | words[i * 2 + 1]!) === 0) continue
    const gap = i - spanTo
    if (spanTo === spanFrom || gap > GAP_MAX) {
      closeSpan()
      spanFrom = i
    } else for (let empty = 0; empty < gap; empty++) push(0n)
    push((BigInt(words[i * 2 + 1]!) << 32n) | BigInt(words[i * 2]!))
    spanTo = i + 1
  }
  closeSpan()
}

/** Fills `fields` with buckets between `bounds`: schema -53, which has bucket 0 from -Inf up. */
export function setCustomBuckets(fields: HistogramFields, bounds: Words64, counts: Words64): void {
  clearHistogram(fields)
  fields.schema = SCHEMA_CUSTOM
  for (let i = 0; i < bounds.length; i++) {
    fields.customValues.push(bounds.words[i * 2]!, bounds.words[i * 2 + 1]!)
  }
  setBuckets(fields.positive, 0, counts)
}

/**
 * Adds the sum to what is in the request's histogram, its count among it, and appends it as a
 * series of its own. A stale one has neither count nor buckets. Returns false when it is
 * invalid, and the point was refused.
 */
export function addNative(point: Point, metric: Metric, sum: NativeSum | null): boolean {
  const { request, timestampMs, startMs } = point
  const { fields } = request.histograms
  if (point.isStale) {
    const { schema } = fields
    clearHistogram(fields)
    fields.schema = schema
    setDouble(fields.sum, STALE_LOW, STALE_HIGH)
  } else {
    setDouble(fields.sum, sum?.low ?? 0, sum?.high ?? 0)
    const problem = histogramProblem(fields)
    if (problem !== null) {
      request.refuse('histogram-invalid', metric, () => problem)
      return false
    }
  }
  request.addSeries(metric, metric.name, 0)
  request.addHistogram(timestampMs, startMs)
  return true
}
