import fc from 'fast-check'
import { expect, test } from 'vitest'
import { acceptedHistogram } from '../support/decoding.ts'
import type { Message } from '../support/remote-write.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)

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
  expect(acceptedHistogram(message)).toMatchObject({
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
      const merged = acceptedHistogram(
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
