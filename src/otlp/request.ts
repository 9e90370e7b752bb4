import { addExemplar } from '../decode/exemplar.ts'
import { HistogramDecoder } from '../decode/histogram.ts'
import { LabelList } from '../decode/labels.ts'
import type { RequestLimits } from '../decode/limits.ts'
import { addSymbol } from '../decode/symbols.ts'
import { AT_POINT_COUNT, REFS_MAX } from '../kernel/layout.ts'
import { type Batch, clearBatch, DIGEST_WORDS, IS_DELTA } from '../model/batch.ts'
import type { DigestKey } from '../model/identity.ts'
import type { RejectReason } from '../model/rejection.ts'
import { ProtobufReader } from '../wire/protobuf-reader.ts'
import { createAttributeList } from './attribute-list.ts'
import { Attributes } from './attributes.ts'
import type { Metric } from './metric.ts'
import { MetricNames } from './metric-names.ts'
import type { OtlpOptions } from './options.ts'
import { PlainPoints } from './plain-points.ts'
import { PointLabels } from './point-labels.ts'
import { TextSymbols } from './text-symbols.ts'

/**
 * One ExportMetricsServiceRequest on its way into a batch: what the readers of its parts share.
 *
 * A class, because the batch's ends, its symbols and the number of the point must fit together.
 */
export class OtlpRequest {
  readonly reader = new ProtobufReader()
  readonly options: OtlpOptions
  readonly limits: RequestLimits
  readonly texts = new TextSymbols()
  readonly attributes: Attributes
  readonly names: MetricNames
  readonly labels: PointLabels
  readonly plain: PlainPoints
  readonly histograms: HistogramDecoder
  /** Of exemplars. */
  readonly exemplarLabels = new LabelList()
  /** Of the current point. */
  readonly pointAttributes = createAttributeList()
  batch!: Batch
  /** Symbols of names that the rules know. */
  known = { le: 0, quantile: 0, job: 0, instance: 0 }

  readonly #key: DigestKey
  /** The number of the current point; what no sender sent has number 0. */
  #point = 0

  constructor(key: DigestKey, options: OtlpOptions, limits: RequestLimits) {
    this.#key = key
    this.options = options
    this.limits = limits
    this.plain = new PlainPoints(this.texts, limits)
    this.attributes = new Attributes(options, this.texts, this.plain)
    this.names = new MetricNames(options)
    this.labels = new PointLabels(this.texts, this.plain)
    this.histograms = new HistogramDecoder(key)
  }

  begin(batch: Batch, body: Uint8Array): void {
    clearBatch(batch, body)
    this.batch = batch
    batch.hasPoints = true
    batch.kernel.beginRequest(this.#key)
    this.reader.reset(batch.bytes)
    this.texts.beginRequest(batch, this.reader, body.length)
    addSymbol(batch, 0, 0)
    this.attributes.beginRequest(batch)
    this.attributes.forget(this.pointAttributes)
    this.labels.beginRequest(batch)
    this.known = {
      le: this.texts.of('le'),
      quantile: this.texts.of('quantile'),
      job: this.texts.of('job'),
      instance: this.texts.of('instance'),
    }
    this.plain.beginRequest(batch)
    this.exemplarLabels.beginRequest(batch)
  }

  /** Newest time of a point of the current resource. */
  get newestMs(): number {
    return this.batch.kernel.points.newestMs[0]!
  }

  set newestMs(timestampMs: number) {
    this.batch.kernel.points.newestMs[0] = timestampMs
  }

  /** Returns why the request is malformed as a whole, or null. */
  end(body: Uint8Array): string | null {
    const { malformed } = this.reader
    this.attributes.endRequest()
    if (malformed !== null) clearBatch(this.batch, body)
    else this.texts.endRequest()
    return malformed
  }

  beginPoint(): void {
    this.#point = ++this.batch.kernel.registers[AT_POINT_COUNT]!
    this.pointAttributes.count = 0
  }

  /** A sample that no sender sent. */
  beginDerived(): void {
    this.#point = 0
  }

  /** The current point, of which nothing has been appended. */
  refuse(reason: RejectReason, { text }: Metric, why: () => string): void {
    const example = () => `${why()}, in ${JSON.stringify(text.slice(0, 100))}`
    this.batch.rejections.add(reason, { samples: 1 }, example)
    this.batch.rejections.addPoint(this.#point)
  }

  /**
   * Appends a series with the labels of the point.
   *
   * @param name symbol of the metric's name
   * @param extra symbol of the value that was left open, or 0
   */
  addSeries(metric: Metric, name: number, extra: number): void {
    const { batch, labels } = this
    if (metric.isDelta) {
      this.#point = (this.#point | IS_DELTA) >>> 0
      batch.hasDeltas = true
    }
    const series = batch.seriesCount++
    if (series === this.limits.elements) this.#failFull('series')
    batch.seriesLabelStart[series] = batch.labelRefCount
    labels.append(name, extra)
    batch.seriesLabelEnd[series] = batch.labelRefCount
    if (labels.expandedBytes > this.limits.labelBytes) {
      this.reader.fail(`labels of more than ${this.limits.labelBytes} bytes`)
    }
    if (batch.labelRefCount > REFS_MAX) {
      this.reader.fail(`more than ${REFS_MAX / 2} labels, written out, in one request`)
    }
    const at = series * DIGEST_WORDS
    for (let i = 0; i < DIGEST_WORDS; i++) batch.seriesIdentity[at + i] = labels.identity[i]!
    batch.seriesMetadataType[series] = metric.type
    batch.seriesHelpRef[series] = metric.help
    batch.seriesUnitRef[series] = metric.unit
  }

  /** Appends a float sample of the last series; its value is two words. */
  addFloat(timestampMs: number, startMs: number, low: number, high: number): void {
    const { batch } = this
    const sample = this.#addSample(timestampMs, startMs)
    batch.sampleBits[sample * 2] = low
    batch.sampleBits[sample * 2 + 1] = high
    batch.sampleHistogramStart[sample] = 0
    batch.sampleHistogramEnd[sample] = 0
  }

  addDouble(timestampMs: number, startMs: number, value: number): void {
    conversion[0] = value
    this.addFloat(timestampMs, startMs, conversionWords[0]!, conversionWords[1]!)
  }

  /** Appends what is in the fields of `histograms`, as a sample of the last series. */
  addHistogram(timestampMs: number, startMs: number): void {
    this.histograms.append(this.batch, this.#addSample(timestampMs, startMs))
  }

  addExemplar(timestampMs: number, low: number, high: number): void {
    addExemplar(this.batch, this.exemplarLabels, timestampMs, low, high)
    if (this.batch.exemplarCount > this.limits.elements) this.#failFull('exemplars')
  }

  #addSample(timestampMs: number, startMs: number): number {
    const { batch } = this
    const sample = batch.sampleCount++
    if (sample === this.limits.elements) this.#failFull('samples')
    batch.sampleSeries[sample] = batch.seriesCount - 1
    batch.sampleTimestampMs[sample] = timestampMs
    // One that is the sample's own time says that nobody knows it.
    batch.sampleStartMs[sample] = startMs < timestampMs ? startMs : 0
    batch.samplePoint[sample] = this.#point
    return sample
  }

  #failFull(what: string): void {
    this.reader.fail(`more than ${this.limits.elements} ${what} in one request`)
  }
}

const conversion = new Float64Array(1)
const conversionWords = new Uint32Array(conversion.buffer)
