import { type Batch, DIGEST_WORDS } from '../model/batch.ts'
import type { DigestKey } from '../model/identity.ts'
import type { RejectReason } from '../model/rejection.ts'
import { ProtobufReader } from '../wire/protobuf-reader.ts'
import { Deferred } from './deferred.ts'
import { decodeExemplar, type ReadLabels } from './exemplar.ts'
import { HistogramDecoder } from './histogram.ts'
import { LabelList } from './labels.ts'
import type { RequestLimits } from './limits.ts'
import { isExactMs, settleStarts, sortSamples } from './sample-time.ts'
import { isText } from './symbols.ts'

/**
 * One TimeSeries message on its way into a batch: what both versions of remote write share.
 *
 * A decoder calls `begin`, then for each field the method that fits, in whatever order the
 * fields come, then `finish`. Float samples go into the batch at once, since nearly all of
 * them stay; those of a series that is refused are taken off its end again.
 *
 * A class, because the batch's ends and the counts of what was seen must fit together until
 * `finish`. Every element of the message ends up in the batch, in `batch.rejections` or in
 * `batch.exemplarsOversized`.
 */
export class TimeSeriesDecoder {
  readonly reader = new ProtobufReader()
  readonly labels = new LabelList()
  readonly limits: RequestLimits
  readonly readLabels: ReadLabels
  /** Of the current request. */
  batch!: Batch

  /** Of the current series; a decoder that reads them sets them. */
  metadataType = 0
  helpRef = 0
  unitRef = 0
  createdMs = 0

  readonly #key: DigestKey
  readonly #histogramDecoder: HistogramDecoder
  readonly #histograms = new Deferred()
  readonly #exemplars = new Deferred()
  #sampleFrom = 0
  #floatCount = 0
  #refusedFloats = 0
  #refusedTimestampMs = 0

  constructor(key: DigestKey, limits: RequestLimits, readLabels: ReadLabels) {
    this.#key = key
    this.limits = limits
    this.readLabels = readLabels
    this.#histogramDecoder = new HistogramDecoder(key)
  }

  /** The batch has been cleared over the request's body. */
  beginRequest(batch: Batch): void {
    this.batch = batch
    batch.kernel.beginRequest(this.#key)
    this.labels.beginRequest(batch)
    this.reader.reset(batch.bytes)
  }

  begin(): void {
    this.metadataType = 0
    this.helpRef = 0
    this.unitRef = 0
    this.createdMs = 0
    this.#histograms.count = 0
    this.#exemplars.count = 0
    this.#sampleFrom = this.batch.sampleCount
    this.#floatCount = 0
    this.#refusedFloats = 0
    this.labels.begin()
  }

  /** `hasStart`: only Remote Write 2.0 knows field 3. */
  readSample(hasStart: boolean): void {
    const { reader, batch } = this
    let low = 0
    let high = 0
    let timestampMs = 0
    let startMs = 0
    const outer = reader.enter()
    while (reader.hasMore()) {
      const tag = reader.uint32()
      if (tag === 0x09) {
        low = reader.fixed64()
        high = reader.high
      } else if (tag === 0x10) timestampMs = reader.int64()
      else if (tag === 0x18 && hasStart) {
        startMs = reader.int64()
        batch.isPlain = false
      } else {
        reader.skip(tag)
        batch.isPlain = false
      }
    }
    reader.leave(outer)

    this.#floatCount += 1
    if (!isExactMs(timestampMs)) {
      this.#refusedFloats += 1
      this.#refusedTimestampMs = timestampMs
      return
    }
    const sample = this.#addSample(batch.seriesCount, timestampMs, startMs)
    batch.sampleBits[sample * 2] = low
    batch.sampleBits[sample * 2 + 1] = high
    batch.sampleHistogramStart[sample] = 0
    batch.sampleHistogramEnd[sample] = 0
  }

  deferHistogram(): void {
    this.batch.isPlain = false
    const length = this.reader.skipBytes()
    this.#histograms.push(this.reader.at - length, this.reader.at)
  }

  deferExemplar(): void {
    this.batch.isPlain = false
    const length = this.reader.skipBytes()
    this.#exemplars.push(this.reader.at - length, this.reader.at)
  }

  /** All fields of the message have been read. `mayBeEmpty`: labels alone are no error. */
  finish(mayBeEmpty: boolean): void {
    const { batch, labels, reader } = this
    if (reader.malformed !== null) return

    const reason = labels.settleSeries()
    if (labels.expandedBytes > this.limits.labelBytes) this.failWide()
    if (reason !== null) this.#refuse(reason, this.#explainLabels)
    else if (!labels.hasMetricName) this.#refuse('name-missing', this.#explainName)
    else if (Math.max(this.helpRef, this.unitRef) >= batch.symbolCount) {
      this.#refuse('symbol-out-of-range', this.#explainMetadata)
    } else if (this.#floatCount + this.#histograms.count + this.#exemplars.count > 0) {
      this.#accept()
    } else if (mayBeEmpty) labels.drop()
    else this.#refuse('series-empty', this.#explainEmpty)
  }

  // Made once, and not for each series that is refused: there may be very many.
  readonly #explainLabels = () => this.labels.explain()
  readonly #explainName = () => `a series needs a non-empty __name__: ${this.labels.describe()}`
  readonly #explainMetadata = () =>
    `metadata refers beyond the symbol table, in ${this.labels.describe()}`
  readonly #explainEmpty = () => `neither a sample nor an exemplar: ${this.labels.describe()}`

  /** The whole series, with every element that it came with. */
  #refuse(reason: RejectReason, example: () => string): void {
    const { batch } = this
    const counts = {
      samples: this.#floatCount,
      histograms: this.#histograms.count,
      exemplars: this.#exemplars.count,
    }
    batch.rejections.add(reason, counts, example)
    batch.sampleCount = this.#sampleFrom
    this.labels.drop()
  }

