import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createRemoteWrite2Decoder } from '../../src/decode/remote-write-2.ts'
import { type Batch, createBatch } from '../../src/model/batch.ts'
import { examplesOf, rejectedOf, seriesOf } from '../support/decoded.ts'
import {
  encodeHistogram,
  type HistogramMessage,
  type Message,
  ORDINARY_NAN,
  rw2Of,
  STALE_NAN,
} from '../support/remote-write.ts'
import { CUSTOM_HISTOGRAM, FLOAT_HISTOGRAM, VALID_HISTOGRAM } from '../support/requests.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)
const decode = createRemoteWrite2Decoder(Uint32Array.of(1, 2, 3, 4))
const TIMESTAMP = 1000

function decoded(...histograms: Message[]): Batch {
  const batch = createBatch()
  const stamped = histograms.map((one) => ({ timestamp: TIMESTAMP, ...one }))
  const body = rw2Of([{ labels: { __name__: 'latency' }, histograms: stamped }])
  expect(decode(body, batch)).toBeNull()
  return batch
}

/** What the one histogram became. */
function accepted(message: Message): HistogramMessage {
  const batch = decoded(message)
  expect(examplesOf(batch)).toEqual({})
  return seriesOf(batch)[0]!.samples[0]!.histogram!
}

/** Why it was refused. */
function refusal(message: Message): string {
  const batch = decoded(message)
  expect([batch.seriesCount, batch.sampleCount, batch.histogramByteCount]).toEqual([0, 0, 0])
  expect(rejectedOf(batch)).toEqual({ 'histogram-invalid': 1 })
  expect(batch.rejections.counts).toEqual({ samples: 0, histograms: 1, exemplars: 0 })
  return examplesOf(batch)['histogram-invalid']!
}

const integer = (more: Message): Message => ({ ...VALID_HISTOGRAM, ...more })
const float = (more: Message): Message => ({ ...FLOAT_HISTOGRAM, ...more })
const custom = (more: Message): Message => ({ ...CUSTOM_HISTOGRAM, ...more })

test('a valid histogram of each kind comes through unchanged', () => {
  for (const message of [VALID_HISTOGRAM, FLOAT_HISTOGRAM, CUSTOM_HISTOGRAM]) {
    expect(accepted(message)).toMatchObject(message)
  }
})

test('the bytes are canonical: the same as protobufjs writes, without both timestamps', () => {
  for (const message of [VALID_HISTOGRAM, FLOAT_HISTOGRAM, CUSTOM_HISTOGRAM]) {
    const batch = decoded({ ...message, startTimestamp: 5 })
    const bytes = batch.histogramBytes.subarray(0, batch.histogramByteCount)
    expect(Buffer.compare(bytes, encodeHistogram(message))).toBe(0)
    expect([batch.sampleTimestampMs[0], batch.sampleStartMs[0]]).toEqual([TIMESTAMP, 5])
  }
})

test('fields in any order, packed or not, with defaults or without, make the same bytes', () => {
  const plain = encodeHistogram({
    countInt: 2,
    sum: 1,
    positiveSpans: [{ offset: 1, length: 2 }],
    positiveDeltas: [1, 0],
    timestamp: 3,
  })
  const other = Buffer.from(
    '7803 6002 6000 5a0408021002 7000 3000 290000000000000000 19000000000000f03f 0802'.replaceAll(
      ' ',
      '',
    ),
    'hex',
  )
  const bytes: Buffer[] = []
  for (const message of [plain, other]) {
    const batch = createBatch()
    const series = Buffer.concat([
      Buffer.from('0a020102', 'hex'),
      Buffer.of(0x1a, message.length),
      message,
    ])
    const symbols = Buffer.from('220022085f5f6e616d655f5f22027570', 'hex')
    expect(
      decode(Buffer.concat([symbols, Buffer.of(0x2a, series.length), series]), batch),
    ).toBeNull()
    expect(rejectedOf(batch)).toEqual({})
    bytes.push(Buffer.from(batch.histogramBytes.subarray(0, batch.histogramByteCount)))
    expect(batch.sampleBits[0]! | batch.sampleBits[1]!).not.toBe(0)
  }
  expect(bytes[0]).toEqual(bytes[1])
})

