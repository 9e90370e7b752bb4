import type { Count, HistogramFields } from './histogram-fields.ts'
import { HISTOGRAM_BUCKETS_MAX } from './limits.ts'

const SCHEMA_MIN = -4
/** The finest schema that may be sent; Prometheus stores none finer than 8. */
const SCHEMA_MAX = 52
/** Buckets with bounds of their own (NHCB). */
const SCHEMA_CUSTOM = -53

/**
 * Why a native histogram is invalid, or null.
 *
 * What is refused here is what a Prometheus would refuse; some of its versions do that with
 * a 5xx, and would then be sent the same histogram for ever.
 *
 * @see https://prometheus.io/docs/specs/native_histograms/
 */
export function histogramProblem(fields: HistogramFields): string | null {
  const { count, zeroThreshold, customValues } = fields
  const sides = [fields.positive, fields.negative]
  const hasManyBounds = customValues.length > HISTOGRAM_BUCKETS_MAX
  if (hasManyBounds || sides.some((side) => side.isTooLarge())) {
    return `more than ${HISTOGRAM_BUCKETS_MAX} buckets`
  }
  for (const side of sides) {
    const { length } = count.kind === 'float' ? side.counts : side.deltas
    const problem = side.spanProblem(length)
    if (problem !== null) return problem
  }
  if (!(zeroThreshold.doubles[0]! >= 0)) return 'the zero threshold is not a number from 0 up'
  return (
    schemaProblem(fields) ??
    (count.kind === 'float' ? floatProblem(fields) : integerProblem(fields))
  )
}

function schemaProblem(fields: HistogramFields): string | null {
  const { schema, customValues } = fields
  if (schema === SCHEMA_CUSTOM) return customProblem(fields)
  if (schema < SCHEMA_MIN || schema > SCHEMA_MAX) return `schema ${schema} is unknown`
  return customValues.length === 0 ? null : `custom values in schema ${schema}`
}

function customProblem(fields: HistogramFields): string | null {
  const { doubles, length } = fields.customValues
  for (let i = 0; i < length; i++) {
    const isAscending = i === 0 ? !Number.isNaN(doubles[0]!) : doubles[i]! > doubles[i - 1]!
    if (!isAscending) return 'custom values are not strictly ascending'
  }
  if (length > 0 && doubles[length - 1] === Number.POSITIVE_INFINITY) {
    return 'custom values contain +Inf, which goes without saying'
  }
  if (fields.zeroThreshold.doubles[0] !== 0 || !isZero(fields.zeroCount)) {
    return 'a zero bucket beside custom values'
  }
  const { negative, positive } = fields
  if (negative.spanCount + negative.deltas.length + negative.counts.length > 0) {
    return 'negative buckets beside custom values'
  }
  const end = positive.spanEnd()
  if (end === -1) return 'a span with a negative offset beside custom values'
  return end > length + 1 ? `bucket ${end} of ${length + 1} custom ones` : null
}

function floatProblem({ count, zeroCount, positive, negative }: HistogramFields): string | null {
  const isNegative =
    doubleOf(count) < 0 ||
    (zeroCount.kind === 'float' && doubleOf(zeroCount) < 0) ||
    positive.hasNegativeCount() ||
    negative.hasNegativeCount()
  return isNegative ? 'a count is negative' : null
}

function integerProblem(fields: HistogramFields): string | null {
  const positive = fields.positive.total()
  const negative = fields.negative.total()
  if (positive === null || negative === null) return 'a bucket is negative or beyond 2^63'

  const count = integerOf(fields.count)
  const zeroCount = fields.zeroCount.kind === 'integer' ? integerOf(fields.zeroCount) : 0n
  const inBuckets = positive + negative + zeroCount
  if (inBuckets === count) return null
  // Observations that are not numbers are counted, and lie in no bucket. A stale marker's
  // sum is not a number either, and its count may be anything.
  const sumIsNumber = !Number.isNaN(fields.sum.doubles[0])
  if (!sumIsNumber && inBuckets < count) return null
  return `${inBuckets} observations in buckets, but a count of ${count}`
}

function isZero(count: Count): boolean {
  return count.kind === 'float' ? doubleOf(count) === 0 : (count.low | count.high) === 0
}

function integerOf({ low, high }: Count): bigint {
  return (BigInt(high) << 32n) | BigInt(low)
}

const conversion = new Float64Array(1)
const conversionWords = new Uint32Array(conversion.buffer)

function doubleOf({ low, high }: Count): number {
  conversionWords[0] = low
  conversionWords[1] = high
  return conversion[0]!
}
