import { internSymbol, isText } from '../decode/symbols.ts'
import { ExponentialPoints } from './exponential-points.ts'
import { HistogramPoints } from './histogram-points.ts'
import { COUNTER, GAUGE, HISTOGRAM, type Metric, SUMMARY } from './metric.ts'
import type { NameKind } from './metric-name.ts'
import { readNumberPoint } from './number-points.ts'
import type { Point } from './point.ts'
import { readSummaryPoint } from './summary-points.ts'

const NAME = 0x0a
const DESCRIPTION = 0x12
const UNIT = 0x1a
const GAUGES = 0x2a
const SUMS = 0x3a
const HISTOGRAMS = 0x4a
const EXPONENTIAL = 0x52
const SUMMARIES = 0x5a

const DELTA = 1
const CUMULATIVE = 2
const ASK_FOR_CUMULATIVE = 'configure the sender to export cumulative values'
const OR_SUM = ', or have them added up here: otlp.delta: cumulative'

/** A range of the body. */
type Range = { from: number; to: number }

/** A metric as it was described, and what came of that. */
type Known = { unit: number; kind: number; traits: number; metric: Metric }

/**
 * Reads metrics: what their points have in common, and then each point.
 *
 * A class, because a request describes the same metrics for each of its resources: what they
 * have in common is found once.
 */
export class MetricReader {
  readonly #point: Point
  readonly #histograms: HistogramPoints
  readonly #exponential: ExponentialPoints
  /** By the symbol of the name as it was sent. */
  readonly #known: (Known | undefined)[] = []

  readonly #name: Range = { from: 0, to: 0 }
  readonly #description: Range = { from: 0, to: 0 }
  readonly #unit: Range = { from: 0, to: 0 }
  readonly #data: Range = { from: 0, to: 0 }
  /** Of the last metric: its temporality, and whether it is monotonic. */
  #temporality = 0
  #isMonotonic = false

  constructor(point: Point) {
    this.#point = point
    this.#histograms = new HistogramPoints(point)
    this.#exponential = new ExponentialPoints(point)
  }

  beginRequest(): void {
    this.#histograms.beginRequest()
    this.#known.length = 0
  }

  /** Reads a Metric message, up to the reader's limit. */
  read(): void {
    const { reader, plain } = this.#point.request
    const kind = this.#readFields()
    if (reader.malformed !== null || kind === 0) return
    const { at, limit } = reader
    reader.at = this.#data.from
    reader.limit = this.#data.to
    this.#readKind()
    if (reader.malformed === null) {
      const metric = this.#metricOf(kind)
      const { resumeAt } = plain
      reader.at = resumeAt === 0 ? this.#data.from : resumeAt
      if (resumeAt !== 0) this.#readField(kind, metric)
      this.#readPoints(kind, metric)
    }
    if (reader.malformed === null) reader.at = at
    reader.limit = limit
  }

  /** Returns the tag of its data, 0 when there is none. */
  #readFields(): number {
    const { reader } = this.#point.request
    let kind = 0
    clear(this.#name)
    clear(this.#description)
    clear(this.#unit)
    while (reader.hasMore()) {
      const tag = reader.uint32()
      if (tag === NAME) this.#readRange(this.#name)
      else if (tag === DESCRIPTION) this.#readRange(this.#description)
      else if (tag === UNIT) this.#readRange(this.#unit)
      else if (isData(tag)) {
        kind = tag
        this.#readRange(this.#data)
      } else reader.skip(tag)
    }
    return kind
  }

  #readRange(range: Range): void {
    const { reader } = this.#point.request
    const length = reader.skipBytes()
    range.from = reader.at - length
    range.to = reader.at
  }

  /** The fields beside the points. */
  #readKind(): void {
    const { reader } = this.#point.request
    this.#temporality = 0
    this.#isMonotonic = false
    while (reader.hasMore()) {
      const tag = reader.uint32()
      if (tag === 0x10) this.#temporality = reader.uint32()
      else if (tag === 0x18) this.#isMonotonic = reader.uint32() !== 0
      else reader.skip(tag)
    }
  }

