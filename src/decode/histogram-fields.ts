import type { ProtobufReader } from '../wire/protobuf-reader.ts'
import { Buckets, Words64 } from './buckets.ts'

/** A member of a oneof, as a uint64 or as the bits of a double; unset is the integer 0. */
export type Count = { kind: 'integer' | 'float'; low: number; high: number }

/** Scratch space for one native histogram, just as it was sent. */
export type HistogramFields = {
  /** Its kind is that of the whole histogram. */
  count: Count
  zeroCount: Count
  sum: Words64
  zeroThreshold: Words64
  schema: number
  negative: Buckets
  positive: Buckets
  /** Upper bounds of buckets that have their own (NHCB). */
  customValues: Words64
  resetHint: number
  timestampMs: number
  startMs: number
}

export function createHistogramFields(): HistogramFields {
  return {
    count: { kind: 'integer', low: 0, high: 0 },
    zeroCount: { kind: 'integer', low: 0, high: 0 },
    sum: new Words64(),
    zeroThreshold: new Words64(),
    schema: 0,
    negative: new Buckets(),
    positive: new Buckets(),
    customValues: new Words64(),
    resetHint: 0,
    timestampMs: 0,
    startMs: 0,
  }
}

/** Reads one Histogram message of either version, up to the reader's limit. */
export function readHistogram(reader: ProtobufReader, fields: HistogramFields): void {
  clearHistogram(fields)
  while (reader.hasMore()) {
    const tag = reader.uint32()
    if (!readScalar(tag, reader, fields) && !readRepeated(tag, reader, fields)) reader.skip(tag)
  }
}

export function clearHistogram(fields: HistogramFields): void {
  setCount(fields.count, 'integer', 0, 0)
  setCount(fields.zeroCount, 'integer', 0, 0)
  setDouble(fields.sum, 0, 0)
  setDouble(fields.zeroThreshold, 0, 0)
  fields.schema = 0
  fields.negative.clear()
  fields.positive.clear()
  fields.customValues.length = 0
  fields.resetHint = 0
  fields.timestampMs = 0
  fields.startMs = 0
}

export function setCount(count: Count, kind: Count['kind'], low: number, high: number): void {
  count.kind = kind
  count.low = low
  count.high = high
}

export function setDouble(field: Words64, low: number, high: number): void {
  field.length = 0
  field.push(low, high)
}

function readScalar(tag: number, reader: ProtobufReader, fields: HistogramFields): boolean {
  switch (tag) {
    case 0x08:
      setCount(fields.count, 'integer', reader.varint64(), reader.high)
      return true
    case 0x11:
      setCount(fields.count, 'float', reader.fixed64(), reader.high)
      return true
    case 0x19:
      setDouble(fields.sum, reader.fixed64(), reader.high)
      return true
    case 0x20:
      fields.schema = reader.sint32()
      return true
    case 0x29:
      setDouble(fields.zeroThreshold, reader.fixed64(), reader.high)
      return true
    case 0x30:
      setCount(fields.zeroCount, 'integer', reader.varint64(), reader.high)
      return true
    case 0x39:
      setCount(fields.zeroCount, 'float', reader.fixed64(), reader.high)
      return true
    case 0x70:
      fields.resetHint = reader.uint32()
      return true
    case 0x78:
      fields.timestampMs = reader.int64()
      return true
    case 0x88:
      fields.startMs = reader.int64()
      return true
    default:
      return false
  }
}

/** Repeated numbers are packed, or one field each: protobuf wants both to be read. */
function readRepeated(tag: number, reader: ProtobufReader, fields: HistogramFields): boolean {
  switch (tag) {
    case 0x42:
      fields.negative.readSpan(reader)
      return true
    case 0x48:
      fields.negative.readDelta(reader)
      return true
    case 0x4a:
      fields.negative.readDeltas(reader)
      return true
    case 0x51:
      fields.negative.counts.pushDouble(reader)
      return true
    case 0x52:
      fields.negative.counts.pushDoubles(reader)
      return true
    case 0x5a:
      fields.positive.readSpan(reader)
      return true
    case 0x60:
      fields.positive.readDelta(reader)
      return true
    case 0x62:
      fields.positive.readDeltas(reader)
      return true
    case 0x69:
      fields.positive.counts.pushDouble(reader)
      return true
    case 0x6a:
      fields.positive.counts.pushDoubles(reader)
      return true
    case 0x81:
      fields.customValues.pushDouble(reader)
      return true
    case 0x82:
      fields.customValues.pushDoubles(reader)
      return true
    default:
      return false
  }
}