test('the digest is that of the content: times do not count, everything else does', () => {
  const digest = (message: Message) => {
    const batch = decoded(message)
    return `${batch.sampleBits[0]} ${batch.sampleBits[1]}`
  }
  const one = digest(VALID_HISTOGRAM)
  expect(digest(integer({ timestamp: 5, startTimestamp: 4 }))).toBe(one)
  for (const change of [
    { sum: 12.75 },
    { resetHint: 3 },
    { zeroThreshold: 0 },
    { schema: 2 },
    { sum: -12.5 },
  ]) {
    expect(digest(integer(change))).not.toBe(one)
  }
})

test('G53: buckets that do not add up to the count are refused', () => {
  expect(refusal(integer({ countInt: 99 }))).toContain(
    '10 observations in buckets, but a count of 99',
  )
  expect(refusal(integer({ countInt: 9 }))).toContain('a count of 9')
})

test('G54: with a sum that is not a number, some observations may lie in no bucket', () => {
  expect(accepted(integer({ sum: ORDINARY_NAN, countInt: 12 }))).toMatchObject({
    countInt: 12,
    sum: ORDINARY_NAN,
  })
  expect(refusal(integer({ sum: ORDINARY_NAN, countInt: 9 }))).toContain('a count of 9')
})

test('G55: a stale histogram keeps a count beyond 2^53 exactly', () => {
  const countInt = 9218868437227405314n
  expect(accepted(integer({ sum: STALE_NAN, countInt }))).toMatchObject({
    sum: STALE_NAN,
    countInt,
  })
  expect(accepted({ sum: STALE_NAN })).toMatchObject({ sum: STALE_NAN, countInt: 0 })
  expect(accepted({ sum: STALE_NAN, countFloat: 0 })).toMatchObject({
    sum: STALE_NAN,
    countFloat: 0,
  })
})

test('counts beyond 2^53 are compared exactly', () => {
  const wide = { positiveSpans: [{ offset: 0, length: 2 }], positiveDeltas: [2n ** 60n, 1], sum: 1 }
  const countInt = 2n ** 61n + 1n
  expect(accepted({ ...wide, countInt })).toMatchObject({
    countInt,
    positiveDeltas: [2n ** 60n, 1],
  })
  expect(refusal({ ...wide, countInt: countInt + 1n })).toContain(`a count of ${countInt + 1n}`)
  expect(refusal({ ...wide, positiveDeltas: [2n ** 60n, -(2n ** 60n) - 1n], countInt })).toContain(
    'negative',
  )
  expect(refusal({ ...wide, positiveDeltas: [2n ** 62n, 2n ** 62n], countInt: 1 })).toContain(
    '2^63',
  )
})

test('G56: a float histogram may have fractional counts, which need not add up', () => {
  expect(accepted(float({ countFloat: 0.125 }))).toMatchObject({
    countFloat: 0.125,
    positiveCounts: [1.5, 2],
  })
})

test('a float histogram without a zero count has one of 0, whatever an integer one says', () => {
  const { zeroCountFloat: _, ...rest } = FLOAT_HISTOGRAM
  expect(accepted({ ...rest, zeroCountInt: 7 }).zeroCountFloat).toBe(0)
  expect(accepted({ ...rest, positiveDeltas: [1, 2, 3] }).positiveDeltas).toEqual([])
  expect(accepted(integer({ positiveCounts: [1] })).positiveCounts).toEqual([])
})

test('G57: negative buckets and counts are refused', () => {
  const spans = [{ offset: 0, length: 2 }]
  expect(refusal({ positiveSpans: spans, positiveDeltas: [5, -7] })).toContain('negative')
  expect(refusal({ negativeSpans: spans, negativeDeltas: [-1, 1] })).toContain('negative')
  for (const change of [{ countFloat: -1 }, { zeroCountFloat: -1 }, { positiveCounts: [1, -1] }]) {
    expect(refusal(float(change))).toContain('a count is negative')
  }
})

