import { expect, test } from 'vitest'
import { createRemoteWrite1Decoder } from '../../src/decode/remote-write-1.ts'
import { type Batch, createBatch, symbolText } from '../../src/model/batch.ts'
import { identityOf, rejectedOf, seriesOf } from '../support/decoded.ts'
import { bitsOf, rw1Of, type SeriesLiteral, STALE_NAN } from '../support/remote-write.ts'
import { CUSTOM_HISTOGRAM, VALID_HISTOGRAM } from '../support/requests.ts'

const KEY = Uint32Array.of(1, 2, 3, 4)

function decoded(body: Uint8Array): Batch {
  const batch = createBatch()
  expect(createRemoteWrite1Decoder(KEY)(body, batch)).toBeNull()
  return batch
}

const withSample = (labels: SeriesLiteral['labels']): SeriesLiteral => ({
  labels,
  samples: [{ value: STALE_NAN, timestamp: 1000 }],
})

test('G68: a series comes through with the bits of its value', () => {
  expect(
    seriesOf(
      decoded(
        rw1Of([
          withSample([
            ['job', 'a'],
            ['__name__', 'up'],
          ]),
        ]),
      ),
    ),
  ).toEqual([
    {
      labels: [
        ['__name__', 'up'],
        ['job', 'a'],
      ],
      metadata: { type: 0, help: '', unit: '' },
      samples: [{ bits: STALE_NAN, timestampMs: 1000, startMs: 0 }],
      exemplars: [],
    },
  ])
})

test('G67: an invalid series costs itself alone', () => {
  const batch = decoded(
    rw1Of([withSample({ __name__: 'a' }), withSample({ x: 'y' }), withSample({ __name__: 'b' })]),
  )
  expect([batch.seriesCount, rejectedOf(batch)]).toEqual([2, { 'name-missing': 1 }])
})

test('G66: metadata fills the families, and not the series', () => {
  const batch = decoded(
    rw1Of(
      [],
      [
        { type: 1, metricFamilyName: 'requests', help: 'How many.', unit: '' },
        { type: 77, metricFamilyName: 'size', unit: 'bytes' },
        { type: 1, metricFamilyName: '' },
      ],
    ),
  )
  const { familyCount, familyType, familyNameRef, familyHelpRef, familyUnitRef } = batch
  expect([familyCount, batch.seriesCount, batch.rejections.total]).toEqual([2, 0, 0])
  expect([...familyType.subarray(0, 2)]).toEqual([1, 0])
  const texts = [familyNameRef, familyHelpRef, familyUnitRef].map((refs) =>
    [...refs.subarray(0, 2)].map((ref) => symbolText(batch, ref)),
  )
  expect(texts).toEqual([
    ['requests', 'size'],
    ['How many.', ''],
    ['', 'bytes'],
  ])
})

test('G17: an empty body is an empty request', () => {
  const batch = decoded(new Uint8Array(0))
  expect([batch.seriesCount, batch.symbolCount]).toEqual([0, 1])
})

test('labels alone are passed over: nothing is lost, so nothing is refused', () => {
  const batch = decoded(rw1Of([{ labels: { __name__: 'up' } }]))
  expect([batch.seriesCount, batch.labelRefCount, batch.rejections.total]).toEqual([0, 0, 0])
})

test('every string of a request is one symbol, however often it is written out', () => {
  const series = Array.from({ length: 5000 }, (_, i) =>
    withSample({ __name__: `m${i % 50}`, instance: `host-${Math.floor(i / 50)}`, job: 'node' }),
  )
  const batch = decoded(rw1Of(series))
  // '', three names, 50 metrics, 100 instances, one job.
  expect(batch.symbolCount).toBe(1 + 3 + 50 + 100 + 1)
  expect(seriesOf(batch).map(({ labels }) => Object.fromEntries(labels))).toEqual(
    series.map(({ labels }) => labels),
  )
  expect(new Set(series.map((_, i) => identityOf(batch, i))).size).toBe(5000)
})

test('the table of strings grows with the request, and is empty again for the next', () => {
  const decode = createRemoteWrite1Decoder(KEY)
  const batch = createBatch()
  const many = Array.from({ length: 20_000 }, (_, i) => withSample({ __name__: `metric-${i}` }))
  expect(decode(rw1Of(many), batch)).toBeNull()
  expect(batch.symbolCount).toBe(20_002)
  const identity = identityOf(batch, 19_999)
  expect(decode(rw1Of([withSample({ __name__: 'metric-19999' })]), batch)).toBeNull()
  expect([batch.symbolCount, batch.seriesCount]).toEqual([3, 1])
  expect(identityOf(batch, 0)).toBe(identity)
})

test('histograms and exemplars come as in Remote Write 2.0, without starts', () => {
  const batch = decoded(
    rw1Of([
      {
        labels: { __name__: 'up' },
        histograms: [
          { ...VALID_HISTOGRAM, timestamp: 7 },
          { ...CUSTOM_HISTOGRAM, timestamp: 8 },
          { ...VALID_HISTOGRAM, countInt: 1, timestamp: 9 },
        ],
        exemplars: [{ labels: { trace_id: 'b', a: 'c' }, value: 0.5, timestamp: 0 }],
      },
    ]),
  )
  const [series] = seriesOf(batch)
  expect(series!.samples.map(({ timestampMs, startMs }) => [timestampMs, startMs])).toEqual([
    [7, 0],
    [8, 0],
  ])
  expect(series!.samples[1]!.histogram).toMatchObject({ customValues: [0.5, 1], schema: -53 })
  expect(series!.exemplars).toEqual([
    {
      labels: [
        ['a', 'c'],
        ['trace_id', 'b'],
      ],
      bits: bitsOf(0.5),
      timestampMs: 8,
    },
  ])
  expect(rejectedOf(batch)).toEqual({ 'histogram-invalid': 1 })
})

test('limits: too many symbols or families are malformed', () => {
  const decode = createRemoteWrite1Decoder(KEY, { symbols: 6, elements: 3, labelBytes: 1000 })
  const batch = createBatch()
  const named = (count: number) =>
    Array.from({ length: count }, (_, i) => withSample({ __name__: `m${i}` }))
  expect(decode(rw1Of(named(3)), batch)).toBeNull()
  const wide = withSample({ __name__: 'a', b: 'c', d: 'e', f: 'g' })
  expect(decode(rw1Of([wide]), batch)).toContain('more than 6 symbols')
  expect(batch.seriesCount).toBe(0)
  const families = Array.from({ length: 4 }, () => ({ type: 1, metricFamilyName: 'x' }))
  expect(decode(rw1Of([], families), batch)).toContain('more than 3 metric families')
})

test('limits: a series of more labels than there may be symbols is malformed, and nothing else', () => {
  const decode = createRemoteWrite1Decoder(KEY)
  const batch = createBatch()
  const label = (i: number) => {
    const value = Buffer.from(i.toString(36).padStart(5, '0'))
    return Buffer.concat([Uint8Array.of(0x0a, 10, 0x0a, 1, 0x61, 0x12, 5), value])
  }
  const labels = Buffer.concat(Array.from({ length: 1_100_000 }, (_, i) => label(i)))
  const tag = Uint8Array.of(0x0a, ...varint(labels.length))
  expect(decode(Buffer.concat([tag, labels]), batch)).toContain('more than 1048576 symbols')
  expect(batch.seriesCount).toBe(0)
  // What was too much has left nothing behind.
  expect(decode(rw1Of([withSample({ __name__: 'up' })]), batch)).toBeNull()
  expect(batch.seriesCount).toBe(1)
})

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(Math.floor(value / 0x80))]
}
