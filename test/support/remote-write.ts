import { readFileSync } from 'node:fs'
import protobuf from 'protobufjs'

/**
 * Remote Write messages for tests, by protobufjs from the files in `proto/`: an
 * implementation that shares nothing with ours.
 *
 * A message is an object literal with the names of the .proto file in camel case.
 *
 * - A double may be given as its 64 bits in a bigint, and a NaN is handed back as one:
 *   engines quieten signalling NaNs, and a stale marker is one.
 * - A 64-bit integer may be a number, a decimal string, a bigint or a Long; it comes back
 *   as a number when that is exact, else as a bigint.
 */
export type Message = { [field: string]: unknown }
export type Bits = number | bigint

/** The NaN by which Prometheus says that a series has ended. */
export const STALE_NAN = 0x7ff0_0000_0000_0002n
/** The NaN that Prometheus writes for a value that is not a number. */
export const ORDINARY_NAN = 0x7ff8_0000_0000_0001n

/** Marks what is a double in the .proto file. */
const WAS_DOUBLE = '(was_double)'

// On the wire a double is eight bytes, as a fixed64 is. Read so, no NaN is ever touched.
const rw1 = schemaWithRawDoubles('remote-write-1')
const rw2 = schemaWithRawDoubles('remote-write-2')

const RW1_MESSAGE = rw1.root.lookupType('prometheus.WriteRequest')
const RW2_MESSAGE = rw2.root.lookupType('io.prometheus.write.v2.Request')
const RW2_HISTOGRAM = rw2.root.lookupType('io.prometheus.write.v2.Histogram')

export function encodeRw1(message: Message): Uint8Array {
  return encode(RW1_MESSAGE, message)
}

export function encodeRw2(message: Message): Uint8Array {
  return encode(RW2_MESSAGE, message)
}

/** Missing fields come as their defaults; the members of a oneof only when they are set. */
export function decodeRw1(bytes: Uint8Array): Rw1Message {
  return decode(RW1_MESSAGE, bytes) as Rw1Message
}

export function decodeRw2(bytes: Uint8Array): Rw2Message {
  return decode(RW2_MESSAGE, bytes) as Rw2Message
}

/** One Histogram message of Remote Write 2.0, on its own. */
export function decodeHistogram(bytes: Uint8Array): HistogramMessage {
  return decode(RW2_HISTOGRAM, bytes) as HistogramMessage
}

export function encodeHistogram(message: Message): Uint8Array {
  return encode(RW2_HISTOGRAM, message)
}

export type HistogramMessage = {
  countInt?: Bits
  countFloat?: Bits
  sum: Bits
  schema: number
  zeroThreshold: Bits
  zeroCountInt?: Bits
  zeroCountFloat?: Bits
  negativeSpans: { offset: number; length: number }[]
  negativeDeltas: Bits[]
  negativeCounts: Bits[]
  positiveSpans: { offset: number; length: number }[]
  positiveDeltas: Bits[]
  positiveCounts: Bits[]
  resetHint: number
  timestamp: Bits
  customValues: Bits[]
  startTimestamp: Bits
}

export type Rw1Message = {
  timeseries: {
    labels: { name: string; value: string }[]
    samples: { value: Bits; timestamp: Bits }[]
    exemplars: { labels: { name: string; value: string }[]; value: Bits; timestamp: Bits }[]
    histograms: HistogramMessage[]
  }[]
  metadata: { type: number; metricFamilyName: string; help: string; unit: string }[]
}

export type Rw2Message = {
  symbols: string[]
  timeseries: {
    labelsRefs: number[]
    samples: { value: Bits; timestamp: Bits; startTimestamp: Bits }[]
    histograms: HistogramMessage[]
    exemplars: { labelsRefs: number[]; value: Bits; timestamp: Bits }[]
    metadata: { type: number; helpRef: number; unitRef: number } | null
    createdTimestamp: Bits
  }[]
}

export type LabelsLiteral = { [name: string]: string } | [name: string, value: string][]

/** A series as a test wants to say it. Labels keep the order in which they are written. */
export type SeriesLiteral = {
  labels: LabelsLiteral
  samples?: { value: Bits; timestamp: Bits; startTimestamp?: Bits }[]
  /** Histogram messages with their `timestamp`, as in the .proto file. */
  histograms?: Message[]
  exemplars?: { labels?: LabelsLiteral; value: Bits; timestamp: Bits }[]
  /** Remote Write 2.0 only. */
  metadata?: { type?: number; help?: string; unit?: string }
  /** Remote Write 2.0 only. */
  createdTimestamp?: Bits
}

/** A Remote Write 2.0 request with its symbol table, not compressed. */
export function rw2Of(series: readonly SeriesLiteral[]): Uint8Array {
  const symbols = ['']
  const places = new Map([['', 0]])
  const place = (symbol: string): number => {
    const known = places.get(symbol)
    if (known !== undefined) return known
    places.set(symbol, symbols.length)
    return symbols.push(symbol) - 1
  }
  const refs = (labels: LabelsLiteral): number[] => pairsOf(labels).flat().map(place)

  const timeseries = series.map(({ labels, exemplars = [], metadata, ...rest }) => ({
    ...rest,
    labelsRefs: refs(labels),
    exemplars: exemplars.map(({ labels = {}, ...exemplar }) => ({
      ...exemplar,
      labelsRefs: refs(labels),
    })),
    ...(metadata === undefined
      ? {}
      : {
          metadata: {
            type: metadata.type ?? 0,
            helpRef: place(metadata.help ?? ''),
            unitRef: place(metadata.unit ?? ''),
          },
        }),
  }))
  return encodeRw2({ symbols, timeseries })
}

