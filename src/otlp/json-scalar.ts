import type { ProtobufWriter } from '../wire/protobuf-writer.ts'
import type { Scalar } from './json-schema.ts'

const VARINT = 0
const FIXED64 = 1
const BYTES = 2

const TEMPORALITIES = ['UNSPECIFIED', 'DELTA', 'CUMULATIVE'].map(
  (name) => `AGGREGATION_TEMPORALITY_${name}`,
)

const INTEGERS = {
  fixed64: { from: 0n, to: 2n ** 64n - 1n, wire: FIXED64, isZigzag: false },
  sfixed64: { from: -(2n ** 63n), to: 2n ** 63n - 1n, wire: FIXED64, isZigzag: false },
  int64: { from: -(2n ** 63n), to: 2n ** 63n - 1n, wire: VARINT, isZigzag: false },
  uint64: { from: 0n, to: 2n ** 64n - 1n, wire: VARINT, isZigzag: false },
  uint32: { from: 0n, to: 2n ** 32n - 1n, wire: VARINT, isZigzag: false },
  int32: { from: -(2n ** 31n), to: 2n ** 31n - 1n, wire: VARINT, isZigzag: false },
  sint32: { from: -(2n ** 31n), to: 2n ** 31n - 1n, wire: VARINT, isZigzag: true },
} as const

/**
 * Writes one value of a field. Returns what was expected in its place, or null; then it was
 * written.
 */
export function writeScalar(
  writer: ProtobufWriter,
  field: number,
  type: Scalar,
  value: unknown,
): string | null {
  switch (type) {
    case 'string':
      return typeof value === 'string' ? bytes(writer, field, Buffer.from(value)) : 'a string'
    case 'bool':
      if (typeof value !== 'boolean') return 'true or false'
      return integer(writer, field, VARINT, value ? 1n : 0n)
    case 'double': {
      const number = doubleFrom(value)
      return number === null ? 'a number, or "NaN" or "Infinity"' : double(writer, field, number)
    }
    case 'temporality': {
      const number = TEMPORALITIES.indexOf(String(value))
      return number < 0
        ? writeInteger(writer, field, 'int32', value)
        : integer(writer, field, VARINT, BigInt(number))
    }
    case 'traceId':
      return writeId(writer, field, value, 16)
    case 'spanId':
      return writeId(writer, field, value, 8)
    case 'bytes': {
      const isBase64 = typeof value === 'string' && /^[\w+/-]*={0,2}$/.test(value)
      return isBase64 ? bytes(writer, field, Buffer.from(value, 'base64')) : 'base64'
    }
    default:
      return writeInteger(writer, field, type, value)
  }
}

function writeInteger(
  writer: ProtobufWriter,
  field: number,
  type: keyof typeof INTEGERS,
  value: unknown,
): string | null {
  const { from, to, wire, isZigzag } = INTEGERS[type]
  const number = integerFrom(value)
  if (number === null || number < from || number > to) return `an integer from ${from} to ${to}`
  const written = isZigzag ? BigInt.asUintN(32, (number << 1n) ^ (number >> 31n)) : number
  return integer(writer, field, wire, written)
}

/** An id is hexadecimal in any case; an empty one is none. */
function writeId(
  writer: ProtobufWriter,
  field: number,
  value: unknown,
  length: number,
): string | null {
  const isId =
    typeof value === 'string' &&
    /^[0-9a-fA-F]*$/.test(value) &&
    (value.length === length * 2 || value === '')
  return isId ? bytes(writer, field, Buffer.from(value, 'hex')) : `${length * 2} hexadecimal digits`
}

function integerFrom(value: unknown): bigint | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : null
  const isText = typeof value === 'string' && /^[+-]?\d{1,20}$/.test(value)
  return isText ? BigInt(value.replace('+', '')) : null
}

function doubleFrom(value: unknown): number | null {
  if (typeof value === 'number') return value
  if (typeof value !== 'string') return null
  // In words as well: Prometheus reads what Go does, `+Inf` and `nan` among it.
  if (/^nan$/i.test(value)) return Number.NaN
  if (/^[+-]?inf(?:inity)?$/i.test(value)) return value.startsWith('-') ? -Infinity : Infinity
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(value) ? Number(value) : null
}

const conversion = new Float64Array(1)
const conversionWords = new Uint32Array(conversion.buffer)

function double(writer: ProtobufWriter, field: number, value: number): null {
  conversion[0] = value
  writer.uint32((field << 3) | FIXED64)
  writer.fixed64(conversionWords[0]!, conversionWords[1]!)
  return null
}

function integer(writer: ProtobufWriter, field: number, wire: number, value: bigint): null {
  const words = BigInt.asUintN(64, value)
  const low = Number(words & 0xffff_ffffn)
  const high = Number(words >> 32n)
  writer.uint32((field << 3) | wire)
  if (wire === FIXED64) writer.fixed64(low, high)
  else writer.varint64(low, high)
  return null
}

function bytes(writer: ProtobufWriter, field: number, value: Buffer): null {
  writer.uint32((field << 3) | BYTES)
  writer.lengthDelimited(value, 0, value.length)
  return null
}
