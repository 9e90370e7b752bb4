import { Rejections } from './rejection.ts'

/** Words of a symbol's digest, and of a series' identity: 128 bits under a key of this process. */
export const DIGEST_WORDS = 4

/**
 * One write request after decoding, as a struct of arrays.
 *
 * Every decoder fills this one shape and every later stage reads it, so no stage
 * converts data for the next. Only the first `…Count` entries mean anything; the
 * arrays grow and never shrink. A batch is lent, not given: it is valid until its
 * decoder's next call.
 *
 * Strings are *symbols*: ranges of `bytes`, referred to by number; symbol 0 is
 * empty. Labels lie in `labelRefs` as name, value, name, value, … A series owns
 * the entries `seriesLabelStart[i]` up to `seriesLabelEnd[i]`, sorted by the bytes
 * of the name, unique, none of them empty (Remote Write 2.0, "Labels").
 *
 * Values are moved as two 32-bit words, because a stale marker is a signalling NaN
 * that arithmetic would quieten.
 */
export type Batch = {
  /** What symbols are ranges of: usually the decompressed body. */
  bytes: Uint8Array

  symbolCount: number
  symbolStart: Uint32Array
  symbolEnd: Uint32Array
  /** DIGEST_WORDS per symbol. */
  symbolDigest: Uint32Array

  /** Entries used in `labelRefs`: two per label. */
  labelRefCount: number
  labelRefs: Uint32Array

  seriesCount: number
  seriesLabelStart: Uint32Array
  seriesLabelEnd: Uint32Array
  /** DIGEST_WORDS per series, over its sorted labels. Equal for equal label sets of one process. */
  seriesIdentity: Uint32Array
  /** 0 unspecified to 7 stateset, as in Remote Write 2.0's Metadata. */
  seriesMetadataType: Uint8Array
  seriesHelpRef: Uint32Array
  seriesUnitRef: Uint32Array

  /** Float and histogram samples alike; those of one series are neighbours, oldest first. */
  sampleCount: number
  sampleSeries: Uint32Array
  /** Unix milliseconds. A double is exact up to 2^53. */
  sampleTimestampMs: Float64Array
  /** Start (created) timestamp, 0 when unset. */
  sampleStartMs: Float64Array
  /** Low word, high word: a float's bits, or the digest of a histogram's content. */
  sampleBits: Uint32Array
  /** Range of `histogramBytes`; both 0 for a float sample. */
  sampleHistogramStart: Uint32Array
  sampleHistogramEnd: Uint32Array

  /**
   * Canonical Remote Write 2.0 Histogram messages without their timestamps
   * (fields 15 and 17), which an encoder appends.
   */
  histogramBytes: Uint8Array
  histogramByteCount: number

  exemplarCount: number
  exemplarSeries: Uint32Array
  exemplarTimestampMs: Float64Array
  exemplarBits: Uint32Array
  /** Range of `labelRefs`, sorted by name. */
  exemplarLabelStart: Uint32Array
  exemplarLabelEnd: Uint32Array
  /** Left out because their labels are too long: neither written nor an error, as in Prometheus. */
  exemplarsOversized: number

  /** Metadata of families without series: Remote Write 1.0 sends it in requests of its own. */
  familyCount: number
  familyNameRef: Uint32Array
  familyType: Uint8Array
  familyHelpRef: Uint32Array
  familyUnitRef: Uint32Array

  /**
   * Whether `bytes` are a Remote Write 2.0 message that says just what this batch says, and as
   * we would: float samples in order, sorted labels, no field that is not known.
   */
  isPlain: boolean

  /** Fields 4 and 5 in a request of version 1.0: 2.0 has its symbols and series there. */
  misnamedFields: number

  /** What the decoder refused of the request; admission adds to it. */
  rejections: Rejections
}

export function createBatch(): Batch {
  return {
    bytes: new Uint8Array(0),
    symbolCount: 0,
    symbolStart: new Uint32Array(1024),
    symbolEnd: new Uint32Array(1024),
    symbolDigest: new Uint32Array(1024 * DIGEST_WORDS),
    labelRefCount: 0,
    labelRefs: new Uint32Array(8192),
    seriesCount: 0,
    seriesLabelStart: new Uint32Array(1024),
    seriesLabelEnd: new Uint32Array(1024),
    seriesIdentity: new Uint32Array(1024 * DIGEST_WORDS),
    seriesMetadataType: new Uint8Array(1024),
    seriesHelpRef: new Uint32Array(1024),
    seriesUnitRef: new Uint32Array(1024),
    sampleCount: 0,
    sampleSeries: new Uint32Array(1024),
    sampleTimestampMs: new Float64Array(1024),
    sampleStartMs: new Float64Array(1024),
    sampleBits: new Uint32Array(1024 * 2),
    sampleHistogramStart: new Uint32Array(1024),
    sampleHistogramEnd: new Uint32Array(1024),
    histogramBytes: new Uint8Array(4096),
    histogramByteCount: 0,
    exemplarCount: 0,
    exemplarSeries: new Uint32Array(64),
    exemplarTimestampMs: new Float64Array(64),
    exemplarBits: new Uint32Array(64 * 2),
    exemplarLabelStart: new Uint32Array(64),
    exemplarLabelEnd: new Uint32Array(64),
    exemplarsOversized: 0,
    familyCount: 0,
    familyNameRef: new Uint32Array(64),
    familyType: new Uint8Array(64),
    familyHelpRef: new Uint32Array(64),
    familyUnitRef: new Uint32Array(64),
    isPlain: false,
    misnamedFields: 0,
    rejections: new Rejections(),
  }
}

