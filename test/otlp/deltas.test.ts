import { expect, test } from 'vitest'
import type { Message } from '../support/otlp.ts'
import {
  deltaAt,
  exponentialOf,
  histogramIn,
  histogramOf,
  Summing,
  shown,
  sumOf,
} from './summing.ts'

const one = (from: number, to: number, asDouble: number) => sumOf([deltaAt(from, to, { asDouble })])

function classic(from: number, to: number, counts: number[], bounds = [1, 2], sum = 3): Message {
  const count = counts.reduce((total, each) => total + each, 0)
  const buckets = { bucketCounts: counts, explicitBounds: bounds }
  return histogramOf(deltaAt(from, to, { ...buckets, count, sum }))
}

function exponential(from: number, to: number, more: Message): Message {
  return exponentialOf(deltaAt(from, to, { sum: 1, zeroCount: 0, ...more }))
}

test('G91: deltas are added up, from the start of the first', () => {
  const summing = new Summing()
  const deltas = [1, 2, 3].map((value, i) => deltaAt(i, i + 1, { asDouble: value }))
  expect(summing.push(sumOf(deltas))).toEqual([
    { series: 'n_total', timestampMs: 1000, startMs: 0, value: 1 },
    { series: 'n_total', timestampMs: 2000, startMs: 0, value: 3 },
    { series: 'n_total', timestampMs: 3000, startMs: 0, value: 6 },
  ])
  const own = new Summing()
  expect(own.push(one(5, 6, 1))[0]).toMatchObject({ value: 1, startMs: 5000 })
  expect(own.push(one(6, 7, 2))[0]).toMatchObject({ value: 3, startMs: 5000 })
})

test('G92: what is not after the sum is refused, and is in no later sum', () => {
  const summing = new Summing()
  summing.push(one(1, 5, 10))
  for (const [from, to] of [
    [1, 5],
    [0, 4],
    [2, 5],
  ] as const) {
    expect(summing.push(one(from, to, 10))).toEqual([])
    expect(summing.refused).toMatchObject({ points: 1 })
    expect(summing.refused.why['late']).toContain('out of order')
  }
  expect(summing.push(one(4, 6, 10))).toEqual([])
  expect(summing.refused.why['late']).toMatch(/from 4000 on.*up to 5000.*twice/)
  expect(shown(summing.push(one(5, 6, 1)))).toEqual(['n_total 11'])
})

test('a sender that never moves its start is added up as well', () => {
  const summing = new Summing()
  const pushes = [one(5, 6, 1), one(5, 7, 2), one(5, 8, 3)].map((each) => summing.push(each))
  expect(pushes.flat().map(({ value }) => value)).toEqual([1, 3, 6])
  expect(summing.push(one(6, 9, 4))).toEqual([])
  expect(summing.refused.why['late']).toMatch(/twice/)
})

test('a gap is none in the sum, and an unknown start is no reason to refuse', () => {
  const summing = new Summing()
  summing.push(one(1, 2, 1))
  expect(shown(summing.push(one(60, 61, 2)))).toEqual(['n_total 3'])
  expect(shown(summing.push(one(0, 62, 4)))).toEqual(['n_total 7'])
})

test('what goes up and down is added up too, and has no start', () => {
  const summing = new Summing()
  const at = (from: number, to: number, asInt: number) =>
    sumOf([deltaAt(from, to, { asInt })], false)
  expect(summing.push(at(1, 2, 5))).toMatchObject([{ series: 'n', value: 5, startMs: 0 }])
  expect(summing.push(at(2, 3, -7))).toMatchObject([{ series: 'n', value: -2, startMs: 0 }])
  expect(summing.push(at(2, 3, -7))).toEqual([])
})

test('streams are told apart by their labels', () => {
  const summing = new Summing()
  const both = (to: number) =>
    sumOf(['a', 'b'].map((k) => deltaAt(to - 1, to, { asInt: k === 'a' ? 1 : 10 }, { k })))
  summing.push(both(2))
  expect(shown(summing.push(both(3)))).toEqual(['n_total k=a 2', 'n_total k=b 20'])
})

test('a histogram is added up bucket by bucket', () => {
  const summing = new Summing()
  summing.push(classic(1, 2, [1, 2, 3]))
  const second = summing.push(classic(2, 3, [0, 5, 1]))
  expect(shown(second)).toEqual([
    'h_sum 6',
    'h_count 12',
    'h_bucket le=1 1',
    'h_bucket le=2 8',
    'h_bucket le=+Inf 12',
  ])
  expect(new Set(second.map(({ startMs }) => startMs))).toEqual(new Set([1000]))
})

