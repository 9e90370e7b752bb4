import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Batch, createBatch } from '../../src/model/batch.ts'
import { createOtlpDecoder } from '../../src/otlp/decoder.ts'
import { OTLP_DEFAULTS } from '../../src/otlp/options.ts'
import { examplesOf, rejectedOf, seriesOf } from '../support/decoded.ts'
import { KEY } from '../support/decoding.ts'
import {
  type Attributes,
  CUMULATIVE,
  encodeOtlp,
  gaugeOf,
  type Message,
  nanos,
  otlpOf,
  pointAt,
  sumOf,
} from '../support/otlp.ts'
import { STALE_NAN } from '../support/remote-write.ts'
import { messageOf, metric, resource } from './drawn.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 1000)
const decode = createOtlpDecoder(KEY)

function decoded(metrics: Message[], from: Attributes = {}, options = {}): Batch {
  const batch = createBatch()
  const own = createOtlpDecoder(KEY, { ...OTLP_DEFAULTS, ...options })
  expect(own(otlpOf(metrics, from), batch)).toBeNull()
  return batch
}

/** Series as `a="b" …`, and the values of each. */
function textOf(batch: Batch): string[] {
  return seriesOf(batch).map(({ labels, samples }) => {
    const values = samples.map(({ bits, histogram }) =>
      histogram === undefined ? new Float64Array(BigUint64Array.of(bits!).buffer)[0] : 'native',
    )
    return `${labels.map(([name, value]) => `${name}=${value}`).join(' ')} ${values.join(' ')}`
  })
}

const one = (attributes: Attributes = {}) => [pointAt(1000, { asDouble: 1 }, attributes)]

function histogram(point: Message, attributes: Attributes = {}): Message {
  const dataPoints = [pointAt(1000, point, attributes)]
  return { name: 'h', histogram: { dataPoints, aggregationTemporality: CUMULATIVE } }
}

function exponential(...points: Message[]): Message {
  const dataPoints = points.map((point) => pointAt(1000, point))
  return {
    name: 'e',
    exponentialHistogram: { dataPoints, aggregationTemporality: CUMULATIVE },
  }
}

test('G88, G89: nothing is nothing, and a metric without points is no error', () => {
  const batch = createBatch()
  expect(decode(new Uint8Array(0), batch)).toBeNull()
  expect(batch.seriesCount).toBe(0)
  expect(textOf(decoded([gaugeOf('empty', []), gaugeOf('g', one()), { name: 'none' }]))).toEqual([
    '__name__=g 1',
  ])
})

test('G96: attributes that become one label share it, in the order of their keys', () => {
  const batch = decoded([gaugeOf('g', one({ k8s_pod: 'b', 'k8s.pod': 'a' }))])
  expect(textOf(batch)).toEqual(['__name__=g k8s_pod=a;b 1'])
})

test('G98, G99: the job is that of the service, whatever the point says', () => {
  const shop = { 'service.name': 'svc', 'service.namespace': 'ns' }
  const points = one({ job: 'x' })
  expect(textOf(decoded([gaugeOf('g', points)], shop))).toEqual(['__name__=g job=ns/svc 1'])
  expect(textOf(decoded([gaugeOf('g', one())], { 'service.namespace': 'ns' }))).toEqual([
    '__name__=g 1',
  ])
})

test('G100, G101: target_info says what else is known of a target, at its newest point', () => {
  const known = { 'service.name': 'svc', 'service.instance.id': 'i' }
  expect(textOf(decoded([gaugeOf('g', one())], known))).toHaveLength(1)
  const points = [pointAt(1000, { asDouble: 1 }), pointAt(3000, { asDouble: 2 })]
  const batch = decoded([gaugeOf('g', points)], { ...known, 'host.name': 'h' })
  expect(textOf(batch).at(-1)).toBe('__name__=target_info host_name=h instance=i job=svc 1')
  expect(batch.sampleTimestampMs[2]).toBe(3000)
})

test('G102: what a point says wins over what is promoted', () => {
  const options = { promoteResourceAttributes: ['host.name', 'zone'] }
  const from = { 'host.name': 'resource', zone: 'z' }
  const batch = decoded([gaugeOf('g', one({ host_name: 'point' }))], from, options)
  expect(textOf(batch)).toEqual(['__name__=g host_name=point zone=z 1'])
})

test('G103, G104: a histogram has decimals for bounds, and a sum if it was sent', () => {
  const point = { count: 10, bucketCounts: [1, 2, 3, 4, 0], explicitBounds: [1e-7, 1, 2.5, 1e21] }
  const buckets = ['0.0000001 1', '1 3', '2.5 6', '1000000000000000000000 10', '+Inf 10']
  expect(textOf(decoded([histogram(point)]))).toEqual([
    '__name__=h_count 10',
    ...buckets.map((bucket) => `__name__=h_bucket le=${bucket}`),
  ])
  expect(textOf(decoded([histogram({ ...point, sum: 5 })]))).toContain('__name__=h_sum 5')
})

