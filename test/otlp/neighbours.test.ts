import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Batch, createBatch } from '../../src/model/batch.ts'
import { createOtlpDecoder } from '../../src/otlp/decoder.ts'
import { OTLP_DEFAULTS, type OtlpOptions } from '../../src/otlp/options.ts'
import { identityOf, rejectedOf, seriesOf } from '../support/decoded.ts'
import { KEY } from '../support/decoding.ts'
import {
  type Attributes,
  attributesOf,
  CUMULATIVE,
  DELTA,
  encodeOtlp,
  type Message,
  nanos,
  pointAt,
} from '../support/otlp.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 300)
const AT = 1_700_000_000_000

/** One point, and all that it hangs from. */
type Hung = {
  resource: Attributes
  scope: Message
  metric: Message
  data: 'gauge' | 'sum' | 'histogram'
  traits: Message
  point: Message
}

/** What comes often, and what is rare. */
function mostly<T>(often: readonly T[], rare: readonly T[]): fc.Arbitrary<T> {
  const weighed = (list: readonly T[], weight: number) => ({
    weight,
    arbitrary: fc.constantFrom(...list),
  })
  return fc.oneof(weighed(often, 12), weighed(rare, 1))
}

const value = mostly<string | Message>(
  ['GET', 'POST', 'a longer value', { intValue: '200' }, { intValue: '404' }, { boolValue: true }],
  ['', {}, { doubleValue: 0.5 }, { arrayValue: { values: [{ intValue: '1' }] } }, 'ä'],
)
const pairs = (...keys: string[]) =>
  fc.tuple(...keys.map((key) => fc.tuple(fc.constant(key), value)))
const attributes: fc.Arbitrary<Attributes> = mostly(
  [[], ['http.method'], ['http.method', 'code'], ['code', 'http.method'], ['le', 'z']],
  [['http.method', 'http_method'], ['__name__'], ['job', 'host.name'], ['', 'b'], ['ä']],
)
  .chain((keys) => pairs(...keys))
  .map((entries) => Object.fromEntries(entries))
const resource = mostly<Attributes>(
  [
    { 'service.name': 'cart', 'host.name': 'a' },
    { 'service.name': 'cart', 'host.name': 'b' },
    { 'service.name': 'cart', 'host.name': 'b', code: 'c' },
    {},
  ],
  [{ 'service.name': 'cart', 'http.method': '' }, { '': 'x' }, { le: '1', __name__: 'x' }],
)
const scope = mostly<Message>([{ name: 's', version: '1' }], [{ name: 's' }, {}, { version: '2' }])

const number = fc.oneof(
  fc.double().map((asDouble): Message => ({ asDouble })),
  fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map((asInt): Message => ({ asInt: `${asInt}` })),
  fc.constant({}),
)
const buckets = mostly<Message>(
  [
    { explicitBounds: [0.1, 1, 10], bucketCounts: [1, 0, 2, 3] },
    { explicitBounds: [0.1, 1, 10], bucketCounts: ['9007199254740993', 1, 2, 3] },
    { explicitBounds: [5], bucketCounts: [7, 8] },
    { explicitBounds: [], bucketCounts: [] },
  ],
  [
    { explicitBounds: [], bucketCounts: [4] },
    { explicitBounds: [1, 10], bucketCounts: [] },
    { explicitBounds: [1, 10], bucketCounts: [1, 2] },
    { explicitBounds: [10, 1], bucketCounts: [1, 2, 3] },
    { explicitBounds: [0.1, 1, 10], bucketCounts: [1, 2] },
  ],
)
const histogram = fc
  .tuple(buckets, fc.nat(9), mostly<Message>([{ sum: 1.5 }, { sum: 2, min: 0, max: 1 }], [{}]))
  .map(([its, count, more]): Message => ({ ...its, count, ...more }))
