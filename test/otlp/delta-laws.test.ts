import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Message } from '../support/otlp.ts'
import type { HistogramMessage } from '../support/remote-write.ts'
import { deltaAt, exponentialOf, histogramIn, histogramOf, Summing, sumOf } from './summing.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 200)
const SLOW = { timeout: 60_000 }

type Stream = 'a' | 'b' | 'h'
type Step =
  | { kind: 'push'; points: { stream: Stream; backSeconds: number; seconds: number; n: number }[] }
  /** Of all but the last `open` blocks. */
  | { kind: 'commit'; open: number }
  | { kind: 'fail' }
  | { kind: 'idle'; seconds: number }

const point = fc.record({
  stream: fc.constantFrom<Stream[]>('a', 'b', 'h'),
  /** How far before the end of its sum it begins. */
  backSeconds: fc.constantFrom(0, 0, 0, 0, -3, 1, 4),
  seconds: fc.integer({ min: 1, max: 5 }),
  n: fc.nat(100),
})
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('push' as const),
      points: fc.array(point, { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('commit' as const), open: fc.nat(3) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'fail' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('idle' as const), seconds: fc.nat(400) }),
  },
)

type Sum = {
  fromSeconds: number
  toSeconds: number
  total: number
  points: number
  seen: number
}

/** The specification: a sum is the total of what was taken, and of nothing that was undone. */
class Model {
  open = new Map<Stream, Sum>()
  /** After each block, from the last that is on disk on. */
  #after: { block: number; sums: Map<Stream, Sum> }[] = [{ block: 0, sums: new Map() }]

  judged(block: number): void {
    this.#after.push({ block, sums: new Map(this.open) })
  }

  commit(upTo: number): void {
    while (this.#after.length > 1 && this.#after[1]!.block <= upTo) this.#after.shift()
  }

  fail(): void {
    this.#after.length = 1
    this.open = new Map(this.#after[0]!.sums)
  }

  /** Null when it must be refused. */
  take(stream: Stream, from: number, to: number, n: number, now: number): Sum | null {
    const known = this.open.get(stream)
    if (known !== undefined && to <= known.toSeconds) return null
    const overlaps = known !== undefined && from < known.toSeconds
    if (overlaps && from !== known.fromSeconds) return null
    const sum = { fromSeconds: known?.fromSeconds ?? from, toSeconds: to, seen: now }
    const points = (known?.points ?? 0) + 1
    const next = { ...sum, points, total: (known?.total ?? 0) + n }
    this.open.set(stream, next)
    return next
  }

  expire(now: number): void {
    for (const [stream, { seen }] of this.open) if (now - seen > 300) this.open.delete(stream)
  }
}

function metricOf(stream: Stream, from: number, to: number, n: number): Message {
  if (stream !== 'h') return sumOf([deltaAt(from, to, { asInt: n }, { stream })])
  const buckets = { explicitBounds: [1], bucketCounts: [n, 1] }
  return histogramOf(deltaAt(from, to, { ...buckets, count: n + 1, sum: n }))
}

test(
  'a sum is the total of all that was taken since it began, through failures and idle times',
  SLOW,
  () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const summing = new Summing()
        const model = new Model()
        let points = 0
        for (const each of steps) {
          if (each.kind === 'commit') {
            summing.commit(each.open)
            model.commit(summing.block - each.open)
          } else if (each.kind === 'fail') {
            summing.sums.undo()
            model.fail()
          } else if (each.kind === 'idle') {
            summing.commit()
            summing.sweep(each.seconds)
            model.expire(summing.nowSeconds)
            model.judged(summing.block)
            model.commit(summing.block)
          } else {
            for (const { stream, backSeconds, seconds, n } of each.points) {
              const begin = model.open.get(stream)?.toSeconds ?? 1000 + points++
              const [from, to] = [begin - backSeconds, begin - backSeconds + seconds]
              const wanted = model.take(stream, from, to, n, summing.nowSeconds)
              const got = summing.push(metricOf(stream, from, to, n))
              model.judged(summing.block)
              expectSum(stream, got, wanted, summing)
            }
          }
        }
        const series = { a: 1, b: 1, h: 4 }
        const live = [...model.open.keys()].reduce((all, stream) => all + series[stream], 0)
        expect(summing.sums.live).toBe(live)
      }),
      { numRuns },
    )
  },
)

