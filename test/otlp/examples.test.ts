import { expect, test } from 'vitest'
import type { TestGateway } from '../support/gateway.ts'
import { type NaiveOptions, translateNaively } from '../support/naive-otlp.ts'
import { doubleOf, nativeOf } from '../support/native.ts'
import { attributesOf, CUMULATIVE, encodeOtlp, type Message, nanos } from '../support/otlp.ts'
import { type Door, withDoors } from '../support/otlp-doors.ts'
import type { StoredSeries } from '../support/receiver-store.ts'
import { STALE_NAN } from '../support/remote-write.ts'

/** Requests of the shape of OpenTelemetry's own examples, in all the ways to write them. */

const SLOW = { timeout: 60_000 }
const POLL = { timeout: 10_000 }
const now = Date.now()
const times = { startTimeUnixNano: nanos(now - 5_000), timeUnixNano: nanos(now) }
const cumulative = { aggregationTemporality: CUMULATIVE }

const EXEMPLAR = {
  ...{ timeUnixNano: nanos(now - 7), asDouble: 4.5 },
  traceId: Buffer.from('5b8efff798038103d269b633813fc60c', 'hex'),
  spanId: Buffer.from('eee19b7ec3c1b174', 'hex'),
  filteredAttributes: attributesOf({ 'user.kind': 'guest' }),
}

const METRICS: Message[] = [
  {
    ...{ name: 'orders.placed', unit: '1', description: 'Orders that were paid.' },
    sum: {
      ...{ ...cumulative, isMonotonic: true },
      dataPoints: [
        {
          ...{ ...times, asInt: '9007199254740993', exemplars: [EXEMPLAR] },
          attributes: attributesOf({ 'pay.by': 'card', retry: { boolValue: false } }),
        },
        { ...times, asDouble: 2.5, attributes: attributesOf({ 'pay.by': 'cash' }) },
      ],
    },
    metadata: attributesOf({ 'prometheus.type': 'counter' }),
  },
  {
    ...{ name: 'queue.depth', unit: '{orders}' },
    gauge: {
      dataPoints: [0, 1, 2, 3].map((lane) => ({
        ...times,
        ...[{ asDouble: 10 }, { asDouble: Number.NaN }, { asDouble: -1 / 0 }, { flags: 1 }][lane],
        attributes: attributesOf({ lane: { intValue: `${lane}` } }),
      })),
    },
  },
  {
    ...{ name: 'carts.open', unit: '1' },
    sum: { ...cumulative, dataPoints: [{ ...times, asInt: '-3' }] },
  },
  {
    ...{ name: 'order.wait', unit: 's' },
    histogram: {
      ...cumulative,
      dataPoints: [
        {
          ...{ ...times, count: 6, sum: 12.5, min: 0, max: 9, exemplars: [EXEMPLAR] },
          ...{ bucketCounts: [1, 2, 3], explicitBounds: [1, 4.5] },
          attributes: attributesOf({ desk: 'a' }),
        },
        {
          ...times,
          count: 0,
          bucketCounts: [],
          explicitBounds: [],
          attributes: attributesOf({ desk: 'b' }),
        },
      ],
    },
  },
  {
    ...{ name: 'payload.size', unit: 'By' },
    exponentialHistogram: {
      ...cumulative,
      dataPoints: [
        {
          ...{ ...times, count: 10, sum: 100.25, scale: 3, zeroCount: 1, min: -1, max: 40 },
          positive: { offset: -2, bucketCounts: [0, 4, 0, 0, 0, 2] },
          negative: { offset: 1, bucketCounts: [3] },
          ...{ zeroThreshold: 0, attributes: attributesOf({ way: 'in' }) },
        },
        {
          ...{ ...times, count: 9, scale: 10, attributes: attributesOf({ way: 'out' }) },
          positive: { offset: 2_000, bucketCounts: [4, 0, 0, 0, 0, 5] },
        },
        { ...times, count: 2, zeroCount: 2, attributes: attributesOf({ way: 'none' }) },
      ],
    },
  },
  {
    ...{ name: 'gc.pause', unit: 'ms' },
    summary: {
      dataPoints: [
        {
          ...{ ...times, count: 4, sum: 9.75 },
          quantileValues: [
            { quantile: 0.5, value: 2 },
            { quantile: 1, value: 1e-7 },
          ],
        },
      ],
    },
  },
]

/** From a process that is called `instance`. */
function requestFrom(instance: string): Message {
  const args = ['shop', '--of=<a&b>'].map((stringValue) => ({ stringValue }))
  const attributes = attributesOf({
    ...{ 'service.namespace': 'shop', 'service.name': 'orders', 'service.instance.id': instance },
    ...{ 'host.name': 'web-1', 'process.command_args': { arrayValue: { values: args } } },
  })
  const schemaUrl = 'https://example.com/schemas/1.2'
  const scope = {
    ...{ name: 'orders.meter', version: '1.0.0' },
    attributes: attributesOf({ team: 'pay' }),
  }
  return {
    resourceMetrics: [
      {
        ...{ resource: { attributes, droppedAttributesCount: 2 }, schemaUrl },
        scopeMetrics: [{ scope, metrics: METRICS, schemaUrl }],
      },
    ],
  }
}