const exemplars = [{ timeUnixNano: nanos(AT), asDouble: 1, traceId: Buffer.from('0102', 'hex') }]
const more = mostly<Message>(
  [{}, { startTimeUnixNano: nanos(AT - 1000) }, { timeUnixNano: nanos(AT + 1) }],
  [{ flags: 1 }, { exemplars }, { timeUnixNano: '0' }, { startTimeUnixNano: nanos(AT + 9) }],
)

const cumulative = { aggregationTemporality: CUMULATIVE }
const KINDS = [
  { data: 'gauge' as const, traits: {}, point: number },
  { data: 'sum' as const, traits: { ...cumulative, isMonotonic: true }, point: number },
  { data: 'sum' as const, traits: cumulative, point: number },
  { data: 'histogram' as const, traits: cumulative, point: histogram },
]
const hung: fc.Arbitrary<Hung> = fc
  .tuple(fc.nat(KINDS.length - 1), mostly([true], [false]), mostly([false], [true]))
  .chain(([kind, isNamedByKind, isDelta]) => {
    const { data, traits, point } = KINDS[kind]!
    const name = isNamedByKind ? `of.kind_${kind}` : 'of.all'
    return fc.record({
      ...{ resource, scope, data: fc.constant(data) },
      metric: mostly<Message>(
        [{ name, unit: 's', description: 'it' }],
        [{ name }, { name: '' }, { name, unit: 'By' }, { name, unit: 's', description: 'else' }],
      ),
      traits: fc.constant(isDelta ? { ...traits, aggregationTemporality: DELTA } : traits),
      point: fc
        .tuple(point, attributes, more)
        .map(([its, own, others]) => ({ ...pointAt(AT, its, own), ...others })),
    })
  })

/** As few messages as the neighbours allow. */
function messageOf(points: readonly Hung[]): Message {
  const resourceMetrics: { resource: Message; scopeMetrics: Message[] }[] = []
  let last: Hung | null = null
  let metrics: Message[] = []
  let dataPoints: Message[] = []
  const isLike = (one: Hung, ...parts: (keyof Hung)[]) =>
    last !== null &&
    parts.every((part) => JSON.stringify(one[part]) === JSON.stringify(last![part]))
  for (const one of points) {
    const hasResource = isLike(one, 'resource')
    const hasScope = hasResource && isLike(one, 'scope')
    if (!hasResource) {
      const from = { attributes: attributesOf(one.resource) }
      resourceMetrics.push({ resource: from, scopeMetrics: [] })
    }
    if (!hasScope) {
      metrics = []
      resourceMetrics.at(-1)!.scopeMetrics.push({ scope: one.scope, metrics })
    }
    if (!hasScope || !isLike(one, 'metric', 'data', 'traits')) {
      dataPoints = []
      metrics.push({ ...one.metric, [one.data]: { ...one.traits, dataPoints } })
    }
    dataPoints.push(one.point)
    last = one
  }
  return { resourceMetrics }
}

/** All that was read, but for what is derived from resources. */
function readingOf(batch: Batch, firstPoint: number): object[] {
  const series = seriesOf(batch).map((its, i) => ({ ...its, identity: identityOf(batch, i) }))
  for (let i = 0; i < batch.sampleCount; i++) {
    const point = batch.samplePoint[i]!
    Object.assign(series[batch.sampleSeries[i]!]!, { point: point + firstPoint })
  }
  return series.filter(({ labels }) => !labels.some(([, text]) => text === 'target_info'))
}

const OPTIONS: [name: string, options: Partial<OtlpOptions>][] = [
  ['by default', {}],
  [
    'with all that is known of resources and scopes as labels',
    { promoteAllResourceAttributes: true, promoteScopeMetadata: true },
  ],
  ['with native histograms', { convertHistogramsToNhcb: true }],
]

