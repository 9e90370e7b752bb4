import { expect, test } from 'vitest'
import { snappy } from '../../src/wire/snappy.ts'
import { type TestGateway, withGateway } from '../support/gateway.ts'
import {
  decodeRw2,
  type HistogramMessage,
  type Message,
  STALE_NAN,
} from '../support/remote-write.ts'

const T = Date.now()
const labels = { __name__: 'h', job: 'j' }

/** Count 3: one observation in the zero bucket, two in a positive one. */
const valid: Message = {
  countInt: 3,
  sum: 4.5,
  schema: 0,
  zeroThreshold: 0.001,
  zeroCountInt: 1,
  positiveSpans: [{ offset: 0, length: 1 }],
  positiveDeltas: [2],
  timestamp: T,
}

const push = ({ push2 }: TestGateway, histogram: Message) =>
  push2([{ labels, histograms: [histogram] }])

async function forwarded({ receiver }: TestGateway): Promise<HistogramMessage> {
  await expect.poll(() => receiver.requests.length).toBeGreaterThan(0)
  const message = decodeRw2(snappy.decompress(receiver.requests[0]!.body)!)
  return message.timeseries[0]!.histograms[0]!
}

test('G50: samples and histograms in one TimeSeries are counted apart and sent apart', () =>
  withGateway(async ({ push2, receiver }) => {
    const samples = [{ value: 1, timestamp: T - 1000 }]
    const answer = await push2([{ labels, samples, histograms: [valid] }])
    expect(answer).toMatchObject({ status: 204, written: [1, 1, 0] })
    await expect.poll(() => receiver.requests).toHaveLength(1)
    const { timeseries } = decodeRw2(snappy.decompress(receiver.requests[0]!.body)!)
    expect(timeseries.map((each) => [each.samples.length, each.histograms.length])).toEqual([
      [1, 0],
      [0, 1],
    ])
  }))

const spans = (...pairs: [number, number][]) =>
  pairs.map(([offset, length]) => ({ offset, length }))
const customBuckets: Message = {
  countInt: 2,
  sum: 1,
  schema: -53,
  positiveSpans: spans([0, 1]),
  positiveDeltas: [2],
  customValues: [1, 2],
  timestamp: T,
}

test.for<[string, string, Message]>([
  ['G53', 'buckets that do not add up to the count', { ...valid, countInt: 99 }],
  [
    'G57',
    'a negative bucket',
    { ...valid, countInt: 4, positiveSpans: spans([0, 2]), positiveDeltas: [5, -7] },
  ],
  ['G58', 'more bucket places than buckets', { ...valid, positiveSpans: spans([0, 3]) }],
  [
    'G59',
    'a second span that goes back',
    { ...valid, countInt: 5, positiveSpans: spans([0, 1], [-1, 1]), positiveDeltas: [2, 0] },
  ],
  ['G61', 'schema -5', { ...valid, schema: -5 }],
  ['G61', 'schema 100', { ...valid, schema: 100 }],
  ['G62', 'equal custom bounds', { ...customBuckets, customValues: [1, 1] }],
  [
    'G62',
    'a custom bound that is not a number',
    { ...customBuckets, customValues: [1, Number.NaN] },
  ],
  ['G62', 'an infinite custom bound', { ...customBuckets, customValues: [1, Infinity] }],
  ['G62', 'a zero bucket beside custom ones', { ...customBuckets, countInt: 3, zeroCountInt: 1 }],
  [
    'G62',
    'negative buckets beside custom ones',
    { ...customBuckets, countInt: 3, negativeSpans: spans([0, 1]), negativeDeltas: [1] },
  ],
])('%s: %s make a histogram invalid: 400, never 5xx', ([, , histogram]) =>
  withGateway(async (gateway) => {
    const answer = await push(gateway, histogram)
    expect(answer).toMatchObject({ status: 400, written: [0, 0, 0] })
    expect(answer.text).toContain('1 histogram-invalid')
    expect(gateway.receiver.requests).toEqual([])
  }),
)

test('G54: with a sum that is not a number, buckets may hold less than the count', () =>
  withGateway(async (gateway) => {
    const histogram = { ...valid, countInt: 25, sum: 0x7ff8_0000_0000_0001n }
    expect(await push(gateway, histogram)).toMatchObject({ status: 204, written: [0, 1, 0] })
    expect(await forwarded(gateway)).toMatchObject({ countInt: 25, sum: 0x7ff8_0000_0000_0001n })
  }))

test('G55: a stale histogram keeps a count of 64 bits', () =>
  withGateway(async (gateway) => {
    const histogram = { ...valid, sum: STALE_NAN, countInt: 9218868437227405314n }
    expect(await push(gateway, histogram)).toMatchObject({ status: 204, written: [0, 1, 0] })
    const sent = await forwarded(gateway)
    expect(BigInt(sent.countInt!)).toBe(9218868437227405314n)
    expect(sent.sum).toBe(STALE_NAN)
  }))

test('G56: a float histogram keeps its fractions', () =>
  withGateway(async (gateway) => {
    const { countInt, zeroCountInt, positiveDeltas, ...rest } = valid
    expect([countInt, zeroCountInt, positiveDeltas]).toBeDefined()
    const histogram = { ...rest, countFloat: 2.5, zeroCountFloat: 0.5, positiveCounts: [2] }
    expect(await push(gateway, histogram)).toMatchObject({ status: 204, written: [0, 1, 0] })
    expect(await forwarded(gateway)).toMatchObject({
      countFloat: 2.5,
      zeroCountFloat: 0.5,
      positiveCounts: [2],
    })
  }))

test('G60: a schema above 8 is merged down to 8', () =>
  withGateway(async (gateway) => {
    // Buckets 1 to 16 and 17 of schema 12 are buckets 1 and 2 of schema 8.
    const histogram = {
      ...valid,
      schema: 12,
      countInt: 18,
      positiveSpans: spans([1, 17]),
      positiveDeltas: [1, ...new Array(16).fill(0)],
    }
    expect(await push(gateway, histogram)).toMatchObject({ status: 204, written: [0, 1, 0] })
    expect(await forwarded(gateway)).toMatchObject({
      schema: 8,
      countInt: 18,
      positiveSpans: spans([1, 2]),
      positiveDeltas: [16, -15],
    })
  }))

test('G63: custom buckets cannot go over 1.0, and that is counted', () =>
  withGateway(async (gateway) => {
    gateway.receiver.respond = ({ protocol }) => (protocol === 'rw2' ? { status: 415 } : undefined)
    expect(await push(gateway, customBuckets)).toMatchObject({ status: 204, written: [0, 1, 0] })
    await expect
      .poll(() => gateway.admin('/metrics'))
      .toMatch(/sluice_forward_unsupported_histograms_total\{[^}]*\} 1/)
  }))

test('G64: an empty histogram without a zero count is valid', () =>
  withGateway(async (gateway) => {
    const answer = await push(gateway, { countInt: 0, sum: 0, timestamp: T })
    expect(answer).toMatchObject({ status: 204, written: [0, 1, 0] })
    expect(await forwarded(gateway)).toMatchObject({ countInt: 0, schema: 0, timestamp: T })
  }))

test('G65: the reset hint of a gauge histogram is kept', () =>
  withGateway(async (gateway) => {
    expect(await push(gateway, { ...valid, resetHint: 3 })).toMatchObject({ status: 204 })
    expect(await forwarded(gateway)).toMatchObject({ resetHint: 3 })
  }))
