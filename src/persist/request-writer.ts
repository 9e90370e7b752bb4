import { AT_MISSING_FAMILY, AT_MISSING_SYMBOL, PUSH_BYTES_MAX } from '../kernel/layout.ts'
import type { Batch } from '../model/batch.ts'
import type { DigestKey } from '../model/identity.ts'
import type { HeldExemplar, Judgement, Slice } from '../model/judgement.ts'
import {
  CREATED_TIMESTAMP,
  EXEMPLAR_TIMESTAMP,
  EXEMPLAR_VALUE,
  EXEMPLARS,
  LABELS_REFS,
  METADATA,
  METADATA_HELP,
  METADATA_TYPE,
  METADATA_UNIT,
  TIMESERIES,
} from '../model/request-tags.ts'
import { SymbolWriter } from '../model/symbol-writer.ts'
import { ProtobufWriter } from '../wire/protobuf-writer.ts'
import { SnappyWriter } from '../wire/snappy-writer.ts'
import { BatchSymbols } from './batch-symbols.ts'
import { ExemplarList } from './exemplar-list.ts'
import { writeHistogram, writeSample } from './sample-writer.ts'

const VARINT_BYTES_MAX = 5

/** Looks up a family by the number that admission gave a series. */
export type FamilyOf = (
  number: number,
) => { type: number; help: Uint8Array; unit: Uint8Array } | undefined

/**
 * Writes what is kept of one push, or of several small ones, as one message
 * `io.prometheus.write.v2.Request`.
 *
 * A TimeSeries has samples or histograms, never both, and one start timestamp, which is
 * written where receivers up to Prometheus 3.7 look for it (field 6 of the series) and
 * where newer ones do (the sample's own field).
 *
 * A class, because the symbols and the references to them must fit together.
 */
export class RequestWriter {
  readonly #familyOf: FamilyOf
  readonly #symbols: SymbolWriter
  /** What is not compressed yet, on its way into the message. */
  readonly #out = new ProtobufWriter()
  readonly #message = new SnappyWriter()
  readonly #exemplars = new ExemplarList()
  readonly #batchSymbols: BatchSymbols
  /** Counts messages, so that what was numbered for one is not taken for another. */
  #stamp = 0

  constructor(key: DigestKey, familyOf: FamilyOf) {
    this.#symbols = new SymbolWriter(key)
    this.#batchSymbols = new BatchSymbols(this.#symbols)
    this.#familyOf = familyOf
  }

  /** Starts over with an empty message; the buffers are kept. */
  clear(): void {
    this.#stamp = (this.#stamp + 1) % 2 ** 32
    this.#symbols.clear()
    this.#out.clear()
    this.#message.clear()
  }

  /** The message so far, as a snappy block, and how long it is without. */
  finish(): { block: Uint8Array; rawBytes: number } {
    this.#settle()
    return this.#message.finish(this.#symbols.out.written())
  }

  /** Adds what `judgement` keeps of a slice. Nothing of the batch is held on to. */
  add(batch: Batch, slice: Slice, judgement: Judgement): void {
    this.#batchSymbols.begin(batch, this.#stamp)
    this.#exemplars.fill(batch, judgement)
    // Which series carry exemplars only the general way knows.
    const mayBePlain = batch.exemplarCount + judgement.held.length === 0
    for (let i = slice.fromSample; i < slice.toSample; ) {
      if (mayBePlain) i = this.#addPlainSeries(batch, i, slice.toSample)
      if (i < slice.toSample) i = this.#addSamples(batch, judgement, i, slice.toSample)
    }
  }