for (const [name, options] of OPTIONS) {
  test(`${name}, a data point is read alike, whichever were before it`, () => {
    const decode = createOtlpDecoder(KEY, { ...OTLP_DEFAULTS, ...options })
    const batch = createBatch()
    const neighbours = fc.array(hung, { maxLength: 40, size: 'max' })
    fc.assert(
      fc.property(neighbours, fc.boolean(), (points, areSorted) => {
        const inOrder = areSorted ? points.toSorted(byPlace) : points
        const alone: object[] = []
        const refused: { [reason: string]: number } = {}
        for (const [i, one] of inOrder.entries()) {
          expect(decode(encodeOtlp(messageOf([one])), batch)).toBeNull()
          alone.push(...readingOf(batch, i))
          for (const [reason, count] of Object.entries(rejectedOf(batch))) {
            refused[reason] = (refused[reason] ?? 0) + count
          }
        }
        expect(decode(encodeOtlp(messageOf(inOrder)), batch)).toBeNull()
        expect(readingOf(batch, 0)).toEqual(alone)
        expect(rejectedOf(batch)).toEqual(refused)
      }),
      { numRuns },
    )
  })
}

/** Those of one metric are neighbours, and metrics come once per resource. */
function byPlace(one: Hung, other: Hung): number {
  const keyOf = ({ resource: from, scope: its, metric, data }: Hung) =>
    JSON.stringify([from, its, metric, data])
  return keyOf(one) < keyOf(other) ? -1 : 1
}

test('a damaged message is read alike with the kernel and without it', () => {
  const [decode, general] = [createOtlpDecoder(KEY), createOtlpDecoder(KEY)]
  const [batch, other] = [createBatch(), createBatch()]
  // To this one nothing is plain.
  other.kernel.readMetrics = (from) => from
  other.kernel.readPointsOf = (_metric, _help, from) => from
  const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 })
  const neighbours = fc.array(hung, { maxLength: 20, size: 'max' })
  fc.assert(
    fc.property(neighbours, damage, (points, changes) => {
      const bytes = Buffer.from(encodeOtlp(messageOf(points.toSorted(byPlace))))
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte
      expect(decode(bytes, batch)).toEqual(general(bytes, other))
      expect(readingOf(batch, 0)).toEqual(readingOf(other, 0))
      expect([...batch.rejections]).toEqual([...other.rejections])
    }),
    { numRuns: numRuns * 3 },
  )
})

test('points of more sets of keys than are remembered are read as if each were the first', () => {
  const decode = createOtlpDecoder(KEY)
  const batch = createBatch()
  const SETS = 9_000
  const places = Array.from({ length: SETS * 2 }, (_, i) => (i * 7) % SETS)
  const dataPoints = places.map((place) =>
    pointAt(AT, { asInt: '1' }, { [`m.${place}`]: 'one', [`a.${place % 5}`]: 'other' }),
  )
  const scopeMetrics = [{ metrics: [{ name: 'it', gauge: { dataPoints } }] }]
  const bytes = encodeOtlp({ resourceMetrics: [{ scopeMetrics }] })
  for (let request = 0; request < 2; request++) {
    expect(decode(bytes, batch)).toBeNull()
    const labels = seriesOf(batch).map((series) => series.labels)
    const expected = places.map((place) => [
      ['__name__', 'it'],
      [`a_${place % 5}`, 'other'],
      [`m_${place}`, 'one'],
    ])
    expect(labels).toEqual(expected)
  }
})

test('a long value that is no text takes room once, however many points have it', () => {
  const decode = createOtlpDecoder(KEY)
  const batch = createBatch()
  const bytesValue = Buffer.alloc(100_000, 7)
  const attributes = { long: { bytesValue } }
  // With the body, 30 MB, and four thirds of that as text they would fill all there is.
  const dataPoints = Array.from({ length: 300 }, () => pointAt(AT, { asInt: '1' }, attributes))
  const scopeMetrics = [{ metrics: [{ name: 'it', gauge: { dataPoints } }] }]
  expect(decode(encodeOtlp({ resourceMetrics: [{ scopeMetrics }] }), batch)).toBeNull()
  expect(batch.sampleCount).toBe(300)
})
