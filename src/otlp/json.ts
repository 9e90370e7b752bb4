import { isUtf8 } from 'node:buffer'
import { ProtobufWriter } from '../wire/protobuf-writer.ts'
import { writeScalar } from './json-scalar.ts'
import { type Field, fieldOf, REQUEST, type Schema } from './json-schema.ts'
import { jsonTextOf } from './json-text.ts'

/** Messages nest in messages; attributes may do so as deep as a sender likes. */
const DEPTH_MAX = 100

/** What is wrong with the JSON, and where; caught before it leaves this file. */
class Problem extends Error {}

/**
 * Rewrites an ExportMetricsServiceRequest from OTLP/JSON as protobuf, so that there is one
 * translation of both. Unknown keys are passed over, `null` is what is missing.
 *
 * @see https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 */
export function otlpOfJson(body: Uint8Array): { bytes: Uint8Array } | { problem: string } {
  // Or what is wrong in two labels would become the same label.
  if (!isUtf8(body)) return { problem: 'the body is no JSON: it is not UTF-8' }
  const read = jsonTextOf(Buffer.from(body.buffer, body.byteOffset, body.length))
  if ('problem' in read) return read
  let parsed: unknown
  try {
    parsed = JSON.parse(read.text)
  } catch (error) {
    return { problem: `the body is no JSON: ${(error as Error).message}` }
  }
  const writer = new ProtobufWriter(body.length)
  try {
    writeMessage(writer, parsed, REQUEST, 'the request', 0)
  } catch (error) {
    if (error instanceof Problem) return { problem: error.message }
    throw error
  }
  return { bytes: writer.written() }
}

function writeMessage(
  writer: ProtobufWriter,
  value: unknown,
  schema: Schema,
  path: string,
  depth: number,
): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Problem(`${path} must be an object`)
  }
  if (depth > DEPTH_MAX) throw new Problem(`${path} is nested deeper than ${DEPTH_MAX}`)
  for (const [key, entry] of Object.entries(value)) {
    const field = fieldOf(schema, key)
    if (field === undefined || entry === null) continue
    const at = depth === 0 ? key : `${path}.${key}`
    if (!field.isRepeated) writeField(writer, entry, field, at, depth)
    else if (!Array.isArray(entry)) throw new Problem(`${at} must be a list`)
    else {
      for (const [i, one] of entry.entries()) {
        writeField(writer, one, field, `${at}[${i}]`, depth)
      }
    }
  }
}

function writeField(
  writer: ProtobufWriter,
  value: unknown,
  { number, type }: Field,
  path: string,
  depth: number,
): void {
  if (typeof type === 'string') {
    const expected = writeScalar(writer, number, type, value)
    if (expected !== null) throw new Problem(`${path} must be ${expected}`)
    return
  }
  writer.uint32((number << 3) | 2)
  const message = writer.open()
  writeMessage(writer, value, type(), path, depth + 1)
  writer.close(message)
}