test('G58, G59: spans must fit the buckets, and only the first may begin below', () => {
  expect(refusal(integer({ positiveSpans: [{ offset: 0, length: 4 }] }))).toContain(
    'spans of 4 buckets, but 3',
  )
  expect(refusal(integer({ negativeSpans: [] }))).toContain('spans of 0 buckets, but 1')
  expect(refusal(float({ positiveCounts: [1] }))).toContain('spans of 2 buckets, but 1')
  const positiveSpans = [
    { offset: -9, length: 2 },
    { offset: -1, length: 1 },
  ]
  expect(refusal(integer({ positiveSpans }))).toContain('negative offset')
  const empty = [
    { offset: -9, length: 2 },
    { offset: 0, length: 0 },
    { offset: 2, length: 1 },
  ]
  expect(accepted(integer({ positiveSpans: empty })).positiveSpans).toEqual(empty)
  const far = [
    { offset: 0x7fff_ffff, length: 2 },
    { offset: 5, length: 1 },
  ]
  expect(refusal(integer({ positiveSpans: far }))).toContain('beyond')
})

test('G60: schema 12 becomes schema 8, its buckets merged by sixteen', () => {
  const message: Message = {
    countInt: 21,
    sum: 1,
    schema: 12,
    positiveSpans: [
      { offset: 1, length: 2 },
      { offset: 13, length: 2 },
      { offset: 40, length: 1 },
    ],
    positiveDeltas: [1, 1, 1, 1, 1],
    negativeSpans: [{ offset: -16, length: 2 }],
    negativeDeltas: [4, -2],
  }
  // Indexes 1, 2 and 16 end in bucket 1, 17 in 2, 58 in 4; -16 in -1, -15 in 0.
  expect(accepted(message)).toMatchObject({
    schema: 8,
    countInt: 21,
    positiveSpans: [
      { offset: 1, length: 2 },
      { offset: 1, length: 1 },
    ],
    positiveDeltas: [6, -2, 1],
    negativeSpans: [{ offset: -1, length: 2 }],
    negativeDeltas: [4, -2],
  })
})

const side = fc.array(
  fc.record({ gap: fc.nat({ max: 40 }), counts: fc.array(fc.nat({ max: 9 }), { maxLength: 6 }) }),
  { maxLength: 5 },
)

test('merging moves every observation to the bucket that contains its own', () => {
  const shape = fc.tuple(side, fc.integer({ min: -100, max: 100 }), fc.integer({ min: 9, max: 52 }))
  fc.assert(
    fc.property(shape, fc.boolean(), ([spans, first, schema], isFloat) => {
      const positiveSpans = spans.map(({ gap, counts }, i) => ({
        offset: i === 0 ? first : gap,
        length: counts.length,
      }))
      const counts = spans.flatMap((span) => span.counts)
      const total = counts.reduce((sum, count) => sum + count, 0)
      const merged = accepted(
        isFloat
          ? { countFloat: total, schema, positiveSpans, positiveCounts: counts }
          : { countInt: total, schema, positiveSpans, positiveDeltas: deltasOf(counts) },
      )
      const expected = new Map<number, number>()
      for (const [index, count] of indexed(positiveSpans, counts)) {
        const target = Math.ceil(index / 2 ** (schema - 8))
        expected.set(target + 0, (expected.get(target + 0) ?? 0) + count)
      }
      const left = isFloat
        ? (merged.positiveCounts as number[])
        : countsOf(merged.positiveDeltas as number[])
      expect(merged.schema).toBe(8)
      expect(new Map(indexed(merged.positiveSpans, left))).toEqual(expected)
    }),
    { numRuns },
  )
})

test('G61: schemas that nobody knows are refused', () => {
  for (const schema of [-5, -9, -52, -54, 53, 100, -2147483648]) {
    expect(refusal(integer({ schema }))).toContain(`schema ${schema} is unknown`)
  }
  for (const schema of [-4, 0, 8]) expect(accepted(integer({ schema })).schema).toBe(schema)
})

