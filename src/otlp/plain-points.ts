import type { Words64 } from '../decode/buckets.ts'
import type { RequestLimits } from '../decode/limits.ts'
import * as layout from '../kernel/layout.ts'
import type { Batch } from '../model/batch.ts'
import type { ProtobufReader } from '../wire/protobuf-reader.ts'
import type { AttributeList } from './attribute-list.ts'
import type { BaseLabels } from './base-labels.ts'
import type { Shape } from './label-shapes.ts'
import { HISTOGRAM, type Metric, suffixed } from './metric.ts'
import type { TextSymbols } from './text-symbols.ts'

const SHAPE_WORDS = layout.SHAPE_BYTES / 4
const METRIC_WORDS = layout.METRIC_BYTES / 4
/** Behind the keys of a shape, and behind its names: `assembly/point-shape.ts`. */
const SHAPE_KEYS = 4
const SHAPE_NAMES = 36
const SHAPE_ORDER_BYTES = 272
const WITH_LE = 0x10000
/** Of a known metric: `assembly/known-metric.ts`. */
const METRIC_BOUNDS = 12
const INFINITY = '+Inf'

/** What has to be the same for a metric to be the one that was described. */
export type MetricTraits = { sent: number; unit: number; kind: number; traits: number }

/**
 * Points as nearly all of them come: of a metric that the request had before, with attributes
 * whose keys came together before, without exemplars and flags. The kernel reads them in one
 * go, and all else is left to the general way, which tells the kernel what it found out.
 *
 * A class, because it knows how much of the kernel's memory is taken.
 */
export class PlainPoints {
  readonly #texts: TextSymbols
  readonly #limits: RequestLimits
  #batch!: Batch
  /** Symbols of `__name__` and `le`. */
  #nameLabel = 0
  #le = 0
  #metrics = 0
  /** The bounds that were written last, and where the next ones go, in words. */
  #bounds = { at: 0, count: 0, widest: 0 }
  #boundsFree = 0

  constructor(texts: TextSymbols, limits: RequestLimits) {
    this.#texts = texts
    this.#limits = limits
  }

  beginRequest(batch: Batch): void {
    const { registers, points } = batch.kernel
    this.#batch = batch
    this.#nameLabel = this.#texts.of('__name__')
    this.#le = this.#texts.of('le')
    this.#metrics = 0
    this.#bounds.at = 0
    this.#boundsFree = 0
    if (++registers[layout.AT_EPOCH]! === 0) {
      points.clear()
      registers[layout.AT_EPOCH] = 1
    }
    registers[layout.AT_LABEL_BYTES] = 0
    registers[layout.AT_LABEL_BYTES_MAX] = this.#limits.labelBytes
    registers[layout.AT_ELEMENTS_MAX] = this.#limits.elements
    registers[layout.AT_SYMBOLS_MAX] = this.#limits.symbols
    registers[layout.AT_POINT_COUNT] = 0
    registers[layout.AT_RESUME] = 0
    registers[layout.AT_BASE_VERSION] = 0
  }

  /** What the points that follow have from resource and scope. */
  setBase({ names, values, identity, bytes, isValid, version }: BaseLabels): void {
    const { registers, points } = this.#batch.kernel
    const count = names.length
    const isPlain = isValid && count <= layout.POINT_BASE_MAX
    registers[layout.AT_BASE_VERSION] = isPlain ? version : 0
    if (!isPlain) return
    registers[layout.AT_BASE_COUNT] = count
    registers[layout.AT_BASE_BYTES] = bytes
    points.baseSum.set(identity)
    const { labels } = points
    for (let i = 0; i < count; i++) {
      labels[i * 2] = names[i]!
      labels[i * 2 + 1] = values[i]!
    }
    labels[count * 2] = this.#nameLabel
    labels[count * 2 + 2] = this.#le
  }