  #accept(): void {
    const { batch } = this
    const { from } = this.labels
    const sampleFrom = this.#sampleFrom
    const exemplarFrom = batch.exemplarCount
    this.#addSeries()
    if (this.#refusedFloats > 0) {
      this.#refuseTimestamp(this.#refusedTimestampMs, { samples: this.#refusedFloats })
    }
    if (this.#histograms.count > 0) this.#addHistograms()
    if (batch.sampleCount > sampleFrom) {
      settleStarts(batch, sampleFrom, isExactMs(this.createdMs) ? this.createdMs : 0)
      if (batch.sampleCount > sampleFrom + 1) sortSamples(batch, sampleFrom)
    }
    if (this.#exemplars.count > 0) this.#addExemplars()

    if (batch.sampleCount === sampleFrom && batch.exemplarCount === exemplarFrom) {
      // All of it was refused, element by element: labels alone are nothing to keep.
      batch.seriesCount -= 1
      this.labels.from = from
      this.labels.drop()
    }
  }

  #addSeries(): void {
    const { batch, labels } = this
    const series = batch.seriesCount++
    if (series === this.limits.elements) this.#failFull('series')
    batch.seriesLabelStart[series] = labels.from
    batch.seriesLabelEnd[series] = batch.labelRefCount
    const { seriesIdentity } = batch
    const at = series * DIGEST_WORDS
    for (let i = 0; i < DIGEST_WORDS; i++) seriesIdentity[at + i] = labels.identity[i]!
    batch.seriesMetadataType[series] = this.metadataType <= 7 ? this.metadataType : 0
    batch.seriesHelpRef[series] = this.#readable(this.helpRef)
    batch.seriesUnitRef[series] = this.#readable(this.unitRef)
  }

  /** Returns the place of a new sample of the current series; its value is the caller's. */
  #addSample(series: number, timestampMs: number, startMs: number): number {
    const { batch } = this
    const sample = batch.sampleCount++
    if (sample === this.limits.elements) this.#failFull('samples')
    batch.sampleSeries[sample] = series
    batch.sampleTimestampMs[sample] = timestampMs
    batch.sampleStartMs[sample] = isExactMs(startMs) ? startMs : 0
    return sample
  }

  #addHistograms(): void {
    const { batch, reader } = this
    const { at, limit } = reader
    const { count, bounds } = this.#histograms
    for (let i = 0; i < count && reader.malformed === null; i++) {
      reader.at = bounds[i * 2]!
      reader.limit = bounds[i * 2 + 1]!
      const problem = this.#histogramDecoder.read(reader)
      const { timestampMs, startMs } = this.#histogramDecoder.fields
      if (problem !== null) {
        const example = () => `${problem}, in ${this.labels.describe()}`
        batch.rejections.add('histogram-invalid', { histograms: 1 }, example)
      } else if (!isExactMs(timestampMs)) this.#refuseTimestamp(timestampMs, { histograms: 1 })
      else {
        const sample = this.#addSample(batch.seriesCount - 1, timestampMs, startMs)
        this.#histogramDecoder.append(batch, sample)
      }
    }
    reader.at = at
    reader.limit = limit
  }

  #addExemplars(): void {
    const { batch, reader } = this
    const { at, limit } = reader
    const { count, bounds } = this.#exemplars
    const hasSample = batch.sampleCount > this.#sampleFrom
    const newestMs = hasSample ? batch.sampleTimestampMs[batch.sampleCount - 1]! : 0
    for (let i = 0; i < count && reader.malformed === null; i++) {
      reader.at = bounds[i * 2]!
      reader.limit = bounds[i * 2 + 1]!
      decodeExemplar(this, newestMs)
    }
    reader.at = at
    reader.limit = limit
  }

  #refuseTimestamp(timestampMs: number, what: { samples?: number; histograms?: number }): void {
    const example = () =>
      `timestamp ${timestampMs} is beyond 2^53 milliseconds, in ${this.labels.describe()}`
    this.batch.rejections.add('timestamp-invalid', what, example)
  }

  /** Metadata that is not text is left out: it is never a reason to refuse samples. */
  #readable(symbol: number): number {
    return isText(this.batch, symbol) ? symbol : 0
  }

  failWide(): void {
    this.reader.fail(`labels of more than ${this.limits.labelBytes} bytes`)
  }

  #failFull(what: string): void {
    this.reader.fail(`more than ${this.limits.elements} ${what} in one request`)
  }
}