/** Makes the batch empty over `bytes`; the decoder adds symbol 0. */
export function clearBatch(batch: Batch, bytes: Uint8Array): void {
  batch.bytes = bytes
  batch.symbolCount = 0
  batch.labelRefCount = 0
  batch.seriesCount = 0
  batch.sampleCount = 0
  batch.histogramByteCount = 0
  batch.exemplarCount = 0
  batch.exemplarsOversized = 0
  batch.familyCount = 0
  batch.isPlain = false
  batch.misnamedFields = 0
  batch.rejections.clear()
}

type Column = Uint8Array | Int32Array | Uint32Array | Float64Array

/** `column` itself when it has room for `length` entries, else a copy of twice its size or more. */
export function grown<T extends Column>(column: T, length: number): T {
  if (length <= column.length) return column
  const Constructor = column.constructor as new (length: number) => T
  const larger = new Constructor(Math.max(length, column.length * 2))
  larger.set(column)
  return larger
}

/** Makes room for one more symbol. */
export function growSymbols(batch: Batch, count: number): void {
  if (count <= batch.symbolStart.length) return
  batch.symbolStart = grown(batch.symbolStart, count)
  batch.symbolEnd = grown(batch.symbolEnd, count)
  batch.symbolDigest = grown(batch.symbolDigest, batch.symbolStart.length * DIGEST_WORDS)
}

export function growSeries(batch: Batch, count: number): void {
  if (count <= batch.seriesLabelStart.length) return
  batch.seriesLabelStart = grown(batch.seriesLabelStart, count)
  batch.seriesLabelEnd = grown(batch.seriesLabelEnd, count)
  const room = batch.seriesLabelStart.length
  batch.seriesIdentity = grown(batch.seriesIdentity, room * DIGEST_WORDS)
  batch.seriesMetadataType = grown(batch.seriesMetadataType, room)
  batch.seriesHelpRef = grown(batch.seriesHelpRef, room)
  batch.seriesUnitRef = grown(batch.seriesUnitRef, room)
}

export function growSamples(batch: Batch, count: number): void {
  if (count <= batch.sampleSeries.length) return
  batch.sampleSeries = grown(batch.sampleSeries, count)
  const room = batch.sampleSeries.length
  batch.sampleTimestampMs = grown(batch.sampleTimestampMs, room)
  batch.sampleStartMs = grown(batch.sampleStartMs, room)
  batch.sampleBits = grown(batch.sampleBits, room * 2)
  batch.sampleHistogramStart = grown(batch.sampleHistogramStart, room)
  batch.sampleHistogramEnd = grown(batch.sampleHistogramEnd, room)
}

export function growExemplars(batch: Batch, count: number): void {
  if (count <= batch.exemplarSeries.length) return
  batch.exemplarSeries = grown(batch.exemplarSeries, count)
  const room = batch.exemplarSeries.length
  batch.exemplarTimestampMs = grown(batch.exemplarTimestampMs, room)
  batch.exemplarBits = grown(batch.exemplarBits, room * 2)
  batch.exemplarLabelStart = grown(batch.exemplarLabelStart, room)
  batch.exemplarLabelEnd = grown(batch.exemplarLabelEnd, room)
}

export function growFamilies(batch: Batch, count: number): void {
  if (count <= batch.familyNameRef.length) return
  batch.familyNameRef = grown(batch.familyNameRef, count)
  const room = batch.familyNameRef.length
  batch.familyType = grown(batch.familyType, room)
  batch.familyHelpRef = grown(batch.familyHelpRef, room)
  batch.familyUnitRef = grown(batch.familyUnitRef, room)
}

/** The text of a symbol, for messages and logs. */
export function symbolText(batch: Batch, ref: number): string {
  const { bytes, symbolStart, symbolEnd } = batch
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString(
    'utf8',
    symbolStart[ref]!,
    symbolEnd[ref]!,
  )
}
