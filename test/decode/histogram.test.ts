import { expect, test } from 'vitest'
import { createRemoteWrite2Decoder } from '../../src/decode/remote-write-2.ts'
import { createBatch } from '../../src/model/batch.ts'
import { rejectedOf } from '../support/decoded.ts'
import { acceptedHistogram, decodedHistograms, histogramRefusal, KEY } from '../support/decoding.ts'
import { encodeHistogram, type Message, ORDINARY_NAN, STALE_NAN } from '../support/remote-write.ts'
import { CUSTOM_HISTOGRAM, FLOAT_HISTOGRAM, VALID_HISTOGRAM } from '../support/requests.ts'

const integer = (more: Message): Message => ({ ...VALID_HISTOGRAM, ...more })
const float = (more: Message): Message => ({ ...FLOAT_HISTOGRAM, ...more })
const custom = (more: Message): Message => ({ ...CUSTOM_HISTOGRAM, ...more })

test('a valid histogram of each kind comes through unchanged', () => {
  for (const message of [VALID_HISTOGRAM, FLOAT_HISTOGRAM, CUSTOM_HISTOGRAM]) {
    expect(acceptedHistogram(message)).toMatchObject(message)
  }
})

test('the bytes are canonical: the same as protobufjs writes, without both timestamps', () => {
  for (const message of [VALID_HISTOGRAM, FLOAT_HISTOGRAM, CUSTOM_HISTOGRAM]) {
    const batch = decodedHistograms({ ...message, startTimestamp: 5 })
    const bytes = batch.histogramBytes.subarray(0, batch.histogramByteCount)
    expect(Buffer.compare(bytes, encodeHistogram(message))).toBe(0)
    expect([batch.sampleTimestampMs[0], batch.sampleStartMs[0]]).toEqual([1000, 5])
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
      createRemoteWrite2Decoder(KEY)(
        Buffer.concat([symbols, Buffer.of(0x2a, series.length), series]),
        batch,
      ),
    ).toBeNull()
    expect(rejectedOf(batch)).toEqual({})
    bytes.push(Buffer.from(batch.histogramBytes.subarray(0, batch.histogramByteCount)))
    expect(batch.sampleBits[0]! | batch.sampleBits[1]!).not.toBe(0)
  }
  expect(bytes[0]).toEqual(bytes[1])
})

