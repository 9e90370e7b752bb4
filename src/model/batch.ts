import { Kernel, type KernelMemory } from '../kernel/kernel.ts'
import * as layout from '../kernel/layout.ts'
import { Rejections } from './rejection.ts'

const { ELEMENT_ROOM, SYMBOL_ROOM } = layout

/** Words of a symbol's digest, and of a series' identity: 128 bits under a key of this process. */
export const DIGEST_WORDS = 4

/** In `samplePoint`: the value is a difference, and not yet the sum that a series has. */
export const IS_DELTA = 2 ** 31

/** What comes before the columns, because they lie in its memory. */
class InKernel {
  readonly kernel: Kernel

  constructor(kernel: Kernel) {
    this.kernel = kernel
  }
}

/**
 * One write request after decoding, as a struct of arrays.
 *
 * Every decoder fills this one shape and every later stage reads it, so no stage
 * converts data for the next. Only the first `…Count` entries mean anything. All columns
 * lie in one memory, with room for the largest request that is taken, so that the kernel
 * and other threads find them where they are. A batch is lent, not given: it is valid
 * until its decoder's next call.
 *
 * Strings are *symbols*: ranges of `bytes`, referred to by number; symbol 0 is
 * empty. Labels lie in `labelRefs` as name, value, name, value, … A series owns
 * the entries `seriesLabelStart[i]` up to `seriesLabelEnd[i]`, sorted by the bytes
 * of the name, unique, none of them empty (Remote Write 2.0, "Labels").
 *
 * Values are moved as two 32-bit words, because a stale marker is a signalling NaN
 * that arithmetic would quieten.
 */
export class Batch extends InKernel {
  /** What symbols are ranges of: the decompressed body. */
  bytes: Uint8Array = new Uint8Array(0)

  readonly symbolStart = words(this, layout.SYMBOL_START, SYMBOL_ROOM)
  readonly symbolEnd = words(this, layout.SYMBOL_END, SYMBOL_ROOM)
  /** DIGEST_WORDS per symbol. */
  readonly symbolDigest = words(this, layout.SYMBOL_DIGEST, SYMBOL_ROOM * DIGEST_WORDS)
  /** What a symbol is good for: the sum of its traits. */
  readonly symbolTraits = bytes(this, layout.SYMBOL_TRAITS, SYMBOL_ROOM)
  /** One that is known to come after it in the order of bytes; 0 for none. */
  readonly symbolFollower = words(this, layout.SYMBOL_FOLLOWER, SYMBOL_ROOM)

  /** What it is called in the message that is being written; 0 for nothing yet. */
  readonly symbolNumber = words(this, layout.SYMBOL_NUMBER, SYMBOL_ROOM)

  readonly labelRefs = words(this, layout.LABEL_REFS, layout.REFS_MAX)

  readonly seriesLabelStart = words(this, layout.SERIES_LABEL_START)
  readonly seriesLabelEnd = words(this, layout.SERIES_LABEL_END)
  /** DIGEST_WORDS per series, over its sorted labels. Equal for equal label sets of one process. */
  readonly seriesIdentity = words(this, layout.SERIES_IDENTITY, ELEMENT_ROOM * DIGEST_WORDS)
  /** 0 unspecified to 7 stateset, as in Remote Write 2.0's Metadata. */
  readonly seriesMetadataType = bytes(this, layout.SERIES_METADATA_TYPE, ELEMENT_ROOM)
  readonly seriesHelpRef = words(this, layout.SERIES_HELP)
  readonly seriesUnitRef = words(this, layout.SERIES_UNIT)
  /** What admission says: the place of its family in the metadata memory, 0 when unknown. */
  readonly seriesFamily = words(this, layout.SERIES_FAMILY)

  /** Float and histogram samples alike; those of one series are neighbours, oldest first. */
  readonly sampleSeries = words(this, layout.SAMPLE_SERIES)
  /** Unix milliseconds. A double is exact up to 2^53. */
  readonly sampleTimestampMs = doubles(this, layout.SAMPLE_TIMESTAMP)
  /** Start (created) timestamp, 0 when unset. */
  readonly sampleStartMs = doubles(this, layout.SAMPLE_START)
  /** Low word, high word: a float's bits, or the digest of a histogram's content. */
  readonly sampleBits = words(this, layout.SAMPLE_BITS, ELEMENT_ROOM * 2)
  /** Range of `histogramBytes`; both 0 for a float sample. */
  readonly sampleHistogramStart = words(this, layout.SAMPLE_HISTOGRAM_START)
  readonly sampleHistogramEnd = words(this, layout.SAMPLE_HISTOGRAM_END)

  /**
   * Which data point of OTLP it is of, counted from 1, and IS_DELTA if it is one; 0 for what was
   * derived from others. Samples of one point are neighbours.
   */
  readonly samplePoint = words(this, layout.SAMPLE_POINT)

  /** What admission says: 1 when the sample goes into the block. */
  readonly sampleKeep = bytes(this, layout.SAMPLE_KEEP, ELEMENT_ROOM)

  /**
   * Canonical Remote Write 2.0 Histogram messages without their timestamps
   * (fields 15 and 17), which an encoder appends.
   */
  readonly histogramBytes = bytes(this, layout.HISTOGRAM_BYTES, layout.HISTOGRAM_BYTES_MAX)

  readonly exemplarSeries = words(this, layout.EXEMPLAR_SERIES)
  readonly exemplarTimestampMs = doubles(this, layout.EXEMPLAR_TIMESTAMP)
  readonly exemplarBits = words(this, layout.EXEMPLAR_BITS, ELEMENT_ROOM * 2)
  /** Range of `labelRefs`, sorted by name. */
  readonly exemplarLabelStart = words(this, layout.EXEMPLAR_LABEL_START)
  readonly exemplarLabelEnd = words(this, layout.EXEMPLAR_LABEL_END)

