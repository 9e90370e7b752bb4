import { Words64 } from '../decode/buckets.ts'
import { setCount } from '../decode/histogram-fields.ts'
import { HISTOGRAM_BUCKETS_MAX } from '../decode/limits.ts'
import { doubleOf } from './any-value.ts'
import { decimalOf } from './decimal.ts'
import { addExemplars, addPlaced, type Placed, placeExemplars } from './exemplars.ts'
import { type Metric, suffixed } from './metric.ts'
import { addNative, type NativeSum, setCustomBuckets } from './native-histogram.ts'
import type { Point } from './point.ts'

const TAGS = { attributes: 0x4a, exemplars: 0x42, flags: 0x50 }
const TWO_32 = 2 ** 32

/**
 * Reads histograms with explicit bounds: classic ones, of one series per bucket, or native ones
 * with custom buckets.
 *
 * A class, because it is scratch space, and remembers how the bounds are written.
 */
export class HistogramPoints {
  readonly #point: Point
  readonly #counts = new Words64()
  readonly #bounds = new Words64()
  /** Bounds of the point before, and their symbols: those of a metric are all the same. */
  readonly #lastBounds: number[] = []
  readonly #boundSymbols: number[] = []
  /** In two words: a double would round it, and native histograms are exact. */
  #countLow = 0
  #countHigh = 0
  #sum: NativeSum | null = null

  constructor(point: Point) {
    this.#point = point
  }

  beginRequest(): void {
    this.#lastBounds.length = 0
    this.#boundSymbols.length = 0
  }

  /** Reads a HistogramDataPoint, up to the reader's limit. */
  read(metric: Metric): void {
    const point = this.#point
    const { request } = point
    const asNative = request.options.convertHistogramsToNhcb
    this.#readFields()
    if (!point.settle(metric, asNative ? 0 : request.known.le)) return
    const problem = this.#problem()
    if (problem !== null) refuse(request, metric, problem)
    else if (asNative) this.#addNative(metric)
    else this.#addClassic(metric)
  }

  #readFields(): void {
    const point = this.#point
    const { reader } = point.request
    point.begin()
    this.#counts.length = 0
    this.#bounds.length = 0
    this.#countLow = 0
    this.#countHigh = 0
    this.#sum = null
    while (reader.hasMore()) {
      const tag = reader.uint32()
      switch (tag) {
        case 0x21:
          this.#countLow = reader.fixed64()
          this.#countHigh = reader.high
          break
        case 0x29:
          this.#sum = { low: reader.fixed64(), high: reader.high }
          break
        case 0x32:
          this.#counts.pushDoubles(reader)
          break
        case 0x31:
          this.#counts.pushDouble(reader)
          break
        case 0x3a:
          this.#bounds.pushDoubles(reader)
          break
        case 0x39:
          this.#bounds.pushDouble(reader)
          break
        default:
          if (!point.read(tag, TAGS)) reader.skip(tag)
      }
    }
  }

  #problem(): string | null {
    const buckets = this.#counts.length
    const { length, doubles } = this.#bounds
    if (buckets !== 0 && buckets !== length + 1) {
      return `${buckets} buckets and ${length} bounds: there must be one bucket more, or none`
    }
    if (length >= HISTOGRAM_BUCKETS_MAX) return `more than ${HISTOGRAM_BUCKETS_MAX} buckets`
    for (let i = 0; i < length; i++) {
      const isAscending = i === 0 ? !Number.isNaN(doubles[0]!) : doubles[i]! > doubles[i - 1]!
      if (!isAscending) return 'the explicit bounds are not strictly ascending'
    }
    if (length > 0 && doubles[length - 1] === Number.POSITIVE_INFINITY) {
      return 'the explicit bounds contain +Inf, which goes without saying'
    }
    return null
  }

  #addClassic(metric: Metric): void {
    const point = this.#point
    const { texts } = point.request
    if (this.#sum !== null) {
      const sum = doubleOf(this.#sum.low, this.#sum.high)
      point.addDouble(metric, suffixed(metric, 'sum', texts), 0, sum)
    }
    const count = this.#countLow + this.#countHigh * TWO_32
    point.addDouble(metric, suffixed(metric, 'count', texts), 0, count)

    const name = suffixed(metric, 'bucket', texts)
    const hasExemplars = point.exemplars.count > 0
    const placed = hasExemplars ? placeExemplars(point, metric, this.#bounds) : NONE
    let next = 0
    const bounds = this.#counts.length === 0 ? 0 : this.#bounds.length
    const { words } = this.#counts
    if (bounds === this.#bounds.length) this.#nameBounds(metric)
    let below = 0
    for (let i = 0; i < bounds; i++) {
      below += words[i * 2]! + words[i * 2 + 1]! * TWO_32
      point.addDouble(metric, name, this.#boundSymbols[i]!, below)
      next = addPlacedUpTo(point, placed, next, i)
    }
    point.addDouble(metric, name, texts.of('+Inf'), count)
    addPlacedUpTo(point, placed, next, this.#bounds.length)
  }

  /** Finds the symbols of the bounds, unless they are those of the point before. */
  #nameBounds(metric: Metric): void {
    const { length, doubles } = this.#bounds
    let isSame = length === this.#lastBounds.length
    for (let i = 0; i < length && isSame; i++) isSame = this.#lastBounds[i] === doubles[i]
    const { texts, plain } = this.#point.request
    if (!isSame) {
      this.#lastBounds.length = length
      this.#boundSymbols.length = length
      for (let i = 0; i < length; i++) {
        this.#lastBounds[i] = doubles[i]!
        this.#boundSymbols[i] = texts.of(decimalOf(doubles[i]!))
      }
    }
    plain.learnBounds(metric, this.#bounds, this.#boundSymbols, isSame)
  }

  #addNative(metric: Metric): void {
    const point = this.#point
    const { fields } = point.request.histograms
    setCustomBuckets(fields, this.#bounds, this.#counts)
    setCount(fields.count, 'integer', this.#countLow, this.#countHigh)
    const wasAdded = addNative(point, metric, this.#sum)
    if (wasAdded && metric.hasExemplars && point.exemplars.count > 0) addExemplars(point, metric)
  }
}

const NONE: Placed[] = []

function refuse(request: Point['request'], metric: Metric, problem: string): void {
  request.refuse('histogram-invalid', metric, () => problem)
}

/** Adds exemplars to the series of `bucket`; returns the first one of a later bucket. */
function addPlacedUpTo(point: Point, placed: Placed[], from: number, bucket: number): number {
  let next = from
  while (next < placed.length && placed[next]!.bucket <= bucket) addPlaced(point, placed[next++]!)
  return next
}