  /** A point whose attributes are valid labels under names that nothing else has. */
  learnShape({ count, keys, names }: AttributeList, shape: Shape): void {
    const { kernel } = this.#batch
    const { registers, points } = kernel
    const version = registers[layout.AT_BASE_VERSION]!
    const isKnown = shape.extra === 0 || shape.extra === this.#le
    if (!isKnown || version === 0 || count > layout.POINT_OWN_MAX) return
    for (let i = 0; i < count; i++) points.keys[i] = keys[i]!
    const hasLe = shape.extra !== 0
    const at = kernel.placeOfShape(count, hasLe)
    const words = at * SHAPE_WORDS
    points.shapes[words] = registers[layout.AT_EPOCH]!
    points.shapes[words + 1] = version
    points.shapes[words + 2] = hasLe ? count + WITH_LE : count
    points.shapes[words + 3] = shape.order.length
    for (let i = 0; i < count; i++) {
      points.shapes[words + SHAPE_KEYS + i] = keys[i]!
      points.shapes[words + SHAPE_NAMES + i] = names[i]!
    }
    const order = at * layout.SHAPE_BYTES + SHAPE_ORDER_BYTES
    const base = registers[layout.AT_BASE_COUNT]!
    for (let i = 0; i < shape.order.length; i++) {
      const place = shape.order[i]!
      // Its own labels are the first ones there, and the last ones here.
      points.shapeBytes[order + i] = place < count ? base + 2 + place : place - count
    }
  }

  /** A metric whose points can be taken. Returns its number, or -1 when there are too many. */
  learnMetric({ sent, unit, kind, traits: own }: MetricTraits, metric: Metric): number {
    if (this.#metrics === layout.METRICS_MAX) return -1
    const { registers, points } = this.#batch.kernel
    const number = this.#metrics++
    const texts = this.#texts
    const { help, name, type, hasStart } = metric
    const at = number * METRIC_WORDS
    const row = points.metrics
    row[at] = registers[layout.AT_EPOCH]!
    row[at + 1] = sent
    row[at + 2] = unit
    row[at + 3] = kind
    row[at + 4] = own
    row[at + 5] = help
    row[at + 6] = name
    row[at + 7] = type
    row[at + 8] = hasStart ? 1 : 0
    row[at + METRIC_BOUNDS] = 0
    if (type === HISTOGRAM) {
      row[at + 9] = suffixed(metric, 'sum', texts)
      row[at + 10] = suffixed(metric, 'count', texts)
      row[at + 11] = suffixed(metric, 'bucket', texts)
    }
    points.metricOfSymbol[sent] = number
    return number
  }

  /** Bounds of a metric's points and their symbols; `areSame` when they were learnt last. */
  learnBounds({ number }: Metric, bounds: Words64, symbols: number[], areSame: boolean): void {
    if (number < 0) return
    if (!areSame || this.#bounds.at === 0) this.#writeBounds(bounds, symbols)
    const { metrics } = this.#batch.kernel.points
    const { at, count, widest } = this.#bounds
    metrics.set([at, count, widest], number * METRIC_WORDS + METRIC_BOUNDS)
  }

  #writeBounds({ length, words }: Words64, symbols: number[]): void {
    const { kernel, symbolStart, symbolEnd } = this.#batch
    kernel.registers[layout.AT_INFINITY] = this.#texts.of(INFINITY)
    this.#bounds.at = 0
    const free = this.#boundsFree
    const end = free + length * 3
    if (end > layout.BOUNDS_BYTES_MAX / 4) return
    this.#boundsFree = end
    kernel.points.bounds.set(words.subarray(0, length * 2), free)
    kernel.points.bounds.set(symbols, free + length * 2)
    const widths = symbols.map((symbol) => symbolEnd[symbol]! - symbolStart[symbol]!)
    const widest = Math.max(INFINITY.length, ...widths)
    this.#bounds = { at: layout.BOUNDS + free * 4, count: length, widest }
  }

  /** The text of a value that is none, by the symbol of its bytes. */
  learnValue(raw: number, text: number): void {
    const { registers, points } = this.#batch.kernel
    points.valueText[raw * 2] = registers[layout.AT_EPOCH]!
    points.valueText[raw * 2 + 1] = text
  }

  /** Reads metrics from the reader on, up to the first that is not plain. */
  readMetrics(reader: ProtobufReader): void {
    reader.at = this.#batch.kernel.readMetrics(reader.at, reader.limit)
  }

  /** Where in the metric that was not plain the point lies that was not, 0 for its beginning. */
  takeResume(): number {
    const { registers } = this.#batch.kernel
    const at = registers[layout.AT_RESUME]!
    registers[layout.AT_RESUME] = 0
    return at
  }

  /** Reads points of `metric` from the reader on, up to the first that is not plain. */
  readPoints(reader: ProtobufReader, { number, help }: Metric): void {
    reader.at = this.#batch.kernel.readPointsOf(number, help, reader.at, reader.limit)
  }
}