test('G62: custom buckets must be bounds, in order, and nothing else', () => {
  const inf = Number.POSITIVE_INFINITY
  for (const customValues of [
    [1, 1],
    [2, 1],
    [1, ORDINARY_NAN],
    [ORDINARY_NAN, 1],
    [ORDINARY_NAN],
  ]) {
    expect(refusal(custom({ customValues }))).toContain('strictly ascending')
  }
  expect(refusal(custom({ customValues: [1, inf] }))).toContain('+Inf')
  expect(refusal(custom({ zeroCountInt: 1, countInt: 4 }))).toContain('zero bucket')
  expect(refusal(custom({ zeroThreshold: 0.5 }))).toContain('zero bucket')
  const negative = { negativeSpans: [{ offset: 0, length: 1 }], negativeDeltas: [1] }
  expect(refusal(custom(negative))).toContain('negative buckets')
  expect(refusal(custom({ positiveSpans: [{ offset: -1, length: 2 }] }))).toContain(
    'negative offset',
  )
  expect(refusal(custom({ positiveSpans: [{ offset: 2, length: 2 }] }))).toContain('bucket 4 of 3')
  expect(refusal(integer({ customValues: [1] }))).toContain('custom values in schema 3')
  expect(accepted(custom({ customValues: [-inf, 0.5] })).customValues).toEqual([-inf, 0.5])
})

test('G64: an empty histogram is a valid one', () => {
  expect(accepted({ countInt: 0 })).toMatchObject({ countInt: 0, zeroCountInt: 0, sum: 0 })
  expect(accepted({})).toMatchObject({ countInt: 0, zeroCountInt: 0 })
})

test('G65: reset hints are kept, and unknown ones are none', () => {
  for (const resetHint of [0, 1, 2, 3])
    expect(accepted(integer({ resetHint })).resetHint).toBe(resetHint)
  expect(accepted(integer({ resetHint: 4 })).resetHint).toBe(0)
})

test('a zero threshold is a number from 0 up', () => {
  for (const zeroThreshold of [-1, ORDINARY_NAN]) {
    expect(refusal(integer({ zeroThreshold }))).toContain('zero threshold')
  }
})

test('one invalid histogram does not touch those beside it', () => {
  const batch = decoded(
    VALID_HISTOGRAM,
    integer({ countInt: 99 }),
    FLOAT_HISTOGRAM,
    integer({ timestamp: 2n ** 60n }),
  )
  expect([batch.sampleCount, rejectedOf(batch)]).toEqual([
    2,
    { 'histogram-invalid': 1, 'timestamp-invalid': 1 },
  ])
  expect(batch.rejections.counts.histograms).toBe(2)
})

test('a histogram of more buckets than any sender has is refused', () => {
  const length = 70_000
  const wide = {
    positiveSpans: [{ offset: 0, length }],
    positiveDeltas: new Array<number>(length).fill(0),
  }
  expect(refusal(wide)).toContain('more than 65536 buckets')
  const manySpans = { positiveSpans: new Array(length).fill({ offset: 1, length: 0 }) }
  expect(refusal(manySpans)).toContain('more than 65536 buckets')
  expect(
    accepted({
      positiveSpans: [{ offset: 0, length: 60_000 }],
      positiveDeltas: wide.positiveDeltas.slice(10_000),
    }).positiveDeltas,
  ).toHaveLength(60_000)
})

function deltasOf(counts: number[]): number[] {
  return counts.map((count, i) => count - (counts[i - 1] ?? 0))
}

function countsOf(deltas: number[]): number[] {
  let count = 0
  return deltas.map((delta) => {
    count += delta
    return count
  })
}

/** Pairs of bucket index and count. */
function indexed(
  spans: { offset: number; length: number }[],
  counts: number[],
): [number, number][] {
  const pairs: [number, number][] = []
  let index = 0
  for (const { offset, length } of spans) {
    index += offset
    for (let i = 0; i < length; i++) pairs.push([index++ + 0, counts[pairs.length]!])
  }
  return pairs
}
