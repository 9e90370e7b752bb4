import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createBatch } from '../../src/model/batch.ts'
import { createOtlpDecoder } from '../../src/otlp/decoder.ts'
import { otlpOfJson } from '../../src/otlp/json.ts'
import { rejectedOf, seriesOf } from '../support/decoded.ts'
import { KEY } from '../support/decoding.ts'
import { encodeOtlp } from '../support/otlp.ts'
import { messageOf, metric, resource } from './drawn.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 200)
const decode = createOtlpDecoder(KEY)
const batch = createBatch()

function seriesIn(body: Uint8Array) {
  expect(decode(body, batch)).toBeNull()
  return seriesOf(batch)
}

function read(json: string) {
  const result = otlpOfJson(Buffer.from(json))
  if ('problem' in result) throw new Error(result.problem)
  return seriesIn(result.bytes)
}

function problemOf(json: string): string {
  const result = otlpOfJson(Buffer.from(json))
  return 'problem' in result ? result.problem : ''
}

/** As a sender writes what JSON has no words for. */
function written(key: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (key === 'bytesValue') return Buffer.from(Object.values(value as object)).toString('base64')
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  return Object.is(value, -0) ? '-0' : value
}

test('JSON says what protobuf says', { timeout: 60_000 }, () => {
  const drawn = fc.tuple(fc.array(metric, { minLength: 1, maxLength: 3 }), resource)
  fc.assert(
    fc.property(drawn, ([metrics, from]) => {
      const message = messageOf(metrics, from, 1, 1_700_000_000_000)
      expect(read(JSON.stringify(message, written))).toEqual(seriesIn(encodeOtlp(message)))
    }),
    { numRuns },
  )
})

const request = (metrics: string) =>
  `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[${metrics}]}]}]}`
const gauge = (point: string) => request(`{"name":"g","gauge":{"dataPoints":[${point}]}}`)

test('G84: nanoseconds are read alike as text and as a number', () => {
  const asText = read(gauge('{"timeUnixNano":"1795531695048999999","asInt":"-3"}'))
  const asNumber = read(gauge('{"timeUnixNano": 1795531695048999999 , "asInt":-3}'))
  expect(asNumber).toEqual(asText)
  expect(asText[0]!.samples[0]!.timestampMs).toBe(1795531695048)
})

test('digits in a string stay what they are', () => {
  const attribute = '{"key":"k","value":{"stringValue":"a\\":1795531695048000000,"}}'
  const point = `{"timeUnixNano":1795531695048000000,"attributes":[${attribute}]}`
  expect(read(gauge(point))[0]!.labels).toContainEqual(['k', 'a":1795531695048000000,'])
})

test('many digits behind a point are no integer', () => {
  const json = gauge('{"timeUnixNano":1795531695048000000,"asDouble":0.0000010000000000000002}')
  expect(read(json)[0]!.samples[0]!.timestampMs).toBe(1795531695048)
})

test('G85: snake case, names of enums and unknown keys are taken, null is nothing', () => {
  const point = '{"time_unix_nano":"1000000000","as_double":"NaN","as_int":null,"flags":0}'
  const temporality = '"aggregation_temporality":"AGGREGATION_TEMPORALITY_CUMULATIVE"'
  const data = `{${temporality},"is_monotonic":true,"data_points":[${point}]}`
  const scope = `{"metrics":[{"name":"n","x":1,"sum":${data}}]}`
  const json = `{"resource_metrics":[{"resource":null,"scope_metrics":[${scope}]}]}`
  expect(read(json)[0]!.labels).toEqual([['__name__', 'n_total']])
})

test('G86: ids are hexadecimal in any case', () => {
  const exemplar = '{"asDouble":1,"traceId":"0123456789ABCDEF0123456789abcdef","spanId":""}'
  const point = `{"timeUnixNano":"1000000000","exemplars":[${exemplar}]}`
  const data = `{"aggregationTemporality":2,"dataPoints":[${point}]}`
  const json = request(`{"name":"n","sum":${data}}`)
  expect(read(json)[0]!.exemplars[0]!.labels).toEqual([
    ['trace_id', '0123456789abcdef0123456789abcdef'],
  ])
})

test.for([
  ['"NaN"', Number.NaN],
  ['"nan"', Number.NaN],
  ['"Infinity"', Number.POSITIVE_INFINITY],
  ['"+Inf"', Number.POSITIVE_INFINITY],
  ['"-inf"', Number.NEGATIVE_INFINITY],
  ['"-Infinity"', Number.NEGATIVE_INFINITY],
  ['"+1.5e3"', 1500],
  ['".5"', 0.5],
  ['"5."', 5],
] as const)('the double %s is read as Prometheus reads it', ([text, value]) => {
  const { bits } = read(gauge(`{"timeUnixNano":"1000000","asDouble":${text}}`))[0]!.samples[0]!
  expect(new Float64Array(BigUint64Array.of(bits!).buffer)[0]).toBe(value)
})

test('an enum that nobody knows is rejected with its points, as by protobuf', () => {
  const data = '{"aggregationTemporality":-1,"dataPoints":[{"timeUnixNano":"1000000"}]}'
  expect(read(request(`{"name":"n","sum":${data}}`))).toEqual([])
  expect(rejectedOf(batch)).toEqual({ temporality: 1 })
})

test('what is not UTF-8 is no JSON, and two broken labels are never taken for one', () => {
  const [head, tail] = gauge('{"attributes":[{"key":"k","value":{"stringValue":"?"}}]}').split('?')
  const body = Buffer.concat([Buffer.from(head!), Buffer.of(0xff), Buffer.from(tail!)])
  expect(otlpOfJson(body)).toEqual({ problem: 'the body is no JSON: it is not UTF-8' })
})

test('of a key that stands there twice the last one holds', () => {
  const [first] = read(gauge('{"timeUnixNano":"1000000","timeUnixNano":"2000000"}'))
  expect(first!.samples[0]!.timestampMs).toBe(2)
})

const nested = (depth: number) =>
  `${'{"arrayValue":{"values":['.repeat(depth)}{}${']}}'.repeat(depth)}`

test.for([
  ['{"resourceMetrics":[', /no JSON/],
  ['[]', /the request must be an object/],
  ['{"resourceMetrics":{}}', /^resourceMetrics must be a list/],
  ['{"resourceMetrics":[null]}', /^resourceMetrics\[0\] must be an object/],
  [gauge('{"timeUnixNano":"x"}'), /dataPoints\[0\]\.timeUnixNano must be an integer from 0/],
  [gauge('{"timeUnixNano":-1}'), /must be an integer from 0/],
  [gauge('{"asInt":1.5}'), /asInt must be an integer/],
  [gauge('{"asDouble":"1,5"}'), /asDouble must be a number/],
  [gauge('{"attributes":[{"key":1}]}'), /attributes\[0\]\.key must be a string/],
  [gauge('{"exemplars":[{"traceId":"abc"}]}'), /traceId must be 32 hexadecimal digits/],
  [gauge(`{"attributes":[{"key":"k","value":${nested(200)}}]}`), /nested deeper/],
] as const)('G87: %s is refused, and the message says where', ([json, message]) => {
  expect(problemOf(json)).toMatch(message)
})