test('a histogram of other bounds begins anew, all of it', () => {
  const summing = new Summing()
  summing.push(classic(1, 2, [1, 2, 3]))
  const anew = summing.push(classic(2, 3, [1, 1, 1], [1, 4]))
  expect(shown(anew)).toEqual([
    'h_sum 3',
    'h_count 3',
    'h_bucket le=1 1',
    'h_bucket le=4 2',
    'h_bucket le=+Inf 3',
  ])
  expect(new Set(anew.map(({ startMs }) => startMs))).toEqual(new Set([2000]))
  // The bucket at 2 has fallen behind, and nobody may go on from where it was.
  expect(shown(summing.push(classic(3, 4, [1, 1, 1]))).slice(1, 4)).toEqual([
    'h_count 3',
    'h_bucket le=1 1',
    'h_bucket le=2 2',
  ])
})

test('exponential histograms are added at the lower resolution and the wider zero bucket', () => {
  const summing = new Summing()
  const first = { scale: 2, positive: { offset: 3, bucketCounts: [1, 2, 3] }, count: 7 }
  summing.push(exponential(1, 2, { ...first, zeroCount: 1, zeroThreshold: 0.001 }))
  const second = { scale: 1, positive: { offset: 1, bucketCounts: [4] }, count: 9 }
  const more = { zeroCount: 5, zeroThreshold: 0.5 }
  const value = histogramIn(summing.push(exponential(2, 3, { ...second, ...more })))
  // At scale 2 buckets 3, 4 and 5; at scale 1 buckets 1, 2 and 2, which natively are 2, 3 and 3.
  expect(value).toMatchObject({ schema: 1, zeroThreshold: 0.5 })
  expect(value).toMatchObject({ countInt: 16, zeroCountInt: 6, sum: 2 })
  expect(value).toMatchObject({
    positiveSpans: [{ offset: 2, length: 2 }],
    positiveDeltas: [5, 0],
  })
})

test('buckets that a wider zero bucket covers fall into it, and none is cut', () => {
  const summing = new Summing()
  // (0.5, 1], (1, 2], (2, 4]
  const positive = { offset: -1, bucketCounts: [1, 2, 4] }
  summing.push(exponential(1, 2, { scale: 0, positive, count: 7, zeroThreshold: 0.01 }))
  const wide = { scale: 0, count: 8, zeroCount: 8, zeroThreshold: 1.5 }
  expect(summing.push(exponential(2, 3, wide))[0]!.value).toMatchObject({
    ...{ zeroThreshold: 2, zeroCountInt: 11, countInt: 15 },
    ...{ positiveSpans: [{ offset: 2, length: 1 }], positiveDeltas: [4] },
  })
})

test('native histograms with custom bounds are added as long as the bounds are the same', () => {
  const summing = new Summing({ convertHistogramsToNhcb: true })
  summing.push(classic(1, 2, [1, 2, 3]))
  const [second] = summing.push(classic(2, 3, [0, 5, 1]))
  expect(second!.value).toMatchObject({ schema: -53, countInt: 12, positiveDeltas: [1, 6, -3] })
  const [third] = summing.push(classic(3, 4, [0, 0, 1], [1, 3]))
  expect(third).toMatchObject({ startMs: 3000, value: { countInt: 1, positiveDeltas: [1] } })
})

test('a sum of histograms has 160 buckets a side at most', { timeout: 60_000 }, () => {
  const summing = new Summing()
  for (let i = 0; i < 300; i++) {
    const positive = { offset: i * 2, bucketCounts: [1] }
    const summed = summing.push(exponential(i + 1, i + 2, { scale: 3, positive, count: 1 }))
    const { positiveSpans, countInt } = histogramIn(summed)
    const buckets = positiveSpans.reduce((sum, { length }) => sum + length, 0)
    expect(buckets).toBeLessThanOrEqual(160)
    expect(countInt).toBe(i + 1)
  }
})

test('no value is added that would spoil the sum for ever', () => {
  const summing = new Summing()
  summing.push(one(1, 2, 5))
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, -1]) {
    expect(summing.push(one(2, 3, value))).toEqual([])
    expect(summing.refused.why['temporality']).toContain(`${value}`)
  }
  expect(summing.push(classic(1, 2, [1, 0, 0], [1, 2], Number.NaN))).toEqual([])
  expect(summing.push(exponential(1, 2, { sum: Number.NaN, count: 1 }))).toEqual([])
  expect(shown(summing.push(one(2, 3, 1)))).toEqual(['n_total 6'])
})

test('a stale marker passes, and what comes after it begins anew', () => {
  const summing = new Summing()
  summing.push(one(1, 2, 5), classic(1, 2, [1, 1, 1]))
  const stale = summing.push(sumOf([deltaAt(2, 3, { flags: 1 })]))
  expect(stale).toMatchObject([{ series: 'n_total', value: Number.NaN, timestampMs: 3000 }])
  expect(summing.push(one(3, 4, 2))).toMatchObject([{ value: 2, startMs: 3000 }])
  const ended = summing.push(histogramOf(deltaAt(2, 3, { flags: 1 })))
  expect(ended.map(({ series }) => series)).toEqual(['h_count', 'h_bucket le=+Inf'])
  expect(shown(summing.push(classic(3, 4, [1, 1, 1]))).slice(0, 2)).toEqual([
    'h_sum 3',
    'h_count 3',
  ])
})