test.for<[string, Message, RegExp]>([
  ['as many counts as bounds', { bucketCounts: [1, 2], explicitBounds: [1, 2] }, /one bucket more/],
  ['bounds that fall', { bucketCounts: [1, 2, 3], explicitBounds: [2, 1] }, /ascending/],
  [
    'a bound that is no number',
    { bucketCounts: [1, 2], explicitBounds: [Number.NaN] },
    /ascending/,
  ],
  ['the bound +Inf', { bucketCounts: [1, 2], explicitBounds: [1 / 0] }, /goes without saying/],
])('G105: a histogram with %s is one rejected point', ([, point, why]) => {
  const batch = decoded([histogram({ count: 3, ...point }), gaugeOf('g', one())])
  expect(textOf(batch)).toEqual(['__name__=g 1'])
  expect(batch.rejections.points).toBe(1)
  expect(examplesOf(batch)['histogram-invalid']).toMatch(why)
})

test('G106: an attribute le gives way to that of the buckets', () => {
  const batch = decoded([histogram({ count: 1 }, { le: 'x', __name__: 'y' })])
  expect(textOf(batch)).toEqual(['__name__=h_count 1', '__name__=h_bucket le=+Inf 1'])
})

test('G107, G109: exponential buckets are those between the same bounds', () => {
  const fine = decoded([
    exponential({ scale: 10, count: 8, positive: { bucketCounts: [0, 0, 0, 0, 5, 3] } }),
  ])
  expect(seriesOf(fine)[0]!.samples[0]!.histogram).toMatchObject({
    ...{ schema: 8, positiveSpans: [{ offset: 2, length: 1 }], positiveDeltas: [8] },
  })
  const coarse = decoded([
    exponential({ scale: 0, count: 7, positive: { offset: -3, bucketCounts: [1, 2, 4] } }),
  ])
  expect(seriesOf(coarse)[0]!.samples[0]!.histogram).toMatchObject({
    ...{ schema: 0, positiveSpans: [{ offset: -2, length: 3 }], positiveDeltas: [1, 1, 2] },
  })
})

test('G108, G111: what is wrong with one exponential point does not touch the next', () => {
  const good = { count: 1, positive: { bucketCounts: [1] } }
  const wide = { offset: 2 ** 31 - 1, bucketCounts: [1] }
  const batch = decoded([
    exponential({ ...good, scale: -5 }, { ...good, count: 2 }, { count: 1, positive: wide }, good),
  ])
  expect(batch.seriesCount).toBe(1)
  expect(batch.rejections.points).toBe(3)
})

test('a native histogram counts exactly beyond 2^53, and no scale is too fine', () => {
  const many = `${2n ** 53n + 1n}`
  const counted = [
    exponential(
      { count: many, zeroCount: many },
      { count: many, scale: 100, positive: { bucketCounts: [many] } },
    ),
    histogram({ count: many, bucketCounts: [many, 0], explicitBounds: [1] }),
  ]
  const batch = decoded(counted, {}, { convertHistogramsToNhcb: true })
  expect(examplesOf(batch)).toEqual({})
  const histograms = seriesOf(batch).map(({ samples }) => samples[0]!.histogram!)
  expect(histograms.map(({ countInt }) => String(countInt))).toEqual([many, many, many])
  expect(histograms.map(({ schema }) => schema)).toEqual([0, 8, -53])
})

test('G110: the zero bucket is as wide as was said, else 1e-128, which Prometheus always has', () => {
  const point = { count: 1, zeroCount: 1 }
  const thresholdOf = (message: Message, options = {}) =>
    seriesOf(decoded([message], {}, options))[0]!.samples[0]!.histogram!.zeroThreshold
  const told = exponential({ ...point, zeroThreshold: 0.5 })
  expect(thresholdOf(told)).toBe(0.5)
  expect(thresholdOf(told, { keepZeroThreshold: false })).toBe(1e-128)
  expect(thresholdOf(exponential(point))).toBe(1e-128)
})

test('G112: a point without a value is a stale marker of each of its series', () => {
  const flags = 1
  const batch = decoded([
    gaugeOf('g', [pointAt(1000, { flags })]),
    histogram({ flags, count: 3, sum: 1, bucketCounts: [1, 2], explicitBounds: [1] }),
    exponential({ flags, count: 3, positive: { bucketCounts: [3] } }),
  ])
  const all = seriesOf(batch).map(({ samples }) => samples[0]!)
  for (const { bits, histogram: native } of all) {
    if (native === undefined) expect(bits).toBe(STALE_NAN)
    else expect(native).toMatchObject({ sum: STALE_NAN, countInt: 0, positiveSpans: [] })
  }
  expect(all).toHaveLength(6)
})