  /** Adds series up to the first sample of one that is not plain, and returns that sample. */
  #addPlainSeries(batch: Batch, from: number, to: number): number {
    const { kernel } = batch
    const { registers } = kernel
    for (let at = from; ; ) {
      this.#batchSymbols.lend()
      at = kernel.writePlainSeries(at, to)
      this.#batchSymbols.takeBack()
      const symbol = registers[AT_MISSING_SYMBOL]!
      const family = registers[AT_MISSING_FAMILY]!
      if (symbol !== 0) this.#batchSymbols.add(symbol)
      else if (family !== 0) this.#numberFamily(family)
      else {
        this.#takeWritten(batch)
        return at
      }
    }
  }

  #takeWritten({ kernel, hasPoints }: Batch): void {
    const { written, rawBytes } = kernel.takeWritten()
    if (hasPoints) this.#out.raw(written, 0, written.length)
    else if (rawBytes > 0) {
      this.#settle()
      this.#message.addElements(written, rawBytes)
    }
  }

  /** What is not compressed yet comes before what comes now. */
  #settle(): void {
    this.#message.add(this.#out.written())
    this.#out.clear()
  }

  #numberFamily(number: number): void {
    const { type, help, unit } = this.#familyOf(number)!
    this.#batchSymbols.addFamily(number, type, this.#text(help), this.#text(unit))
  }

  /** The symbol of a family's text; none where the message would outgrow what a reader takes. */
  #text(text: Uint8Array): number {
    const bytes = this.#symbols.out.at + text.length
    return bytes > PUSH_BYTES_MAX ? 0 : this.#symbols.intern(text)
  }

  /** Adds the kept samples of the series that `from` belongs to, and returns the next sample. */
  #addSamples(batch: Batch, judgement: Judgement, from: number, to: number): number {
    let end = from + 1
    while (end < to && batch.sampleSeries[end] === batch.sampleSeries[from]) end += 1
    let isFirst = true
    for (let i = from; i < end; ) {
      if (batch.sampleKeep[i] === 1) {
        i = this.#addSeries(batch, judgement, i, end, isFirst)
        isFirst = false
      } else i += 1
    }
    return end
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
      if (batch.sampleKeep[i] !== 1) continue
      if (batch.sampleHistogramEnd[i]! > 0 !== isHistogram) break
      if (batch.sampleStartMs[i]! !== startMs) break
      if (isHistogram) writeHistogram(out, batch, i)
      else writeSample(out, batch, i)
    }
    if (isFirst) this.#addExemplars(batch, judgement, series)
    this.#addMetadata(batch, series)
    if (startMs !== 0) {
      out.uint32(CREATED_TIMESTAMP)
      out.int64(startMs)
    }
    out.close(message)
    return i
  }

  #addExemplars(batch: Batch, judgement: Judgement, series: number): void {
    const bits = batch.exemplarBits
    for (let i = this.#exemplars.first(series); i >= 0; i = this.#exemplars.after(i)) {
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
  #addMetadata(batch: Batch, series: number): void {
    let type = batch.seriesMetadataType[series]!
    let help = this.#batchSymbols.numberOf(batch.seriesHelpRef[series]!)
    let unit = this.#batchSymbols.numberOf(batch.seriesUnitRef[series]!)
    if (type === 0 && help === 0 && unit === 0) {
      const family = this.#familyOf(batch.seriesFamily[series]!)
      if (family === undefined) return
      type = family.type
      help = this.#text(family.help)
      unit = this.#text(family.unit)
    }
    const out = this.#out
    out.uint32(METADATA)
    const message = out.open()
    addField(out, METADATA_TYPE, type)
    addField(out, METADATA_HELP, help)
    addField(out, METADATA_UNIT, unit)
    out.close(message)
  }

  /** Packed references to the labels `[from, to)` of the batch. */
  #addRefs(batch: Batch, from: number, to: number): void {
    if (from === to) return
    const out = this.#out
    const { labelRefs } = batch
    const symbols = this.#batchSymbols
    out.reserve(2 + (to - from) * VARINT_BYTES_MAX)
    const { bytes } = out
    bytes[out.at] = LABELS_REFS
    const length = out.at + 1
    let at = length + 1
    // By hand: a call per reference made this a third of the way of a sample.
    for (let i = from; i < to; i++) {
      const symbol = symbols.numberOf(labelRefs[i]!)
      if (symbol < 0x80) bytes[at++] = symbol
      else if (symbol < 0x4000) {
        bytes[at++] = (symbol & 0x7f) | 0x80
        bytes[at++] = symbol >>> 7
      } else {
        out.at = at
        out.uint32(symbol)
        at = out.at
      }
    }
    out.at = at
    out.close(length)
  }
}

/** A field of the value 0 is left out, as everywhere in version 3 of the language. */
function addField(out: ProtobufWriter, tag: number, value: number): void {
  if (value === 0) return
  out.uint32(tag)
  out.uint32(value)
}