  #metricOf(kind: number): Metric {
    const { batch, plain } = this.#point.request
    const { from, to } = this.#name
    const name = internSymbol(batch, from, to, 0)
    const unit = symbolOf(batch, this.#unit)
    const traits = this.#temporality * 2 + (this.#isMonotonic ? 1 : 0)
    const known = this.#known[name]
    if (known?.unit === unit && known.kind === kind && known.traits === traits) {
      known.metric.help = symbolOf(batch, this.#description, known.metric.help)
      return known.metric
    }
    const metric = this.#describe(kind, unit)
    const isReadable = isText(batch, name) || from === to
    metric.problem = this.#problemOf(kind, isReadable, metric)
    if (this.#isPlain(kind, metric)) {
      metric.number = plain.learnMetric({ sent: name, unit, kind, traits }, metric)
    }
    this.#known[name] = { unit, kind, traits, metric }
    return metric
  }

  #describe(kind: number, unit: number): Metric {
    const { texts, batch, names } = this.#point.request
    const counts = kind === SUMS && this.#isMonotonic
    const isDelta = this.#temporality === DELTA && hasTemporality(kind)
    const nameKind: NameKind = counts ? 'counter' : kind === GAUGES ? 'gauge' : 'other'
    const sent = texts.text(this.#name.from, this.#name.to)
    const text = names.of(sent, texts.text(this.#unit.from, this.#unit.to), nameKind)
    return {
      text,
      unit,
      name: texts.of(text),
      help: symbolOf(batch, this.#description),
      type: typeOf(kind, this.#isMonotonic),
      hasExemplars: kind !== GAUGES && kind !== SUMMARIES,
      hasStart: counts || isDelta || kind >= HISTOGRAMS,
      isDelta,
      suffixed: { sum: 0, count: 0, bucket: 0 },
      number: -1,
      problem: null,
    }
  }

  /** Whether the kernel can read its points. */
  #isPlain(kind: number, { problem, isDelta }: Metric): boolean {
    const isClassic = !this.#point.request.options.convertHistogramsToNhcb
    const isKind = kind === GAUGES || kind === SUMS || (kind === HISTOGRAMS && isClassic)
    return problem === null && !isDelta && isKind
  }

  #problemOf(kind: number, isReadable: boolean, { text }: Metric): Metric['problem'] {
    if (!isReadable) return { reason: 'label-invalid', text: 'a metric name that is not UTF-8' }
    if (text === '') {
      const sent = this.#point.request.texts.text(this.#name.from, this.#name.to)
      const shown = JSON.stringify(sent.slice(0, 100))
      const why = `of the metric name ${shown} nothing is left: name it in ASCII`
      return { reason: 'name-missing', text: sent === '' ? 'a metric without a name' : why }
    }
    if (!hasTemporality(kind) || this.#temporality === CUMULATIVE) return null
    if (this.#temporality === DELTA) {
      if (this.#point.request.options.delta !== null) return null
      const why = `delta temporality: ${ASK_FOR_CUMULATIVE}${OR_SUM}`
      return { reason: 'temporality', text: why }
    }
    const why = `no temporality that is known: ${ASK_FOR_CUMULATIVE}`
    return { reason: 'temporality', text: why }
  }

  #readPoints(kind: number, metric: Metric): void {
    const { reader, plain } = this.#point.request
    while (reader.hasMore()) {
      if (metric.number >= 0) plain.readPoints(reader, metric)
      if (reader.hasMore()) this.#readField(kind, metric)
    }
  }

  /** A point, or what stands beside the points. */
  #readField(kind: number, metric: Metric): void {
    const { reader } = this.#point.request
    const tag = reader.uint32()
    if (tag !== 0x0a) {
      reader.skip(tag)
      return
    }
    const outer = reader.enter()
    if (kind === HISTOGRAMS) this.#histograms.read(metric)
    else if (kind === EXPONENTIAL) this.#exponential.read(metric)
    else if (kind === SUMMARIES) readSummaryPoint(this.#point, metric)
    else readNumberPoint(this.#point, metric)
    reader.leave(outer)
  }
}

function clear(range: Range): void {
  range.from = 0
  range.to = 0
}

function isData(tag: number): boolean {
  return (
    tag === GAUGES || tag === SUMS || tag === HISTOGRAMS || tag === EXPONENTIAL || tag === SUMMARIES
  )
}

function hasTemporality(kind: number): boolean {
  return kind === SUMS || kind === HISTOGRAMS || kind === EXPONENTIAL
}

function typeOf(kind: number, isMonotonic: boolean): number {
  if (kind === SUMMARIES) return SUMMARY
  if (kind === HISTOGRAMS || kind === EXPONENTIAL) return HISTOGRAM
  return kind === SUMS && isMonotonic ? COUNTER : GAUGE
}

/** The symbol of a range, 0 when it is no text. */
function symbolOf(batch: Point['request']['batch'], { from, to }: Range, guess = 0): number {
  if (from === to) return 0
  const symbol = internSymbol(batch, from, to, guess)
  return isText(batch, symbol) ? symbol : 0
}
