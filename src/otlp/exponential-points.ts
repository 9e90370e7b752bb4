import { type Buckets, Words64 } from '../decode/buckets.ts'
import { clearHistogram, setCount, setDouble } from '../decode/histogram-fields.ts'
import { HISTOGRAM_BUCKETS_MAX } from '../decode/limits.ts'
import { addExemplars } from './exemplars.ts'
import type { Metric } from './metric.ts'
import { addNative, type NativeSum, setBuckets } from './native-histogram.ts'
import type { Point } from './point.ts'

const TAGS = { attributes: 0x0a, exemplars: 0x5a, flags: 0x50 }
/** 1e-128, in two words: the zero bucket of whoever does not say how wide it is. */
const ZERO_THRESHOLD = new Uint32Array(Float64Array.of(1e-128).buffer)
const INDEX_MAX = 2 ** 31 - 2
/** Finer than this nothing changes: what is stored depends on the sign of an index alone. */
const SCALE_MAX = 52

type Side = { offset: number; counts: Words64 }

/**
 * Reads exponential histograms as native ones. Index i of OTLP is that of the bucket *above*
 * its lower bound, which natively is i + 1; resolutions that Prometheus does not store are
 * merged down, bucket by bucket.
 *
 * A class, because it is scratch space.
 */
export class ExponentialPoints {
  readonly #point: Point
  readonly #positive: Side = { offset: 0, counts: new Words64() }
  readonly #negative: Side = { offset: 0, counts: new Words64() }

  constructor(point: Point) {
    this.#point = point
  }

  /** Reads an ExponentialHistogramDataPoint, up to the reader's limit. */
  read(metric: Metric): void {
    const point = this.#point
    const { request } = point
    const { reader } = request
    const { fields } = request.histograms
    clearHistogram(fields)
    setDouble(fields.zeroThreshold, ZERO_THRESHOLD[0]!, ZERO_THRESHOLD[1]!)
    for (const side of [this.#positive, this.#negative]) {
      side.offset = 0
      side.counts.length = 0
    }
    let sum: NativeSum | null = null
    point.begin()
    while (reader.hasMore()) {
      const tag = reader.uint32()
      switch (tag) {
        case 0x21:
          setCount(fields.count, 'integer', reader.fixed64(), reader.high)
          break
        case 0x29:
          sum = { low: reader.fixed64(), high: reader.high }
          break
        case 0x30:
          fields.schema = Math.min(reader.sint32(), SCALE_MAX)
          break
        case 0x39:
          setCount(fields.zeroCount, 'integer', reader.fixed64(), reader.high)
          break
        case 0x42:
          this.#readSide(this.#positive)
          break
        case 0x4a:
          this.#readSide(this.#negative)
          break
        case 0x71: {
          const low = reader.fixed64()
          if (request.options.keepZeroThreshold && (low | reader.high) !== 0) {
            setDouble(fields.zeroThreshold, low, reader.high)
          }
          break
        }
        default:
          if (!point.read(tag, TAGS)) reader.skip(tag)
      }
    }
    if (!point.settle(metric, 0)) return
    const areSet =
      setSide(fields.positive, this.#positive) && setSide(fields.negative, this.#negative)
    if (!areSet) {
      const why = () => 'a bucket index beyond 32 bits, or more than 65536 buckets'
      request.refuse('histogram-invalid', metric, why)
      return
    }
    const wasAdded = addNative(point, metric, sum)
    if (wasAdded && metric.hasExemplars && point.exemplars.count > 0) addExemplars(point, metric)
  }

  #readSide(side: Side): void {
    const { reader } = this.#point.request
    const outer = reader.enter()
    while (reader.hasMore()) {
      const tag = reader.uint32()
      if (tag === 0x08) side.offset = reader.sint32()
      else if (tag === 0x10) side.counts.push(reader.varint64(), reader.high)
      else if (tag === 0x12) {
        const packed = reader.enter()
        while (reader.hasMore()) side.counts.push(reader.varint64(), reader.high)
        reader.leave(packed)
      } else reader.skip(tag)
    }
    reader.leave(outer)
  }
}

/** Returns false when its indices make no sense. */
function setSide(buckets: Buckets, { offset, counts }: Side): boolean {
  const isSane = offset + counts.length <= INDEX_MAX && counts.length <= HISTOGRAM_BUCKETS_MAX
  if (isSane) setBuckets(buckets, offset + 1, counts)
  return isSane
}
