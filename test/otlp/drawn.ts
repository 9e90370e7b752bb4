import fc from 'fast-check'
import {
  type Attributes,
  CUMULATIVE,
  type Message,
  nanos,
  pointAt,
  requestOf,
} from '../support/otlp.ts'

const NAMES = [
  ...'http.server.request.duration system.io requests_total total.requests 5xx.count'.split(' '),
  ...'a..b__c :foo::bar hw.fan.speed_ratio hit.ratio.now bytes.sent.count _x x_ ä.b total'.split(
    ' ',
  ),
]
const UNITS = [
  ...['', '1', 's', 'ms', 'By', 'By/s', '1/s', '{req}/s', 'm/s', 'By/min', 'kBy', 'KBy', 'By{x}'],
  ...['%', 'Cel', 'km/°', '/s', 's/', ' By / h ', 'By/s/m', '{a}/{b}', 'bytes', 'a b', '_', 'w/_'],
]
const KEYS = [
  ...'a a.b a_b a-b http.method 1st _x __x _ __ .foo ä le quantile job instance X'.split(' '),
  ...['label with blanks', 'service.name', 'a:b', '__name'],
]
const TEXTS = ['', 'v', 'GET', 'ä ö', '1;2', '{"a":1}', '\n', '😀', 'a<b>&c', '\u2028']

/** An AnyValue of whatever kind. */
const { value: anyValue } = fc.letrec<{ value: Message; list: Message; map: Message }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 2 },
    fc.constantFrom(...TEXTS).map((stringValue) => ({ stringValue })),
    fc.boolean().map((boolValue) => ({ boolValue })),
    fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map((value) => ({ intValue: `${value}` })),
    fc
      .constantFrom(0, -0, 1, 0.1, 1e20, 1e21, 1e-6, 1e-7, -5e-324, Number.NaN, 1 / 0)
      .map((doubleValue) => ({ doubleValue })),
    fc.uint8Array({ maxLength: 5 }).map((bytesValue) => ({ bytesValue })),
    fc.constant({}),
    tie('list'),
    tie('map'),
  ),
  list: fc.array(tie('value'), { maxLength: 3 }).map((values) => ({ arrayValue: { values } })),
  map: fc
    .uniqueArray(fc.tuple(fc.constantFrom('b', 'a', 'ä', '<&>'), tie('value')), {
      maxLength: 3,
      selector: ([key]) => key,
    })
    .map((entries) => ({
      kvlistValue: { values: entries.map(([key, value]) => ({ key, value })) },
    })),
}))

const value = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...TEXTS) }, anyValue)
const attributes: fc.Arbitrary<Attributes> = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...KEYS), value), { maxLength: 6, selector: ([k]) => k })
  .map((entries) => Object.fromEntries(entries))

const double = fc.double({ noDefaultInfinity: false })
const flags = fc.constantFrom(0, 0, 0, 0, 1)
const numberPoint = fc.record({
  ...{ attributes, flags },
  value: fc.oneof(
    double.map((asDouble) => ({ asDouble })),
    fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map((asInt) => ({ asInt: `${asInt}` })),
    fc.constant({}),
  ),
})
const count = fc.nat(1000)
const totalOf = (counts: readonly number[]) => counts.reduce((sum, one) => sum + one, 0)

const bounds = fc
  .uniqueArray(fc.constantFrom(-1e300, -5, -0.5, 0, 1e-7, 0.005, 0.5, 1, 2.5, 1e6, 1e21, 1e300), {
    maxLength: 8,
  })
  .map((list) => list.sort((one, other) => one - other))
