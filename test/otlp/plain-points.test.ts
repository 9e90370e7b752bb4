import { expect, test } from 'vitest'
import type { RequestLimits } from '../../src/decode/limits.ts'
import { REFS_MAX } from '../../src/kernel/layout.ts'
import { type Batch, createBatch } from '../../src/model/batch.ts'
import { createOtlpDecoder, OTLP_LIMITS } from '../../src/otlp/decoder.ts'
import { OTLP_DEFAULTS } from '../../src/otlp/options.ts'
import { rejectedOf, seriesOf } from '../support/decoded.ts'
import { KEY } from '../support/decoding.ts'
import {
  attributesOf,
  CUMULATIVE,
  encodeOtlp,
  gaugeOf,
  type Message,
  nanos,
  otlpOf,
  pointAt,
  sumOf,
} from '../support/otlp.ts'

const AT = 1_700_000_000_000
const cumulative = { aggregationTemporality: CUMULATIVE }

test('the kernel reads a whole resource that is like the one before', () => {
  const point = (name: string): Message[] => [
    pointAt(
      AT,
      { asDouble: 1, startTimeUnixNano: nanos(AT - 9) },
      { name, code: { intValue: '7' } },
    ),
    pointAt(AT, { asInt: '2' }, { name, ok: { boolValue: true } }),
    pointAt(AT, { asInt: '3' }),
  ]
  const buckets = { explicitBounds: [0.1, 5], bucketCounts: [1, 2, 3], count: 6, sum: 7, max: 8 }
  const metricsOf = (name: string): Message[] => [
    gaugeOf('g', point(name), { unit: 's', description: name }),
    sumOf('c', point(name)),
    { name: 'h', histogram: { ...cumulative, dataPoints: [pointAt(AT, buckets, { name })] } },
  ]
  const resourceMetrics = ['first', 'second'].map((name) => ({
    resource: { attributes: attributesOf({ 'service.name': name }) },
    scopeMetrics: [{ metrics: metricsOf(name) }],
  }))
  const batch = createBatch()
  const { kernel } = batch
  const stops: [at: number, limit: number][] = []
  const read = kernel.readMetrics.bind(kernel)
  kernel.readMetrics = (from, limit) => {
    const at = read(from, limit)
    stops.push([at, limit])
    return at
  }
  expect(createOtlpDecoder(KEY)(encodeOtlp({ resourceMetrics }), batch)).toBeNull()
  const [at, limit] = stops.at(-1)!
  expect(at).toBe(limit)
  // Once for each metric of the first, and once more in all.
  expect(stops).toHaveLength(metricsOf('').length + 1)
})

test('numbers that are all different do not take the room of twice as many', () => {
  const points = Array.from({ length: 40_000 }, (_, i) =>
    pointAt(AT, { asDouble: 1 }, { code: { intValue: `${i}` } }),
  )
  const batch = createBatch()
  expect(createOtlpDecoder(KEY)(otlpOf([gaugeOf('g', points)]), batch)).toBeNull()
  expect(batch.seriesCount).toBe(points.length)
  expect(batch.symbolCount).toBeLessThan(60_000)
})

const gauges = (...values: string[]) =>
  gaugeOf(
    'g',
    values.map((code) => pointAt(AT, { asDouble: 1 }, { code })),
  )
const codesOf = (batch: Batch) =>
  seriesOf(batch).map(({ labels }) => labels.find(([name]) => name === 'code')?.[1])

test('what stood in an earlier request is not taken for what stands in this one', () => {
  const decode = createOtlpDecoder(KEY)
  const batch = createBatch()
  expect(decode(otlpOf([gauges('v1', 'v2', 'v3')]), batch)).toBeNull()
  expect(decode(otlpOf([gauges('v3', 'v3', 'v3')]), batch)).toBeNull()
  expect(codesOf(batch)).toEqual(['v3', 'v3', 'v3'])
  for (const symbol of batch.labelRefs.subarray(0, batch.labelRefCount)) {
    expect(symbol).toBeLessThan(batch.symbolCount)
  }
})

test('a value that is no text is refused, whatever was before it', () => {
  const batch = createBatch()
  const bytes = Buffer.from(otlpOf([gauges('v1', 'v2', '@@', 'v4')]))
  bytes.fill(0xff, bytes.indexOf('@@'), bytes.indexOf('@@') + 2)
  expect(createOtlpDecoder(KEY)(bytes, batch)).toBeNull()
  expect(codesOf(batch)).toEqual(['v1', 'v2', 'v4'])
  expect(rejectedOf(batch)).toEqual({ 'label-invalid': 1 })
})

test('limits hold for points that are like those before', () => {
  const read = (points: number, limits: Partial<RequestLimits>) =>
    createOtlpDecoder(KEY, OTLP_DEFAULTS, { ...OTLP_LIMITS, ...limits })(
      otlpOf([gauges(...Array.from({ length: points }, (_, i) => `${i}`))]),
      createBatch(),
    )
  expect(read(9, { elements: 9 })).toBeNull()
  expect(read(10, { elements: 9 })).toMatch('more than 9 series in one request')
  // `code`, its value of one character, and `g`.
  expect(read(9, { labelBytes: 54 })).toBeNull()
  expect(read(10, { labelBytes: 54 })).toMatch('labels of more than 54 bytes')
})

test('labels that need more room than there is are refused, and write over nothing', () => {
  const explicitBounds = Array.from({ length: 60_000 }, (_, i) => i)
  const bucketCounts = explicitBounds.map(() => 1).concat(1)
  const letters = [...'abcdefghijklmnopqrst'].map((letter) => [letter, letter])
  const own = Object.fromEntries(letters)
  const point = pointAt(AT, { explicitBounds, bucketCounts, count: 1 }, own)
  const histogramOf = (points: number) => ({
    name: 'h',
    histogram: { dataPoints: Array(points).fill(point), ...cumulative },
  })
  const decode = createOtlpDecoder(KEY)
  const batch = createBatch()
  expect(decode(otlpOf([histogramOf(20)]), batch)).toBeNull()
  expect(batch.seriesCount).toBe(20 * 60_002)
  expect(batch.labelRefCount).toBeLessThan(REFS_MAX)
  expect(decode(otlpOf([histogramOf(30)]), batch)).toMatch('more than 33554432 labels')
})
