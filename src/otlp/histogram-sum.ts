import type { Buckets } from '../decode/buckets.ts'
import { clearHistogram, type HistogramFields, setCount } from '../decode/histogram-fields.ts'

/** Of each side; more are merged, so that a sum stays as small as what senders make. */
const BUCKETS_MAX = 160
const SCHEMA_MIN = -4
const SCHEMA_CUSTOM = -53
const TWO_32 = 2 ** 32

/** A native histogram of integers, to add up. Never changed: what is added makes a new one. */
export type HistogramSum = {
  readonly schema: number
  readonly count: number
  readonly sum: number
  readonly zeroThreshold: number
  readonly zeroCount: number
  /** Upper bounds of schema -53. */
  readonly bounds: Float64Array
  /** Index, count, index, count, … ascending, none of them empty. */
  readonly positive: Float64Array
  readonly negative: Float64Array
}

/** How many rows of a series it takes in memory beyond its own. */
export function costOf(histogram: HistogramSum | null): number {
  if (histogram === null) return 0
  const { bounds, positive, negative } = histogram
  return Math.ceil((bounds.length + positive.length + negative.length) / 4)
}

/** What stands in `fields`, an integer histogram that is valid; null when it is too much. */
export function sumOf(fields: HistogramFields): HistogramSum | null {
  const { count, zeroCount, sum, zeroThreshold, customValues } = fields
  return merged({
    schema: fields.schema,
    count: count.low + count.high * TWO_32,
    sum: sum.doubles[0]!,
    zeroThreshold: zeroThreshold.doubles[0]!,
    zeroCount: zeroCount.low + zeroCount.high * TWO_32,
    bounds: customValues.doubles.slice(0, customValues.length),
    positive: Float64Array.from(fields.positive.integers()),
    negative: Float64Array.from(fields.negative.integers()),
  })
}

/** Null when they do not fit together, or make too much. */
export function added(one: HistogramSum, other: HistogramSum): HistogramSum | null {
  const isCustom = one.schema === SCHEMA_CUSTOM
  if (isCustom !== (other.schema === SCHEMA_CUSTOM)) return null
  if (one.bounds.length !== other.bounds.length) return null
  if (one.bounds.some((bound, i) => bound !== other.bounds[i])) return null
  const schema = Math.min(one.schema, other.schema)
  const sides = (side: 'positive' | 'negative') =>
    Float64Array.from([...coarser(one, side, schema), ...coarser(other, side, schema)])
  const sum = {
    schema,
    count: one.count + other.count,
    sum: one.sum + other.sum,
    zeroThreshold: Math.max(one.zeroThreshold, other.zeroThreshold),
    zeroCount: one.zeroCount + other.zeroCount,
    bounds: one.bounds,
    positive: sides('positive'),
    negative: sides('negative'),
  }
  return merged(one.zeroThreshold === other.zeroThreshold ? sum : withZeros(sum))
}

/** The buckets of one side at a resolution that is no finer. */
function coarser(histogram: HistogramSum, side: 'positive' | 'negative', schema: number) {
  const width = 2 ** (histogram.schema - schema)
  return histogram[side].map((one, i) => (i % 2 === 0 ? Math.ceil(one / width) : one))
}

/** Buckets inside the zero bucket become part of it; it is widened over those that it cuts. */
function withZeros(histogram: HistogramSum): HistogramSum {
  const boundOf = (index: number) => 2 ** (index / 2 ** histogram.schema)
  const sides = [histogram.positive, histogram.negative]
  let { zeroThreshold, zeroCount } = histogram
  for (let before = -1; before !== zeroThreshold; ) {
    before = zeroThreshold
    for (const side of sides) {
      for (let i = 0; i < side.length; i += 2) {
        const isCut = boundOf(side[i]! - 1) < zeroThreshold
        if (isCut) zeroThreshold = Math.max(zeroThreshold, boundOf(side[i]!))
      }
    }
  }
  const [positive, negative] = sides.map((side) => {
    const outside: number[] = []
    for (let i = 0; i < side.length; i += 2) {
      if (boundOf(side[i]!) <= zeroThreshold) zeroCount += side[i + 1]!
      else outside.push(side[i]!, side[i + 1]!)
    }
    return Float64Array.from(outside)
  }) as [Float64Array, Float64Array]
  return { ...histogram, zeroThreshold, zeroCount, positive, negative }
}

/** Buckets in order, each once, and as coarse as it takes to be few enough. */
function merged(histogram: HistogramSum): HistogramSum | null {
  if (histogram.count > Number.MAX_SAFE_INTEGER) return null
  const isCustom = histogram.schema === SCHEMA_CUSTOM
  for (let schema = histogram.schema; isCustom || schema >= SCHEMA_MIN; schema--) {
    const [positive, negative] = [histogram.positive, histogram.negative].map((side) =>
      mergedSide(side, 2 ** (histogram.schema - schema)),
    ) as [Float64Array, Float64Array]
    const isSmall = Math.max(positive.length, negative.length) <= BUCKETS_MAX * 2
    if (isCustom || isSmall) return { ...histogram, schema, positive, negative }
  }
  return null
}

function mergedSide(side: Float64Array, width: number): Float64Array {
  const counts = new Map<number, number>()
  for (let i = 0; i < side.length; i += 2) {
    const index = Math.ceil(side[i]! / width)
    counts.set(index, (counts.get(index) ?? 0) + side[i + 1]!)
  }
  const buckets = [...counts].sort(([one], [other]) => one - other)
  return Float64Array.from(buckets.flat())
}

/** The most bytes that it takes when it is written. */
export function bytesMaxOf({ bounds, positive, negative }: HistogramSum): number {
  // A bucket may need a span of its own.
  return 100 + bounds.length * 8 + (positive.length + negative.length) * 15
}

export function fill(fields: HistogramFields, histogram: HistogramSum): void {
  clearHistogram(fields)
  fields.schema = histogram.schema
  setCount(fields.count, 'integer', histogram.count % TWO_32, Math.floor(histogram.count / TWO_32))
  const { zeroCount } = histogram
  setCount(fields.zeroCount, 'integer', zeroCount % TWO_32, Math.floor(zeroCount / TWO_32))
  fields.sum.doubles[0] = histogram.sum
  fields.zeroThreshold.doubles[0] = histogram.zeroThreshold
  const words = new Uint32Array(histogram.bounds.buffer)
  for (let i = 0; i < words.length; i += 2) fields.customValues.push(words[i]!, words[i + 1]!)
  fillSide(fields.positive, histogram.positive)
  fillSide(fields.negative, histogram.negative)
}

/** A span for each run of neighbours. */
function fillSide(side: Buckets, buckets: Float64Array): void {
  let end = 0
  let before = 0
  for (let i = 0; i < buckets.length; ) {
    const from = buckets[i]!
    let length = 0
    for (; i < buckets.length && buckets[i] === from + length; i += 2, length++) {
      const delta = BigInt.asUintN(64, BigInt(buckets[i + 1]! - before))
      side.deltas.push(Number(delta & 0xffff_ffffn), Number(delta >> 32n))
      before = buckets[i + 1]!
    }
    side.addSpan(from - end, length)
    end = from + length
  }
}