const INTEGERS = /^(?:\w+Nano|asInt|intValue|count|zeroCount)$/

/** As the specification asks: 64 bits as decimals, ids in hexadecimal, enums as numbers. */
function asSpecified(message: Message): string {
  return JSON.stringify(message, function replaced(key: string, value: unknown) {
    const original = (this as Message)[key]
    if (original instanceof Uint8Array) return Buffer.from(original).toString('hex')
    if (key === 'bucketCounts') return (value as number[]).map(String)
    if (typeof value !== 'number') return value
    return INTEGERS.test(key) || !Number.isFinite(value) ? String(value) : value
  })
}

const JSONS: [string, (message: Message) => string][] = [
  ['JSON', asSpecified],
  [
    'JSON with numbers for integers, and capitals in ids',
    (message) =>
      asSpecified(message)
        .replace(/("(?:\w+Nano|asInt|intValue|count|zeroCount)":)"(-?\d+)"/g, '$1$2')
        .replace(/"bucketCounts":\[[^\]]*\]/g, (list) => list.replace(/"(\d+)"/g, '$1'))
        .replace(/"(traceId|spanId)":"\w+"/g, (text) => text.replace(/[a-f](?=\w*"$)/g, upper)),
  ],
  [
    'JSON in snake case, with names of enums, nulls and what nobody knows',
    (message) =>
      asSpecified(message)
        .replace(/("aggregationTemporality":)2/g, '$1"AGGREGATION_TEMPORALITY_CUMULATIVE"')
        .replace(/"[a-z]+[A-Z]\w*":/g, (key) =>
          key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
        )
        .replace(/\{"key":/g, '{"nobody_knows":[{"a":null},"{"],"flags":null,"key":'),
  ],
]

function upper(letter: string): string {
  return letter.toUpperCase()
}

type Sent = [what: string, door: Door, write: (message: Message) => Uint8Array]
const WAYS: Sent[] = [
  ['protobuf', 'protobuf', encodeOtlp],
  ['gRPC', 'gRPC', encodeOtlp],
  ...JSONS.map(([what, write]): Sent => [what, 'JSON', (one) => Buffer.from(write(one))]),
]

const CONFIGURATIONS: [string, string, NaiveOptions][] = [
  ['by default', '', {}],
  [
    'with raw names, native histograms and all that is known of a scope and a resource',
    'otlp: { translation_strategy: NoUTF8EscapingWithSuffixes, convert_histograms_to_nhcb: true,' +
      ' promote_all_resource_attributes: true, promote_scope_metadata: true,' +
      ' keep_identifying_resource_attributes: true }',
    {
      ...{ strategy: 'NoUTF8EscapingWithSuffixes', asNative: true },
      ...{ promoteAll: true, scope: true, keepIdentifying: true },
    },
  ],
]

test.for(CONFIGURATIONS)(
  '%s, the same arrives however it was written, and is what the rules say',
  SLOW,
  ([, yaml, options]) =>
    withDoors(
      async (doors, gateway) => {
        for (const [instance, door, write] of WAYS) {
          const message = requestFrom(instance)
          const told = await doors.bytes(door, write(message))
          expect([instance, told]).toMatchObject([instance, { rejected: 0, message: '' }])
          const wanted = translateNaively(message, options).map(({ labels, timestampMs, value }) =>
            textOf(labels, timestampMs, value),
          )
          await expect.poll(() => arrivedFrom(gateway, instance), POLL).toEqual(wanted.sort())
          expect(exemplarsFrom(gateway, instance)).toEqual(
            Array(2).fill([
              now - 7,
              ['span_id', 'eee19b7ec3c1b174'],
              ['trace_id', '5b8efff798038103d269b633813fc60c'],
              ['user.kind', 'guest'],
            ]),
          )
        }
      },
      { yaml },
    ),
)

function seriesFrom({ receiver }: TestGateway, instance: string): StoredSeries[] {
  return [...receiver.series.values()].filter(({ labels }) =>
    labels.some(([name, value]) => name === 'instance' && value === instance),
  )
}

function arrivedFrom(gateway: TestGateway, instance: string): string[] {
  return seriesFrom(gateway, instance)
    .flatMap(({ labels, samples }) =>
      samples.map(({ timestampMs, bits, histogram }) => {
        const isStale = bits === STALE_NAN
        const value = histogram === undefined ? doubleOf(bits) : nativeOf(histogram)
        return textOf(labels, timestampMs, isStale ? 'stale' : value)
      }),
    )
    .sort()
}

function exemplarsFrom(gateway: TestGateway, instance: string): unknown[] {
  return seriesFrom(gateway, instance).flatMap(({ exemplars }) =>
    exemplars.map(({ timestampMs, labels }) => [timestampMs, ...labels]),
  )
}

function textOf(labels: [string, string][], timestampMs: number, value: unknown): string {
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
  return `${JSON.stringify(labels)} ${timestampMs} ${text}`
}