const histogramPoint = bounds.chain((explicitBounds) =>
  fc.record({
    ...{ attributes, flags: fc.constant(0) },
    value: fc
      .record({
        bucketCounts: fc.array(fc.oneof(fc.constant(0), count), {
          minLength: explicitBounds.length + 1,
          maxLength: explicitBounds.length + 1,
        }),
        sum: fc.option(double, { nil: undefined }),
      })
      .map(({ bucketCounts, sum }) => ({
        ...{ explicitBounds, bucketCounts, count: totalOf(bucketCounts) },
        ...(sum !== undefined && { sum }),
      })),
  }),
)
/** Finer resolutions than 8 are merged down. */
const side = fc.record({
  offset: fc.integer({ min: -300, max: 300 }),
  bucketCounts: fc.array(fc.oneof(fc.constant(0), count), { maxLength: 12 }),
})
const exponentialPoint = fc.record({
  ...{ attributes, flags: fc.constant(0) },
  value: fc
    .record({
      ...{ positive: side, negative: side, zeroCount: count },
      scale: fc.integer({ min: -4, max: 12 }),
      sum: fc.double({ noNaN: true }),
    })
    .map((point) => {
      const { positive, negative, zeroCount } = point
      const inBuckets = totalOf(positive.bucketCounts) + totalOf(negative.bucketCounts)
      return { ...point, count: inBuckets + zeroCount }
    }),
})
const summaryPoint = fc.record({
  ...{ attributes, flags },
  value: fc.record({
    ...{ count, sum: double },
    quantileValues: fc
      .uniqueArray(fc.constantFrom(0, 0.5, 0.9, 0.99, 1e-7, 1), { maxLength: 4 })
      .chain((quantiles) =>
        fc.tuple(
          ...quantiles.map((quantile) =>
            fc.record({ quantile: fc.constant(quantile), value: double }),
          ),
        ),
      ),
  }),
})

type Point = { attributes: Attributes; flags: number; value: Message }
type Kind = { points: fc.Arbitrary<Point>; of: (dataPoints: Message[]) => Message }
const cumulative = { aggregationTemporality: CUMULATIVE }
const KINDS: Kind[] = [
  { points: numberPoint, of: (dataPoints) => ({ gauge: { dataPoints } }) },
  { points: numberPoint, of: (dataPoints) => ({ sum: { dataPoints, ...cumulative } }) },
  {
    points: numberPoint,
    of: (dataPoints) => ({ sum: { dataPoints, ...cumulative, isMonotonic: true } }),
  },
  { points: histogramPoint, of: (dataPoints) => ({ histogram: { dataPoints, ...cumulative } }) },
  {
    points: exponentialPoint,
    of: (dataPoints) => ({ exponentialHistogram: { dataPoints, ...cumulative } }),
  },
  { points: summaryPoint, of: (dataPoints) => ({ summary: { dataPoints } }) },
]

export type Drawn = { name: string; unit: string; kind: number; points: Point[] }
export const metric: fc.Arbitrary<Drawn> = fc.nat(KINDS.length - 1).chain((kind) =>
  fc.record({
    kind: fc.constant(kind),
    name: fc.constantFrom(...NAMES),
    unit: fc.constantFrom(...UNITS),
    points: fc.array(KINDS[kind]!.points, { minLength: 1, maxLength: 3 }),
  }),
)
export const resource = fc
  .tuple(attributes, fc.boolean(), fc.boolean(), fc.boolean())
  .map(([others, hasNamespace, hasName, hasInstance]) => ({
    ...others,
    ...(hasNamespace && { 'service.namespace': 'shops' }),
    ...(hasName && { 'service.name': 'cart' }),
    ...(hasInstance && { 'service.instance.id': 'cart-1' }),
  }))

/** A request. Each point has a number of its own, so that no two of them are one series. */
export function messageOf(
  metrics: Drawn[],
  from: Attributes,
  number: number,
  timestampMs: number,
): Message {
  let points = 0
  const messages = metrics.map(({ name, unit, kind, points: drawn }) => {
    const dataPoints = drawn.map(({ attributes: own, flags: its, value: more }) => {
      const id = { zid: `${number}-${points++}` }
      const start = { startTimeUnixNano: nanos(timestampMs - 1000) }
      return pointAt(timestampMs, { ...more, ...start, flags: its }, { ...own, ...id })
    })
    return { name, unit, ...KINDS[kind]!.of(dataPoints) }
  })
  return requestOf(messages, { ...from, 'request.number': `${number}` })
}