export type FamilyLiteral = { type: number; metricFamilyName: string; help?: string; unit?: string }

/** A Remote Write 1.0 request, not compressed; `metadata` is that of metric families. */
export function rw1Of(
  series: readonly SeriesLiteral[],
  metadata: readonly FamilyLiteral[] = [],
): Uint8Array {
  const timeseries = series.map(({ labels, samples = [], histograms = [], exemplars = [] }) => ({
    labels: inlineLabels(labels),
    samples: samples.map(({ value, timestamp }) => ({ value, timestamp })),
    histograms,
    exemplars: exemplars.map(({ labels = {}, ...exemplar }) => ({
      ...exemplar,
      labels: inlineLabels(labels),
    })),
  }))
  return encodeRw1({ timeseries, metadata })
}

/** The text of each label of a decoded Remote Write 2.0 series, in its order. */
export function labelsOf(
  message: Rw2Message,
  series: { labelsRefs: number[] },
): [name: string, value: string][] {
  const labels: [string, string][] = []
  for (let i = 0; i < series.labelsRefs.length; i += 2) {
    const name = message.symbols[series.labelsRefs[i]!]
    const value = message.symbols[series.labelsRefs[i + 1]!]
    labels.push([name!, value!])
  }
  return labels
}

/** The 64 bits of a double. A NaN that is not the engine's own must be given as bits already. */
export function bitsOf(value: Bits): bigint {
  if (typeof value === 'bigint') return value
  return new BigUint64Array(Float64Array.of(value).buffer)[0]!
}

function pairsOf(labels: LabelsLiteral): [string, string][] {
  return Array.isArray(labels) ? labels : Object.entries(labels)
}

function inlineLabels(labels: LabelsLiteral): { name: string; value: string }[] {
  return pairsOf(labels).map(([name, value]) => ({ name, value }))
}

type Schema = { root: protobuf.Root }

function schemaWithRawDoubles(name: string): Schema {
  const path = new URL(`../../proto/${name}.proto`, import.meta.url)
  const source = readFileSync(path, 'utf8').replaceAll(
    /\bdouble (\w+) = (\d+);/g,
    `fixed64 $1 = $2 [${WAS_DOUBLE} = true];`,
  )
  const { root } = protobuf.parse(source)
  root.resolveAll()
  return { root }
}

const WIDE_INTEGERS = new Set(['int64', 'uint64', 'sint64'])

function encode(type: protobuf.Type, message: Message): Uint8Array {
  return type.encode(type.create(asWritten(type, message))).finish()
}

function asWritten(type: protobuf.Type, message: Message): Message {
  const written: Message = {}
  for (const [name, value] of Object.entries(message)) {
    const field = type.fields[name]
    if (field === undefined) throw new Error(`${type.name} has no field ${name}`)
    if (value === undefined || value === null) continue
    written[name] = Array.isArray(value)
      ? value.map((element) => elementAsWritten(field, element))
      : elementAsWritten(field, value)
  }
  return written
}

function elementAsWritten(field: protobuf.Field, value: unknown): unknown {
  if (field.resolvedType instanceof protobuf.Type) {
    return asWritten(field.resolvedType, value as Message)
  }
  if (isDouble(field)) return longOf(bitsOf(value as Bits))
  if (WIDE_INTEGERS.has(field.type)) return longOf(BigInt(String(value)))
  return value
}

function longOf(value: bigint): { low: number; high: number; unsigned: boolean } {
  const low = Number(BigInt.asIntN(32, value))
  return { low, high: Number(BigInt.asIntN(32, value >> 32n)), unsigned: false }
}

function decode(type: protobuf.Type, bytes: Uint8Array): Message {
  return asRead(type, type.decode(bytes) as unknown as Message)
}

function asRead(type: protobuf.Type, message: Message): Message {
  const read: Message = {}
  for (const field of type.fieldsArray) {
    const value = Object.hasOwn(message, field.name) ? message[field.name] : undefined
    if (field.repeated) {
      read[field.name] = ((value ?? []) as unknown[]).map((part) => elementAsRead(field, part))
    } else if (value !== undefined && value !== null) {
      read[field.name] = elementAsRead(field, value)
    } else if (field.partOf === null) {
      read[field.name] = defaultOf(field)
    }
  }
  return read
}

function defaultOf(field: protobuf.Field): unknown {
  if (field.resolvedType instanceof protobuf.Type) return null
  return field.type === 'string' ? '' : 0
}

function elementAsRead(field: protobuf.Field, value: unknown): unknown {
  if (field.resolvedType instanceof protobuf.Type) {
    return asRead(field.resolvedType, value as Message)
  }
  if (isDouble(field)) {
    const bits = BigInt.asUintN(64, BigInt(String(value)))
    const double = new Float64Array(BigUint64Array.of(bits).buffer)[0]!
    return Number.isNaN(double) ? bits : double
  }
  if (WIDE_INTEGERS.has(field.type)) {
    const integer = BigInt(String(value))
    return Number.isSafeInteger(Number(integer)) ? Number(integer) : integer
  }
  return value
}

function isDouble(field: protobuf.Field): boolean {
  return field.options?.[WAS_DOUBLE] === true
}
