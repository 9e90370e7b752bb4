import { readFileSync } from 'node:fs'
import protobuf from 'protobufjs'

/**
 * OTLP messages for tests, by protobufjs from `proto/`: an implementation that shares nothing
 * with ours. A message is an object literal in the names of OTLP/JSON.
 */
export type Message = { [field: string]: unknown }

const { root } = protobuf.parse(
  readFileSync(new URL('../../proto/otlp-metrics.proto', import.meta.url), 'utf8'),
)
const PACKAGE = 'opentelemetry.proto.collector.metrics.v1'
const REQUEST = root.lookupType(`${PACKAGE}.ExportMetricsServiceRequest`)
const RESPONSE = root.lookupType(`${PACKAGE}.ExportMetricsServiceResponse`)

export function encodeOtlp(message: Message): Uint8Array {
  return REQUEST.encode(REQUEST.fromObject(message)).finish()
}

export type OtlpResponse = {
  partialSuccess?: { rejectedDataPoints?: number; errorMessage?: string }
}

export function decodeOtlpResponse(bytes: Uint8Array): OtlpResponse {
  return RESPONSE.toObject(RESPONSE.decode(bytes), { longs: Number }) as OtlpResponse
}

export function encodeOtlpResponse(message: Message): Uint8Array {
  return RESPONSE.encode(RESPONSE.fromObject(message)).finish()
}

export const DELTA = 1
export const CUMULATIVE = 2

/** Attributes: strings as they are, everything else as an AnyValue. */
export type Attributes = { [key: string]: string | Message }

export function attributesOf(attributes: Attributes): Message[] {
  return Object.entries(attributes).map(([key, value]) => ({
    key,
    value: typeof value === 'string' ? { stringValue: value } : value,
  }))
}

/** Unix nanoseconds of milliseconds, as a decimal. */
export function nanos(ms: number): string {
  return `${BigInt(ms) * 1_000_000n}`
}

/** A request of one resource and one scope. */
export function otlpOf(metrics: readonly Message[], resource: Attributes = {}): Uint8Array {
  return encodeOtlp(requestOf(metrics, resource))
}

export function requestOf(metrics: readonly Message[], resource: Attributes = {}): Message {
  const scope = { name: 'test.scope', version: '1.2' }
  return {
    resourceMetrics: [
      {
        resource: { attributes: attributesOf(resource) },
        scopeMetrics: [{ scope, metrics }],
      },
    ],
  }
}

/** A data point at `ms` with whatever else it has. */
export function pointAt(ms: number, more: Message = {}, attributes: Attributes = {}): Message {
  return { timeUnixNano: nanos(ms), attributes: attributesOf(attributes), ...more }
}

export function gaugeOf(name: string, points: readonly Message[], more: Message = {}): Message {
  return { name, gauge: { dataPoints: points }, ...more }
}

export function sumOf(name: string, points: readonly Message[], more: Message = {}): Message {
  const data = { dataPoints: points, aggregationTemporality: CUMULATIVE, isMonotonic: true }
  return { name, sum: data, ...more }
}