function expectSum(
  stream: Stream,
  got: ReturnType<Summing['push']>,
  wanted: Sum | null,
  { refused }: Summing,
): void {
  if (wanted === null) {
    expect(got).toEqual([])
    expect(refused.points).toBe(1)
    return
  }
  const { total, points, fromSeconds, toSeconds } = wanted
  const values = got.map(({ value }) => value)
  if (stream !== 'h') expect(values).toEqual([total])
  else {
    // Each point has one observation above the bound.
    expect(values).toEqual([total, total + points, total, total + points])
  }
  for (const { startMs, timestampMs } of got) {
    expect([startMs, timestampMs]).toEqual([fromSeconds * 1000, toSeconds * 1000])
  }
}

test('what was undone does not keep a sum alive', () => {
  const summing = new Summing()
  summing.push(metricOf('a', 1000, 1001, 1))
  summing.commit()
  summing.sweep(82)
  summing.push(metricOf('a', 1001, 1002, 1))
  summing.sums.undo()
  summing.sweep(219)
  expect(summing.sums.live).toBe(0)
})

/** Observations as exponents of 2, none of which is the border of a bucket. */
const exponents = fc.array(
  fc.integer({ min: -3 * 4096, max: 3 * 4096 }).map((i) => (i + 0.5) / 4096),
  { maxLength: 12 },
)
const exponentialDelta = fc.record({
  scale: fc.integer({ min: -4, max: 10 }),
  positive: exponents,
  negative: exponents,
  zeroCount: fc.nat(5),
})

test('the sum of exponential histograms is the histogram of all observations', SLOW, () => {
  fc.assert(
    fc.property(fc.array(exponentialDelta, { minLength: 1, maxLength: 12 }), (deltas) => {
      const summing = new Summing()
      let sum!: HistogramMessage
      for (const [i, { scale, positive, negative, zeroCount }] of deltas.entries()) {
        const count = positive.length + negative.length + zeroCount
        const sides = { positive: sideOf(positive, scale), negative: sideOf(negative, scale) }
        const more = { scale, count, zeroCount, ...sides, sum: count }
        sum = histogramIn(summing.push(exponentialOf(deltaAt(i + 1, i + 2, more))))
      }
      const all = (side: 'positive' | 'negative') => deltas.flatMap((delta) => delta[side])
      const zeros = deltas.reduce((total, { zeroCount }) => total + zeroCount, 0)
      const finest = Math.min(8, ...deltas.map(({ scale }) => scale))
      expect(sum.schema).toBe(finest)
      expect(Number(sum.zeroCountInt)).toBe(zeros)
      for (const side of ['positive', 'negative'] as const) {
        expect(bucketsOf(sum, side)).toEqual(countedAt(all(side), sum.schema))
      }
      const observations = all('positive').length + all('negative').length + zeros
      expect([Number(sum.countInt), sum.sum]).toEqual([observations, observations])
    }),
    { numRuns },
  )
})

/** As OTLP has it: buckets by the lower bound. */
function sideOf(observed: readonly number[], scale: number): Message {
  const indices = observed.map((exponent) => Math.floor(exponent * 2 ** scale))
  const offset = Math.min(...indices)
  return indices.length === 0 ? {} : { offset, bucketCounts: dense(indices, offset) }
}

function dense(indices: readonly number[], offset: number): number[] {
  const counts = Array.from({ length: Math.max(...indices) - offset + 1 }, () => 0)
  for (const index of indices) counts[index - offset]! += 1
  return counts
}

/** As Prometheus has it: buckets by the upper bound, ascending. */
function countedAt(observed: readonly number[], schema: number): [number, number][] {
  const counts = new Map<number, number>()
  for (const exponent of observed) {
    const index = Math.ceil(exponent * 2 ** schema)
    counts.set(index, (counts.get(index) ?? 0) + 1)
  }
  return [...counts].sort(([one], [other]) => one - other)
}

function bucketsOf(message: HistogramMessage, side: 'positive' | 'negative'): [number, number][] {
  const buckets: [number, number][] = []
  const deltas = message[`${side}Deltas`]
  let [index, count, at] = [0, 0, 0]
  for (const { offset, length } of message[`${side}Spans`]) {
    index += offset
    for (let i = 0; i < length; i++, index++) {
      count += Number(deltas[at++])
      if (count > 0) buckets.push([index, count])
    }
  }
  return buckets
}
