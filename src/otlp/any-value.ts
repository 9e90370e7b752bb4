import type { ProtobufReader } from '../wire/protobuf-reader.ts'

/** Attributes may nest; what goes deeper is not meant to be read. */
const DEPTH_MAX = 32

type Any = string | boolean | bigint | number | Uint8Array | null | Any[] | Map<string, Any>

/**
 * Reads an AnyValue, up to the reader's limit, as the text that a label gets: lists and maps
 * become JSON, bytes base64.
 */
export function readAnyText(reader: ProtobufReader): string {
  const value = readAny(reader, 0)
  if (value === null) return ''
  if (typeof value === 'string') return value
  if (typeof value === 'number') return numberText(value)
  if (value instanceof Uint8Array) return base64(value)
  if (typeof value !== 'object') return String(value)
  // A list with a number that JSON has no words for comes out empty.
  return jsonOf(value) ?? ''
}

function readAny(reader: ProtobufReader, depth: number): Any {
  if (depth > DEPTH_MAX) reader.fail(`an attribute is nested deeper than ${DEPTH_MAX}`)
  let value: Any = null
  while (reader.hasMore()) {
    const tag = reader.uint32()
    if (tag === 0x0a) value = textOf(bytesOf(reader))
    else if (tag === 0x10) value = reader.varint64() !== 0 || reader.high !== 0
    else if (tag === 0x18) value = BigInt.asIntN(64, wide(reader.varint64(), reader.high))
    else if (tag === 0x21) value = doubleOf(reader.fixed64(), reader.high)
    else if (tag === 0x2a) value = readList(reader, depth)
    else if (tag === 0x32) value = readMap(reader, depth)
    else if (tag === 0x3a) value = bytesOf(reader)
    else reader.skip(tag)
  }
  return value
}

function readList(reader: ProtobufReader, depth: number): Any[] {
  const list: Any[] = []
  const outer = reader.enter()
  while (reader.hasMore()) {
    const tag = reader.uint32()
    if (tag === 0x0a) list.push(readNested(reader, depth))
    else reader.skip(tag)
  }
  reader.leave(outer)
  return list
}

function readMap(reader: ProtobufReader, depth: number): Map<string, Any> {
  const map = new Map<string, Any>()
  const outer = reader.enter()
  while (reader.hasMore()) {
    const tag = reader.uint32()
    if (tag !== 0x0a) {
      reader.skip(tag)
      continue
    }
    let key = ''
    let value: Any = null
    const entry = reader.enter()
    while (reader.hasMore()) {
      const field = reader.uint32()
      if (field === 0x0a) key = textOf(bytesOf(reader))
      else if (field === 0x12) value = readNested(reader, depth)
      else reader.skip(field)
    }
    reader.leave(entry)
    map.set(key, value)
  }
  reader.leave(outer)
  return map
}

function readNested(reader: ProtobufReader, depth: number): Any {
  const outer = reader.enter()
  const value = readAny(reader, depth + 1)
  reader.leave(outer)
  return value
}

function bytesOf(reader: ProtobufReader): Uint8Array {
  const length = reader.skipBytes()
  return reader.bytes.subarray(reader.at - length, reader.at)
}

function textOf({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString('utf8')
}

function base64({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString('base64')
}

/** Null when there is no JSON for it. */
function jsonOf(value: Any): string | null {
  if (typeof value === 'number') return Number.isFinite(value) ? numberText(value) : null
  if (typeof value === 'string') return quoted(value)
  // To Go, no bytes are none at all.
  if (value instanceof Uint8Array) return value.length === 0 ? 'null' : quoted(base64(value))
  if (Array.isArray(value)) {
    const parts = value.map(jsonOf)
    return parts.includes(null) ? null : `[${parts.join(',')}]`
  }
  if (value instanceof Map) {
    const keys = [...value.keys()].sort((one, other) =>
      Buffer.compare(Buffer.from(one), Buffer.from(other)),
    )
    const parts = keys.map((key) => [quoted(key), jsonOf(value.get(key)!)] as const)
    if (parts.some(([, part]) => part === null)) return null
    return `{${parts.map(([key, part]) => `${key}:${part}`).join(',')}}`
  }
  return String(value)
}

/** As Go writes it: safe within HTML, and without the line separators of Unicode. */
function quoted(text: string): string {
  const code = (character: string) => character.charCodeAt(0).toString(16).padStart(4, '0')
  return JSON.stringify(text).replace(/[<>&\u2028\u2029]/g, (one) => `\\u${code(one)}`)
}

function numberText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value)
}

function wide(low: number, high: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low)
}

const conversion = new Float64Array(1)
const conversionWords = new Uint32Array(conversion.buffer)

/** The double whose bits these are. */
export function doubleOf(low: number, high: number): number {
  conversionWords[0] = low
  conversionWords[1] = high
  return conversion[0]!
}
