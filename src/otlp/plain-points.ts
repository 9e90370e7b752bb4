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
    const { shapes } = points
    const row = at * SHAPE_WORDS
    shapes[row + layout.SHAPE_EPOCH] = registers[layout.AT_EPOCH]!
    shapes[row + layout.SHAPE_VERSION] = version
    shapes[row + layout.SHAPE_OWN] = hasLe ? count + layout.SHAPE_WITH_LE : count
    shapes[row + layout.SHAPE_TOTAL] = shape.order.length
    for (let i = 0; i < count; i++) {
      shapes[row + layout.SHAPE_KEYS + i] = keys[i]!
      shapes[row + layout.SHAPE_NAMES + i] = names[i]!
    }
    const order = at * layout.SHAPE_BYTES + layout.SHAPE_ORDER * 4
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
    const { metrics } = points
    const row = number * METRIC_WORDS
    metrics[row + layout.METRIC_EPOCH] = registers[layout.AT_EPOCH]!
    metrics[row + layout.METRIC_SENT] = sent
    metrics[row + layout.METRIC_UNIT] = unit
    metrics[row + layout.METRIC_KIND] = kind
    metrics[row + layout.METRIC_TRAITS] = own
    metrics[row + layout.METRIC_HELP] = help
    metrics[row + layout.METRIC_NAME] = name
    metrics[row + layout.METRIC_TYPE] = type
    metrics[row + layout.METRIC_HAS_START] = hasStart ? 1 : 0
    metrics[row + layout.METRIC_BOUNDS] = 0
    if (type === HISTOGRAM) {
      metrics[row + layout.METRIC_SUM] = suffixed(metric, 'sum', texts)
      metrics[row + layout.METRIC_COUNT] = suffixed(metric, 'count', texts)
      metrics[row + layout.METRIC_BUCKET] = suffixed(metric, 'bucket', texts)
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
    const row = number * METRIC_WORDS
    metrics[row + layout.METRIC_BOUNDS] = at
    metrics[row + layout.METRIC_BOUND_COUNT] = count
    metrics[row + layout.METRIC_WIDEST] = widest
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
  get resumeAt(): number {
    return this.#batch.kernel.registers[layout.AT_RESUME]!
  }

  /** Reads points of `metric` from the reader on, up to the first that is not plain. */
  readPoints(reader: ProtobufReader, { number, help }: Metric): void {
    reader.at = this.#batch.kernel.readPointsOf(number, help, reader.at, reader.limit)
  }
}