  /** Metadata of families without series: Remote Write 1.0 sends it in requests of its own. */
  readonly familyNameRef = words(this, layout.FAMILY_NAME)
  readonly familyType = bytes(this, layout.FAMILY_TYPE, ELEMENT_ROOM)
  readonly familyHelpRef = words(this, layout.FAMILY_HELP)
  readonly familyUnitRef = words(this, layout.FAMILY_UNIT)

  /** What the decoder refused of the request; admission adds to it. */
  readonly rejections = new Rejections()

  get symbolCount(): number {
    return this.kernel.registers[layout.AT_SYMBOL_COUNT]!
  }

  set symbolCount(count: number) {
    this.kernel.registers[layout.AT_SYMBOL_COUNT] = count
  }

  /** Entries used in `labelRefs`: two per label. */
  get labelRefCount(): number {
    return this.kernel.registers[layout.AT_LABEL_REF_COUNT]!
  }

  set labelRefCount(count: number) {
    this.kernel.registers[layout.AT_LABEL_REF_COUNT] = count
  }

  get seriesCount(): number {
    return this.kernel.registers[layout.AT_SERIES_COUNT]!
  }

  set seriesCount(count: number) {
    this.kernel.registers[layout.AT_SERIES_COUNT] = count
  }

  get sampleCount(): number {
    return this.kernel.registers[layout.AT_SAMPLE_COUNT]!
  }

  set sampleCount(count: number) {
    this.kernel.registers[layout.AT_SAMPLE_COUNT] = count
  }

  get histogramByteCount(): number {
    return this.kernel.registers[layout.AT_HISTOGRAM_BYTE_COUNT]!
  }

  set histogramByteCount(count: number) {
    this.kernel.registers[layout.AT_HISTOGRAM_BYTE_COUNT] = count
  }

  get exemplarCount(): number {
    return this.kernel.registers[layout.AT_EXEMPLAR_COUNT]!
  }

  set exemplarCount(count: number) {
    this.kernel.registers[layout.AT_EXEMPLAR_COUNT] = count
  }

  /**
   * Exemplars left out because their labels are too long: neither written nor an error, as in
   * Prometheus.
   */
  get exemplarsOversized(): number {
    return this.kernel.registers[layout.AT_EXEMPLARS_OVERSIZED]!
  }

  set exemplarsOversized(count: number) {
    this.kernel.registers[layout.AT_EXEMPLARS_OVERSIZED] = count
  }

  get familyCount(): number {
    return this.kernel.registers[layout.AT_FAMILY_COUNT]!
  }

  set familyCount(count: number) {
    this.kernel.registers[layout.AT_FAMILY_COUNT] = count
  }

  /** Fields 4 and 5 in a request of version 1.0: 2.0 has its symbols and series there. */
  get misnamedFields(): number {
    return this.kernel.registers[layout.AT_MISNAMED_FIELDS]!
  }

  set misnamedFields(count: number) {
    this.kernel.registers[layout.AT_MISNAMED_FIELDS] = count
  }

  /** Whether it came by OTLP, which counts data points where others count samples. */
  get hasPoints(): boolean {
    return this.kernel.registers[layout.AT_HAS_POINTS] === 1
  }

  set hasPoints(has: boolean) {
    this.kernel.registers[layout.AT_HAS_POINTS] = has ? 1 : 0
  }

  /** Whether there is a sample with IS_DELTA. */
  get hasDeltas(): boolean {
    return this.kernel.registers[layout.AT_HAS_DELTAS] === 1
  }

  set hasDeltas(has: boolean) {
    this.kernel.registers[layout.AT_HAS_DELTAS] = has ? 1 : 0
  }

  /**
   * Whether `bytes` are a Remote Write 2.0 message that says just what this batch says, and as
   * we would: float samples in order, sorted labels, no field that is not known.
   */
  get isPlain(): boolean {
    return this.kernel.registers[layout.AT_IS_PLAIN] === 1
  }

  set isPlain(is: boolean) {
    this.kernel.registers[layout.AT_IS_PLAIN] = is ? 1 : 0
  }
}

function words({ kernel }: Batch, at: number, length = ELEMENT_ROOM): Uint32Array {
  return new Uint32Array(kernel.buffer, at, length)
}

function doubles({ kernel }: Batch, at: number): Float64Array {
  return new Float64Array(kernel.buffer, at, ELEMENT_ROOM)
}

function bytes({ kernel }: Batch, at: number, length: number): Uint8Array {
  return new Uint8Array(kernel.buffer, at, length)
}

/** @param memory that of a batch in another thread, to read what was decoded there */
export function createBatch(memory?: KernelMemory): Batch {
  return new Batch(new Kernel(memory))
}

/**
 * Makes the batch empty over `bytes`, of which it takes a copy unless they are its kernel's
 * already; the decoder adds symbol 0.
 *
 * @throws RangeError for more than RAW_BYTES_MAX bytes
 */
export function clearBatch(batch: Batch, bytes: Uint8Array): void {
  batch.bytes = batch.kernel.load(bytes)
  batch.kernel.registers.fill(0, 0, layout.BATCH_REGISTERS)
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

/** The text of a symbol, for messages and logs. */
export function symbolText(batch: Batch, ref: number): string {
  const { bytes, symbolStart, symbolEnd } = batch
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString(
    'utf8',
    symbolStart[ref]!,
    symbolEnd[ref]!,
  )
}
