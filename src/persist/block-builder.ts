import { type Batch, DIGEST_WORDS, grown } from '../model/batch.ts'
import type { Block } from '../model/block.ts'
import { noCounts } from '../model/counts.ts'
import type { DigestKey } from '../model/identity.ts'
import type { HeldExemplar, Judgement, Slice } from '../model/judgement.ts'
import { ProtobufWriter } from '../wire/protobuf-writer.ts'
import { snappy } from '../wire/snappy.ts'
import { SymbolWriter } from './symbol-writer.ts'

/** Tags of `io.prometheus.write.v2.Request` and the messages in it. */
const TIMESERIES = (5 << 3) | 2
const LABELS_REFS = (1 << 3) | 2
const SAMPLES = (2 << 3) | 2
const HISTOGRAMS = (3 << 3) | 2
const EXEMPLARS = (4 << 3) | 2
const METADATA = (5 << 3) | 2
const CREATED_TIMESTAMP = 6 << 3
const SAMPLE_VALUE = (1 << 3) | 1
const SAMPLE_TIMESTAMP = 2 << 3
const SAMPLE_START = 3 << 3
const HISTOGRAM_TIMESTAMP = 15 << 3
const HISTOGRAM_START = 17 << 3
const EXEMPLAR_VALUE = (2 << 3) | 1
const EXEMPLAR_TIMESTAMP = 3 << 3
const METADATA_TYPE = 1 << 3
const METADATA_HELP = 3 << 3
const METADATA_UNIT = 4 << 3

/** Looks up a family by the number that admission gave a series. */
export type FamilyOf = (
  number: number,
) => { type: number; help: Uint8Array; unit: Uint8Array } | undefined

/**
 * One block being written: what survives of one push, or of several small ones, as a
 * Remote Write 2.0 message.
 *
 * A TimeSeries has samples or histograms, never both, and one start timestamp, which is
 * written where receivers up to Prometheus 3.7 look for it (field 6 of the series) and
 * where newer ones do (the sample's own field).
 */
export class BlockBuilder {
  readonly number: number
  readonly cluster: string
  readonly #receivedMs: number
  readonly #familyOf: FamilyOf
  readonly #symbols: SymbolWriter
  readonly #out = new ProtobufWriter()
  /** Per symbol of the batch that is being added: its number here, 0 when it has none yet. */
  #symbolOf = new Uint32Array(1024)
  readonly #firstExemplar = new Map<number, number>()
  readonly #nextExemplar = new Map<number, number>()
  #fence = 0
  #minTimestampMs = Number.POSITIVE_INFINITY
  #maxTimestampMs = Number.NEGATIVE_INFINITY
  readonly counts = noCounts()

  constructor(
    number: number,
    cluster: string,
    receivedMs: number,
    key: DigestKey,
    familyOf: FamilyOf,
  ) {
    this.number = number
    this.cluster = cluster
    this.#receivedMs = receivedMs
    this.#symbols = new SymbolWriter(key)
    this.#familyOf = familyOf
  }

  /** Size of the message so far, uncompressed. */
  get rawBytes(): number {
    return this.#symbols.out.at + this.#out.at
  }

  /** Adds what `judgement` keeps of a slice. Nothing of the batch is held on to. */
  add(batch: Batch, slice: Slice, judgement: Judgement): void {
    this.#symbolOf = grown(this.#symbolOf, batch.symbolCount)
    this.#symbolOf.fill(0, 0, batch.symbolCount)
    this.#listExemplars(batch, judgement)
    const { keep } = judgement
    for (let i = slice.fromSample; i < slice.toSample; ) {
      let end = i + 1
      while (end < slice.toSample && batch.sampleSeries[end] === batch.sampleSeries[i]) end += 1
      let isFirst = true
      for (let from = i; from < end; ) {
        if (keep[from] !== 1) {
          from += 1
          continue
        }
        from = this.#addSeries(batch, judgement, from, end, isFirst)
        isFirst = false
      }
      i = end
    }
    this.#fence = Math.max(this.#fence, judgement.fence)
    this.#minTimestampMs = Math.min(this.#minTimestampMs, judgement.minTimestampMs)
    this.#maxTimestampMs = Math.max(this.#maxTimestampMs, judgement.maxTimestampMs)
    this.counts.samples += judgement.kept.samples
    this.counts.histograms += judgement.kept.histograms
    this.counts.exemplars += judgement.kept.exemplars
  }

  /** The finished block, its place in the totals given by the caller. */
  seal(samplesBefore: number, bytesBefore: number): Block {
    const symbols = this.#symbols.out.written()
    const raw = new Uint8Array(symbols.length + this.#out.at)
    raw.set(symbols)
    raw.set(this.#out.written(), symbols.length)
    return {
      number: this.number,
      fence: this.#fence,
      cluster: this.cluster,
      counts: this.counts,
      minTimestampMs: this.#minTimestampMs,
      maxTimestampMs: this.#maxTimestampMs,
      receivedMs: this.#receivedMs,
      rawBytes: raw.length,
      samplesBefore,
      bytesBefore,
      message: snappy.compress(raw),
    }
  }

  /**
   * Writes one TimeSeries with the kept samples from `from` on that may share it: of one
   * kind and one start timestamp. Returns where it stopped.
   */
  #addSeries(
    batch: Batch,
    judgement: Judgement,
    from: number,
    to: number,
    isFirst: boolean,
  ): number {
    const out = this.#out
    const series = batch.sampleSeries[from]!
    const isHistogram = batch.sampleHistogramEnd[from]! > 0
    const startMs = batch.sampleStartMs[from]!
    out.uint32(TIMESERIES)
    const message = out.open()
    this.#addRefs(batch, batch.seriesLabelStart[series]!, batch.seriesLabelEnd[series]!)
    let i = from
    for (; i < to; i++) {
      if (judgement.keep[i] !== 1) continue
      if (batch.sampleHistogramEnd[i]! > 0 !== isHistogram) break
      if (batch.sampleStartMs[i]! !== startMs) break
      if (isHistogram) this.#addHistogram(batch, i)
      else this.#addSample(batch, i)
    }
    if (isFirst) this.#addExemplars(batch, judgement, series)
    this.#addMetadata(batch, judgement, series)
    if (startMs !== 0) {
      out.uint32(CREATED_TIMESTAMP)
      out.int64(startMs)
    }
    out.close(message)
    return i
  }

  #addSample(batch: Batch, sample: number): void {
    const out = this.#out
    out.uint32(SAMPLES)
    const message = out.open()
    out.uint32(SAMPLE_VALUE)
    out.fixed64(batch.sampleBits[sample * 2]!, batch.sampleBits[sample * 2 + 1]!)
    out.uint32(SAMPLE_TIMESTAMP)
    out.int64(batch.sampleTimestampMs[sample]!)
    this.#addStart(SAMPLE_START, batch.sampleStartMs[sample]!)
    out.close(message)
  }

