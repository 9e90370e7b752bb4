import type { Words64 } from '../decode/buckets.ts'
import { EXEMPLAR_CODE_POINTS_MAX } from '../decode/limits.ts'
import type { ProtobufReader } from '../wire/protobuf-reader.ts'
import { doubleOf } from './any-value.ts'
import { createAttributeList } from './attribute-list.ts'
import type { Metric } from './metric.ts'
import type { Point } from './point.ts'
import type { OtlpRequest } from './request.ts'
import { msOf } from './time.ts'

const TWO_32 = 2 ** 32
const conversion = new Float64Array(1)
const conversionWords = new Uint32Array(conversion.buffer)

/** Scratch space for one exemplar. */
const fields = {
  low: 0,
  high: 0,
  hasValue: false,
  timestampMs: 0,
  traceId: '',
  spanId: '',
  attributes: createAttributeList(),
}

/** Appends all exemplars of the point to the series that was appended last. */
export function addExemplars(point: Point, metric: Metric): void {
  for (let i = 0; i < point.exemplars.count; i++) {
    if (readExemplar(point, i)) append(point)
    else refuse(point, metric)
  }
}

/** Which exemplar of a point belongs to which of its buckets. */
export type Placed = { bucket: number; exemplar: number }

/** Each in the first bucket whose bound is not below its value; in the order of buckets. */
export function placeExemplars(point: Point, metric: Metric, bounds: Words64): Placed[] {
  const placed: Placed[] = []
  for (let exemplar = 0; exemplar < point.exemplars.count; exemplar++) {
    if (!readExemplar(point, exemplar)) {
      refuse(point, metric)
      continue
    }
    const value = doubleOf(fields.low, fields.high)
    let bucket = 0
    let end = bounds.length
    while (bucket < end) {
      const middle = (bucket + end) >>> 1
      if (bounds.doubles[middle]! >= value) end = middle
      else bucket = middle + 1
    }
    placed.push({ bucket, exemplar })
  }
  return placed.sort((one, other) => one.bucket - other.bucket)
}

/** Appends one exemplar to the series that was appended last. */
export function addPlaced(point: Point, { exemplar }: Placed): void {
  if (readExemplar(point, exemplar)) append(point)
}

/** Never the point with it. */
function refuse({ request: { batch, reader } }: Point, { text }: Metric): void {
  if (reader.malformed !== null) return
  const example = () => `an exemplar without a value, in ${JSON.stringify(text)}`
  batch.rejections.add('exemplar-invalid', { exemplars: 1 }, example)
}

/** Fills `fields`; returns whether there is a value. */
function readExemplar({ request, exemplars }: Point, place: number): boolean {
  const { reader } = request
  if (reader.malformed !== null) return false
  const { at, limit } = reader
  reader.at = exemplars.bounds[place * 2]!
  reader.limit = exemplars.bounds[place * 2 + 1]!
  readFields(request)
  if (reader.malformed === null) reader.at = at
  reader.limit = limit
  return fields.hasValue && reader.malformed === null
}

function readFields({ reader, attributes }: OtlpRequest): void {
  fields.hasValue = false
  fields.timestampMs = 0
  fields.traceId = ''
  fields.spanId = ''
  fields.attributes.count = 0
  attributes.forget(fields.attributes)
  while (reader.hasMore()) {
    const tag = reader.uint32()
    switch (tag) {
      case 0x3a:
        attributes.read(reader, fields.attributes)
        break
      case 0x11:
        fields.timestampMs = msOf(reader.fixed64(), reader.high)
        break
      case 0x19:
        setValue(reader.fixed64(), reader.high)
        break
      case 0x31: {
        const low = reader.fixed64()
        conversion[0] = (reader.high | 0) * TWO_32 + low
        setValue(conversionWords[0]!, conversionWords[1]!)
        break
      }
      case 0x22:
        fields.spanId = readId(reader)
        break
      case 0x2a:
        fields.traceId = readId(reader)
        break
      default:
        reader.skip(tag)
    }
  }
}

function setValue(low: number, high: number): void {
  fields.hasValue = true
  fields.low = low
  fields.high = high
}

/** In hexadecimal; one of zeros is none. */
function readId(reader: ProtobufReader): string {
  const length = reader.skipBytes()
  const { buffer, byteOffset } = reader.bytes
  const hex = Buffer.from(buffer, byteOffset + reader.at - length, length).toString('hex')
  return /^0*$/.test(hex) ? '' : hex
}

/** Ids always; what else was recorded only if all of it is within the limit of OpenMetrics. */
function append(point: Point): void {
  const { request, timestampMs } = point
  const { batch, exemplarLabels: labels, texts } = request
  const ids = [
    ['trace_id', fields.traceId],
    ['span_id', fields.spanId],
  ].filter(([, id]) => id !== '')
  const pushIds = () => {
    for (const [name, id] of ids) {
      labels.push(texts.of(name!))
      labels.push(texts.of(id!))
    }
  }
  labels.begin()
  pushIds()
  const { count, keys, values } = fields.attributes
  const known = ids.map(([name]) => texts.of(name!))
  for (let i = 0; i < count; i++) {
    if (known.includes(keys[i]!)) continue
    labels.push(keys[i]!)
    labels.push(values[i]!)
  }
  if (labels.settle() !== null || labels.codePoints() > EXEMPLAR_CODE_POINTS_MAX) {
    labels.drop()
    labels.begin()
    pushIds()
    labels.settle()
  }
  if (labels.codePoints() > EXEMPLAR_CODE_POINTS_MAX) {
    batch.exemplarsOversized += 1
    labels.drop()
    return
  }
  request.addExemplar(fields.timestampMs || timestampMs, fields.low, fields.high)
}
