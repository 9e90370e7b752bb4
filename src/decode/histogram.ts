import type { Batch } from '../model/batch.ts'
import { type DigestKey, digestBytes } from '../model/identity.ts'
import type { ProtobufReader } from '../wire/protobuf-reader.ts'
import { ProtobufWriter } from '../wire/protobuf-writer.ts'
import type { Words64 } from './buckets.ts'
import { histogramProblem } from './histogram-check.ts'
import {
  type Count,
  createHistogramFields,
  type HistogramFields,
  readHistogram,
  setCount,
} from './histogram-fields.ts'

/** The finest schema that Prometheus stores; finer ones are merged down to it. */
const SCHEMA_MAX = 8

/**
 * Reads, judges and rewrites native histograms; both versions of remote write share the
 * message. What passes is written in one form, so that equal histograms are equal bytes:
 *
 * - fields in the order of their numbers, repeated numbers packed, defaults left out;
 * - both oneofs always present, of the same kind, and no buckets of the other kind;
 * - without timestamp (15) and start timestamp (17), which are the sample's;
 * - schema 8 at most.
 *
 * A class, because it is scratch space that is filled again for each histogram.
 */
export class HistogramDecoder {
  /** What `read` read last, just as it was sent. */
  readonly fields: HistogramFields = createHistogramFields()

  readonly #key: DigestKey
  readonly #writer = new ProtobufWriter(4096)
  readonly #digest = new Uint32Array(4)

  constructor(key: DigestKey) {
    this.#key = key
  }

  /**
   * Reads one Histogram message, up to the reader's limit. Returns why it is invalid, or
   * null; damaged protobuf is the reader's to tell.
   */
  read(reader: ProtobufReader): string | null {
    readHistogram(reader, this.fields)
    return reader.malformed === null ? histogramProblem(this.fields) : null
  }

  /**
   * Appends what was read, and found valid, to the batch's histograms, and points `sample`
   * at it: range and digest. The caller made room for the sample.
   */
  append(batch: Batch, sample: number): void {
    reduceResolution(this.fields)
    this.#writer.clear()
    write(this.fields, this.#writer)
    const { bytes, at: length } = this.#writer
    const start = batch.histogramByteCount
    batch.histogramBytes.set(bytes.subarray(0, length), start)
    batch.histogramByteCount = start + length
    batch.sampleHistogramStart[sample] = start
    batch.sampleHistogramEnd[sample] = start + length

    digestBytes(this.#key, bytes, 0, length, this.#digest, 0)
    batch.sampleBits[sample * 2] = this.#digest[0]!
    batch.sampleBits[sample * 2 + 1] = this.#digest[1]!
  }
}

function reduceResolution(fields: HistogramFields): void {
  if (fields.schema <= SCHEMA_MAX) return
  const steps = fields.schema - SCHEMA_MAX
  fields.positive.merge(steps, fields.count.kind === 'float')
  fields.negative.merge(steps, fields.count.kind === 'float')
  fields.schema = SCHEMA_MAX
}

function write(fields: HistogramFields, writer: ProtobufWriter): void {
  const { count, zeroCount, negative, positive } = fields
  const isFloat = count.kind === 'float'
  // A zero count of the other kind has no meaning: receivers read it as 0.
  if (zeroCount.kind !== count.kind) setCount(zeroCount, count.kind, 0, 0)

  writeCount(isFloat ? 0x11 : 0x08, count, writer)
  writeDouble(0x19, fields.sum, writer)
  if (fields.schema !== 0) {
    writer.uint32(0x20)
    writer.sint32(fields.schema)
  }
  writeDouble(0x29, fields.zeroThreshold, writer)
  writeCount(isFloat ? 0x39 : 0x30, zeroCount, writer)

  negative.writeSpans(0x42, writer)
  if (isFloat) negative.counts.writeDoubles(0x52, writer)
  else negative.writeDeltas(0x4a, writer)
  positive.writeSpans(0x5a, writer)
  if (isFloat) positive.counts.writeDoubles(0x6a, writer)
  else positive.writeDeltas(0x62, writer)

  // 1 yes, 2 no, 3 gauge. What later versions may add is unknown, which is 0.
  if (fields.resetHint > 0 && fields.resetHint <= 3) {
    writer.uint32(0x70)
    writer.uint32(fields.resetHint)
  }
  fields.customValues.writeDoubles(0x82, writer)
}

function writeCount(tag: number, { kind, low, high }: Count, writer: ProtobufWriter): void {
  writer.uint32(tag)
  if (kind === 'float') writer.fixed64(low, high)
  else writer.varint64(low, high)
}

function writeDouble(tag: number, { words }: Words64, writer: ProtobufWriter): void {
  if ((words[0]! | words[1]!) === 0) return
  writer.uint32(tag)
  writer.fixed64(words[0]!, words[1]!)
}