  #addHistogram(batch: Batch, sample: number): void {
    const out = this.#out
    out.uint32(HISTOGRAMS)
    const message = out.open()
    out.raw(
      batch.histogramBytes,
      batch.sampleHistogramStart[sample]!,
      batch.sampleHistogramEnd[sample]!,
    )
    out.uint32(HISTOGRAM_TIMESTAMP)
    out.int64(batch.sampleTimestampMs[sample]!)
    this.#addStart(HISTOGRAM_START, batch.sampleStartMs[sample]!)
    out.close(message)
  }

  #addStart(tag: number, startMs: number): void {
    if (startMs === 0) return
    this.#out.uint32(tag)
    this.#out.int64(startMs)
  }

  #addExemplars(batch: Batch, judgement: Judgement, series: number): void {
    const bits = batch.exemplarBits
    for (let next = this.#firstExemplar.get(series); next !== undefined; ) {
      const i = next
      next = this.#nextExemplar.get(i)
      const message = this.#openExemplar()
      this.#addRefs(batch, batch.exemplarLabelStart[i]!, batch.exemplarLabelEnd[i]!)
      this.#closeExemplar(message, bits[i * 2]!, bits[i * 2 + 1]!, batch.exemplarTimestampMs[i]!)
    }
    for (const held of judgement.held) {
      if (held.series === series) this.#addHeld(held.exemplar)
    }
  }

  #addHeld({ labels, low, high, timestampMs }: HeldExemplar): void {
    const out = this.#out
    const message = this.#openExemplar()
    if (labels.length > 0) {
      out.uint32(LABELS_REFS)
      const refs = out.open()
      for (const label of labels) out.uint32(this.#symbols.intern(label))
      out.close(refs)
    }
    this.#closeExemplar(message, low, high, timestampMs)
  }

  /** Lists the exemplars by their carriers, in their order; most batches have none. */
  #listExemplars(batch: Batch, judgement: Judgement): void {
    this.#firstExemplar.clear()
    this.#nextExemplar.clear()
    for (let i = batch.exemplarCount - 1; i >= 0; i--) {
      const carrier = judgement.exemplarCarrier[i]!
      if (carrier < 0) continue
      const first = this.#firstExemplar.get(carrier)
      if (first !== undefined) this.#nextExemplar.set(i, first)
      this.#firstExemplar.set(carrier, i)
    }
  }

  #openExemplar(): number {
    this.#out.uint32(EXEMPLARS)
    return this.#out.open()
  }

  #closeExemplar(message: number, low: number, high: number, timestampMs: number): void {
    const out = this.#out
    out.uint32(EXEMPLAR_VALUE)
    out.fixed64(low, high)
    out.uint32(EXEMPLAR_TIMESTAMP)
    out.int64(timestampMs)
    out.close(message)
  }

  /** A series' own metadata, or else what is known of its family. */
  #addMetadata(batch: Batch, judgement: Judgement, series: number): void {
    let type = batch.seriesMetadataType[series]!
    let help = this.#symbol(batch, batch.seriesHelpRef[series]!)
    let unit = this.#symbol(batch, batch.seriesUnitRef[series]!)
    if (type === 0 && help === 0 && unit === 0) {
      const family = this.#familyOf(judgement.metadata[series]!)
      if (family === undefined) return
      type = family.type
      help = this.#symbols.intern(family.help)
      unit = this.#symbols.intern(family.unit)
    }
    const out = this.#out
    out.uint32(METADATA)
    const message = out.open()
    out.uint32(METADATA_TYPE)
    out.uint32(type)
    out.uint32(METADATA_HELP)
    out.uint32(help)
    out.uint32(METADATA_UNIT)
    out.uint32(unit)
    out.close(message)
  }

  /** Packed references to the labels `[from, to)` of the batch. */
  #addRefs(batch: Batch, from: number, to: number): void {
    if (from === to) return
    const out = this.#out
    out.uint32(LABELS_REFS)
    const message = out.open()
    for (let i = from; i < to; i++) out.uint32(this.#symbol(batch, batch.labelRefs[i]!))
    out.close(message)
  }

  /** This block's number for a symbol of the batch. */
  #symbol(batch: Batch, ref: number): number {
    const known = this.#symbolOf[ref]!
    if (known !== 0) return known
    const symbol = this.#symbols.internDigested(
      batch.bytes,
      batch.symbolStart[ref]!,
      batch.symbolEnd[ref]!,
      batch.symbolDigest,
      ref * DIGEST_WORDS,
    )
    this.#symbolOf[ref] = symbol
    return symbol
  }
}