test('what admission would refuse is not in the sum', () => {
  const summing = new Summing()
  summing.push(one(1, 2, 5))
  expect(summing.push(one(2, 200_000, 7))).toEqual([])
  expect(summing.refused.why['too-far-ahead']).toContain('ahead')
  expect(shown(summing.push(one(2, 3, 1)))).toEqual(['n_total 6'])

  // The sum is forgotten and the series is not, as after a restart.
  const other = new Summing()
  other.admit(3000, 6)
  expect(other.push(one(2, 3, 1))).toEqual([])
  expect(other.refused.why['late']).toContain('already')
  expect(other.push(one(3, 4, 1))).toMatchObject([{ value: 1, startMs: 3000 }])
})

test('what was undone is added again, also where a part of its push is on disk', () => {
  const summing = new Summing()
  summing.push(one(1, 2, 5))
  summing.admit(2000, 5)
  summing.sums.undo()
  // Its first value is the one that is known, so nothing was added before it.
  expect(summing.push(one(1, 2, 5))).toMatchObject([{ value: 5, startMs: 1000 }])
  summing.commit()
  summing.push(one(2, 3, 1))
  summing.admit(3000, 6)
  summing.sums.undo()
  expect(summing.push(one(2, 3, 1))).toMatchObject([{ value: 6, startMs: 1000 }])
  expect(summing.push(one(2, 3, 1))).toEqual([])
})

test('no more series are added up than may be, and the others go on', () => {
  const summing = new Summing({ seriesMax: 3 })
  const at = (to: number, ...keys: string[]) =>
    sumOf(keys.map((k) => deltaAt(to - 1, to, { asInt: 1 }, { k })))
  expect(summing.push(at(2, 'a', 'b', 'c', 'd'))).toHaveLength(3)
  expect(summing.refused).toMatchObject({ points: 1 })
  expect(summing.refused.why['temporality']).toMatch(/3 series.*otlp\.delta_max_series/)
  expect(shown(summing.push(at(3, 'd', 'a')))).toEqual(['n_total k=a 2'])
  expect(summing.sums.live).toBe(3)
  // A point needs room for all its series.
  expect(new Summing({ seriesMax: 4 }).push(classic(1, 2, [1, 2, 3]))).toEqual([])
})

test('a native histogram takes room by its buckets', () => {
  const summing = new Summing({ seriesMax: 10 })
  const bucketCounts = Array.from({ length: 30 }, () => 1)
  const wide = { scale: 0, positive: { offset: 0, bucketCounts }, count: 30 }
  expect(summing.push(exponential(1, 2, wide))).toEqual([])
  const few = { scale: 0, positive: { offset: 0, bucketCounts: [1, 1] }, count: 2 }
  expect(summing.push(exponential(1, 2, few))).toHaveLength(1)
  expect(summing.push(exponential(2, 3, wide))).toEqual([])
  expect(summing.push(exponential(2, 3, few))[0]!.value).toMatchObject({ countInt: 4 })
})

test('a sum to which nothing is added is forgotten, and its room is free', () => {
  const summing = new Summing({ seriesMax: 1, staleSeconds: 300 })
  summing.push(one(1, 2, 5))
  summing.commit()
  summing.sweep(300)
  expect(shown(summing.push(one(2, 3, 1)))).toEqual(['n_total 6'])
  summing.commit()
  summing.sweep(301)
  expect(summing.sums.live).toBe(0)
  expect(summing.push(one(3, 4, 2))).toMatchObject([{ value: 2, startMs: 3000 }])
})

test('what may still be undone is not forgotten by time', () => {
  const summing = new Summing({ staleSeconds: 300 })
  summing.push(one(1, 2, 5))
  summing.commit()
  summing.push(one(2, 3, 5))
  summing.sweep(1000)
  summing.sums.undo()
  expect(shown(summing.push(one(2, 3, 1)))).toEqual(['n_total 6'])
})

test('exemplars stay with their series when a point before them is refused', () => {
  const summing = new Summing()
  summing.push(one(1, 5, 1))
  const exemplars = [{ asDouble: 7, timeUnixNano: '6000000000' }]
  const good = deltaAt(5, 6, { asDouble: 1, exemplars }, { k: 'good' })
  const bad = deltaAt(1, 5, { asDouble: 1, exemplars })
  expect(shown(summing.push(sumOf([bad, good])))).toEqual(['n_total k=good 1'])
  const { exemplarCount, exemplarSeries } = summing.batch
  expect([exemplarCount, exemplarSeries[0]]).toEqual([1, 0])
})