test('G113: an exemplar that is too long keeps its ids', () => {
  const attributes = (length: number) => [{ key: 'k', value: { stringValue: 'x'.repeat(length) } }]
  const ids = { traceId: Buffer.alloc(16, 0xab), spanId: Buffer.alloc(8, 1) }
  const exemplars = [10, 100].map((length) => ({
    ...{ asDouble: 1, timeUnixNano: nanos(900), filteredAttributes: attributes(length), ...ids },
  }))
  const batch = decoded([sumOf('n', [pointAt(1000, { asDouble: 1, exemplars })])])
  const names = seriesOf(batch)[0]!.exemplars.map(({ labels }) => labels.map(([name]) => name))
  expect(names).toEqual([
    ['k', 'span_id', 'trace_id'],
    ['span_id', 'trace_id'],
  ])
  expect(textOf(decoded([gaugeOf('g', [pointAt(1000, { exemplars })])]))).toEqual(['__name__=g 0'])
})

test('an exemplar of a histogram is in the bucket of its value, and one without value is told', () => {
  const exemplars = [0.5, 7, 1, 2].map((asDouble) => ({ asDouble, timeUnixNano: nanos(1) }))
  const point = { count: 3, bucketCounts: [1, 1, 1], explicitBounds: [1, 2] }
  const batch = decoded([histogram({ ...point, exemplars: [...exemplars, {}] })])
  const placed = seriesOf(batch).map(({ exemplars: own }) => own.length)
  expect(placed).toEqual([0, 2, 1, 1])
  expect(rejectedOf(batch)).toEqual({ 'exemplar-invalid': 1 })
  expect(batch.rejections.points).toBe(0)
})

test('G114, G115: integers become doubles, and a unit of 1 a ratio for gauges only', () => {
  const points = [pointAt(1000, { asInt: '9007199254740993' })]
  const unit = { unit: '1' }
  const other = { dataPoints: points, aggregationTemporality: CUMULATIVE }
  const batch = decoded([
    sumOf('requests', points, unit),
    gaugeOf('requests', points, unit),
    { name: 'requests', sum: other, ...unit },
  ])
  const names = ['requests_total', 'requests_ratio', 'requests']
  expect(textOf(batch)).toEqual(names.map((name) => `__name__=${name} 9007199254740992`))
})

test.for<[string, Message, string]>([
  ['a name of which nothing is left', gaugeOf('温度', one()), 'name-missing'],
  ['no name', gaugeOf('', one()), 'name-missing'],
  ['an attribute without a key', gaugeOf('g', one({ '': 'x' })), 'label-invalid'],
  ['no time', gaugeOf('g', [pointAt(0)]), 'timestamp-invalid'],
  ['no temporality', { name: 'n', sum: { dataPoints: one() } }, 'temporality'],
])('G116: a point with %s is rejected, and what is beside it is not', ([, message, reason]) => {
  const batch = decoded([message, gaugeOf('good', one())])
  expect(textOf(batch)).toEqual(['__name__=good 1'])
  expect([rejectedOf(batch), batch.rejections.points]).toEqual([{ [reason]: 1 }, 1])
})

test('a start is forwarded where it means one, and not when it is that of the point', () => {
  const start = (ms: number) => [pointAt(1000, { asDouble: 1, startTimeUnixNano: nanos(ms) })]
  const batch = decoded([sumOf('a', start(500)), sumOf('b', start(1000)), gaugeOf('c', start(500))])
  expect([...batch.sampleStartMs.subarray(0, 3)]).toEqual([500, 0, 0])
})

test('random bytes and damaged messages are read or refused, and never throw', () => {
  const batch = createBatch()
  const request = fc
    .tuple(fc.array(metric, { maxLength: 3 }), resource)
    .map(([metrics, from]) => encodeOtlp(messageOf(metrics, from, 1, 1000)))
  const flips = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 })
  fc.assert(
    fc.property(fc.oneof(request, fc.uint8Array({ maxLength: 60 })), flips, (body, changes) => {
      const damaged = Uint8Array.from(body)
      for (const [at, byte] of changes) if (damaged.length > 0) damaged[at % damaged.length] = byte
      const problem = decode(damaged, batch)
      if (problem === null) seriesOf(batch)
      else expect([batch.seriesCount, batch.sampleCount]).toEqual([0, 0])
    }),
    { numRuns },
  )
})