test('the digest is that of the content: times do not count, everything else does', () => {
  const digest = (message: Message) => {
    const batch = decodedHistograms(message)
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
  expect(histogramRefusal(integer({ countInt: 99 }))).toContain(
    '10 observations in buckets, but a count of 99',
  )
  expect(histogramRefusal(integer({ countInt: 9 }))).toContain('a count of 9')
})

test('G54: with a sum that is not a number, some observations may lie in no bucket', () => {
  expect(acceptedHistogram(integer({ sum: ORDINARY_NAN, countInt: 12 }))).toMatchObject({
    countInt: 12,
    sum: ORDINARY_NAN,
  })
  expect(histogramRefusal(integer({ sum: ORDINARY_NAN, countInt: 9 }))).toContain('a count of 9')
})

test('G55: a stale histogram keeps a count beyond 2^53 exactly', () => {
  const countInt = 9218868437227405314n
  expect(acceptedHistogram(integer({ sum: STALE_NAN, countInt }))).toMatchObject({
    sum: STALE_NAN,
    countInt,
  })
  expect(acceptedHistogram({ sum: STALE_NAN })).toMatchObject({ sum: STALE_NAN, countInt: 0 })
  expect(acceptedHistogram({ sum: STALE_NAN, countFloat: 0 })).toMatchObject({
    sum: STALE_NAN,
    countFloat: 0,
  })
})

test('counts beyond 2^53 are compared exactly', () => {
  const wide = { positiveSpans: [{ offset: 0, length: 2 }], positiveDeltas: [2n ** 60n, 1], sum: 1 }
  const countInt = 2n ** 61n + 1n
  expect(acceptedHistogram({ ...wide, countInt })).toMatchObject({
    countInt,
    positiveDeltas: [2n ** 60n, 1],
  })
  expect(histogramRefusal({ ...wide, countInt: countInt + 1n })).toContain(
    `a count of ${countInt + 1n}`,
  )
  expect(
    histogramRefusal({ ...wide, positiveDeltas: [2n ** 60n, -(2n ** 60n) - 1n], countInt }),
  ).toContain('negative')
  expect(
    histogramRefusal({ ...wide, positiveDeltas: [2n ** 62n, 2n ** 62n], countInt: 1 }),
  ).toContain('2^63')
})

test('G56: a float histogram may have fractional counts, which need not add up', () => {
  expect(acceptedHistogram(float({ countFloat: 0.125 }))).toMatchObject({
    countFloat: 0.125,
    positiveCounts: [1.5, 2],
  })
})

test('a float histogram without a zero count has one of 0, whatever an integer one says', () => {
  const { zeroCountFloat: _, ...rest } = FLOAT_HISTOGRAM
  expect(acceptedHistogram({ ...rest, zeroCountInt: 7 }).zeroCountFloat).toBe(0)
  expect(acceptedHistogram({ ...rest, positiveDeltas: [1, 2, 3] }).positiveDeltas).toEqual([])
  expect(acceptedHistogram(integer({ positiveCounts: [1] })).positiveCounts).toEqual([])
})

test('G57: negative buckets and counts are refused', () => {
  const spans = [{ offset: 0, length: 2 }]
  expect(histogramRefusal({ positiveSpans: spans, positiveDeltas: [5, -7] })).toContain('negative')
  expect(histogramRefusal({ negativeSpans: spans, negativeDeltas: [-1, 1] })).toContain('negative')
  for (const change of [{ countFloat: -1 }, { zeroCountFloat: -1 }, { positiveCounts: [1, -1] }]) {
    expect(histogramRefusal(float(change))).toContain('a count is negative')
  }
})

test('G58, G59: spans must fit the buckets, and only the first may begin below', () => {
  expect(histogramRefusal(integer({ positiveSpans: [{ offset: 0, length: 4 }] }))).toContain(
    'spans of 4 buckets, but 3',
  )
  expect(histogramRefusal(integer({ negativeSpans: [] }))).toContain('spans of 0 buckets, but 1')
  expect(histogramRefusal(float({ positiveCounts: [1] }))).toContain('spans of 2 buckets, but 1')
  const positiveSpans = [
    { offset: -9, length: 2 },
    { offset: -1, length: 1 },
  ]
  expect(histogramRefusal(integer({ positiveSpans }))).toContain('negative offset')
  const empty = [
    { offset: -9, length: 2 },
    { offset: 0, length: 0 },
    { offset: 2, length: 1 },
  ]
  expect(acceptedHistogram(integer({ positiveSpans: empty })).positiveSpans).toEqual(empty)
  const far = [
    { offset: 0x7fff_ffff, length: 2 },
    { offset: 5, length: 1 },
  ]
  expect(histogramRefusal(integer({ positiveSpans: far }))).toContain('beyond')
})

test('G61: schemas that nobody knows are refused', () => {
  for (const schema of [-5, -9, -52, -54, 53, 100, -2147483648]) {
    expect(histogramRefusal(integer({ schema }))).toContain(`schema ${schema} is unknown`)
  }
  for (const schema of [-4, 0, 8])
    expect(acceptedHistogram(integer({ schema })).schema).toBe(schema)
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
    expect(histogramRefusal(custom({ customValues }))).toContain('strictly ascending')
  }
  expect(histogramRefusal(custom({ customValues: [1, inf] }))).toContain('+Inf')
  expect(histogramRefusal(custom({ zeroCountInt: 1, countInt: 4 }))).toContain('zero bucket')
  expect(histogramRefusal(custom({ zeroThreshold: 0.5 }))).toContain('zero bucket')
  const negative = { negativeSpans: [{ offset: 0, length: 1 }], negativeDeltas: [1] }
  expect(histogramRefusal(custom(negative))).toContain('negative buckets')
  expect(histogramRefusal(custom({ positiveSpans: [{ offset: -1, length: 2 }] }))).toContain(
    'negative offset',
  )
  expect(histogramRefusal(custom({ positiveSpans: [{ offset: 2, length: 2 }] }))).toContain(
    'bucket 4 of 3',
  )
  expect(histogramRefusal(integer({ customValues: [1] }))).toContain('custom values in schema 3')
  expect(acceptedHistogram(custom({ customValues: [-inf, 0.5] })).customValues).toEqual([-inf, 0.5])
})

test('G64: an empty histogram is a valid one', () => {
  expect(acceptedHistogram({ countInt: 0 })).toMatchObject({ countInt: 0, zeroCountInt: 0, sum: 0 })
  expect(acceptedHistogram({})).toMatchObject({ countInt: 0, zeroCountInt: 0 })
})

test('G65: reset hints are kept, and unknown ones are none', () => {
  for (const resetHint of [0, 1, 2, 3])
    expect(acceptedHistogram(integer({ resetHint })).resetHint).toBe(resetHint)
  expect(acceptedHistogram(integer({ resetHint: 4 })).resetHint).toBe(0)
})

test('a zero threshold is a number from 0 up', () => {
  for (const zeroThreshold of [-1, ORDINARY_NAN]) {
    expect(histogramRefusal(integer({ zeroThreshold }))).toContain('zero threshold')
  }
})

test('one invalid histogram does not touch those beside it', () => {
  const batch = decodedHistograms(
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
  expect(histogramRefusal(wide)).toContain('more than 65536 buckets')
  const manySpans = { positiveSpans: new Array(length).fill({ offset: 1, length: 0 }) }
  expect(histogramRefusal(manySpans)).toContain('more than 65536 buckets')
  expect(
    acceptedHistogram({
      positiveSpans: [{ offset: 0, length: 60_000 }],
      positiveDeltas: wide.positiveDeltas.slice(10_000),
    }).positiveDeltas,
  ).toHaveLength(60_000)
})
