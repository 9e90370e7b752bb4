import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Admission } from '../../src/admit/admission.ts'
import { batchOf, identityOf, type Row, wholeOf } from '../support/rows.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)
const NOW_MS = 1_000_000

const row: fc.Arbitrary<Row> = fc.record({
  series: fc.nat(3),
  timestampMs: fc.integer({ min: 1, max: 8 }).map((tick) => tick * 1000),
  value: fc.nat(2),
})
const push = fc.array(row, { maxLength: 8 })

function admissionOf({ seriesMax = 100, outOfOrderWindowMs = 0, lastBlock = 0 } = {}): Admission {
  return new Admission({ seriesMax, outOfOrderWindowMs, lastBlock })
}

/** Judges one push and gives the rows that were kept. */
function judge(admission: Admission, rows: readonly Row[], block: number, nowMs = NOW_MS): Row[] {
  const batch = batchOf(rows)
  admission.judge(batch, wholeOf(batch), block, nowMs, 0)
  return rows.filter((_, i) => batch.sampleKeep[i] === 1)
}

test('keeps exactly what is newer than all that was kept of its series', () => {
  fc.assert(
    fc.property(fc.array(push, { maxLength: 8 }), (pushes) => {
      const admission = admissionOf()
      const newest = new Map<number, number>()
      pushes.forEach((rows, i) => {
        const expected = rows.filter(({ series, timestampMs }) => {
          const isNewer = timestampMs > (newest.get(series) ?? 0)
          if (isNewer) newest.set(series, timestampMs)
          return isNewer
        })
        expect(judge(admission, rows, i + 1)).toEqual(expected)
      })
    }),
    { numRuns },
  )
})

test('rows lead to one another as the series of the last push came, new ones or known', () => {
  const series = fc.uniqueArray(fc.nat(30), { minLength: 1 })
  fc.assert(
    fc.property(fc.array(series, { minLength: 1 }), (pushes) => {
      const admission = admissionOf()
      const { table } = admission
      pushes.forEach((order, i) => {
        const timestampMs = (i + 1) * 1000
        judge(
          admission,
          order.map((one) => ({ series: one, timestampMs, value: 0 })),
          i + 1,
        )
        const rows = order.map((one) => table.find(identityOf(one), 0))
        const led = rows.slice(0, -1).map((row) => row + 1 + table.skips[row]!)
        expect(led).toEqual(rows.slice(1))
      })
    }),
    { numRuns },
  )
})

test('what is not on disk is forgotten as if it had never been judged', () => {
  fc.assert(
    fc.property(
      fc.array(push, { maxLength: 5 }),
      fc.array(push, { maxLength: 5 }),
      fc.array(push, { maxLength: 5 }),
      (onDisk, lost, later) => {
        const admission = admissionOf()
        const control = admissionOf()
        let block = 0
        for (const rows of onDisk) {
          judge(admission, rows, ++block)
          judge(control, rows, block)
        }
        admission.forget(block)
        lost.forEach((rows, i) => {
          judge(admission, rows, block + 1 + i)
        })
        admission.undo()
        expect(admission.table.live).toBe(control.table.live)
        for (const rows of later) {
          expect(judge(admission, rows, ++block)).toEqual(judge(control, rows, block))
        }
      },
    ),
    { numRuns },
  )
})

test('a fence is the newest earlier block that shares a series, never a later one', () => {
  fc.assert(
    fc.property(fc.array(push, { maxLength: 12 }), fc.nat(3), (pushes, lastBlock) => {
      const admission = admissionOf({ lastBlock })
      const carriedBy = new Map<number, number>()
      pushes.forEach((rows, i) => {
        const block = lastBlock + 1 + i
        const batch = batchOf(rows)
        const { fence } = admission.judge(batch, wholeOf(batch), block, NOW_MS, 0)
        const kept = rows.filter((_, sample) => batch.sampleKeep[sample] === 1)
        const earlier = kept.map(({ series }) => carriedBy.get(series) ?? lastBlock)
        expect(fence).toBe(Math.max(0, ...earlier))
        for (const { series } of kept) carriedBy.set(series, block)
      })
    }),
    { numRuns },
  )
})

test('a duplicate has the same bits, a conflict has others, and both leave the first in place', () => {
  const admission = admissionOf()
  expect(judge(admission, [{ series: 1, timestampMs: 5, value: 7 }], 1)).toHaveLength(1)
  expect(judge(admission, [{ series: 1, timestampMs: 5, value: 7 }], 2)).toEqual([])
  expect(judge(admission, [{ series: 1, timestampMs: 5, value: 8 }], 3)).toEqual([])
  expect(judge(admission, [{ series: 1, timestampMs: 5, value: 7 }], 4)).toEqual([])
  expect(admission.duplicateSamples).toBe(2)
  expect(admission.conflictingSamples).toBe(1)
})

test('a late sample is refused by name, unless the destination takes it', () => {
  const rows = [
    { series: 1, timestampMs: 900_000, value: 1 },
    { series: 1, timestampMs: 850_000, value: 2 },
  ]
  const strict = batchOf(rows)
  const refused = admissionOf().judge(strict, wholeOf(strict), 1, NOW_MS, 0)
  expect(refused.refused.samples).toBe(1)
  expect([...strict.rejections].map(([reason]) => reason)).toEqual(['late'])

  expect(judge(admissionOf({ outOfOrderWindowMs: 60_000 }), rows, 1)).toEqual(rows)
  expect(judge(admissionOf({ outOfOrderWindowMs: 40_000 }), rows, 1)).toHaveLength(1)
})

test('a sample more than ten minutes ahead is refused and leaves no trace', () => {
  const admission = admissionOf()
  const ahead = { series: 1, timestampMs: NOW_MS + 600_001, value: 1 }
  expect(judge(admission, [ahead], 1)).toEqual([])
  expect(admission.table.live).toBe(0)
  const atTheBound = { series: 1, timestampMs: NOW_MS + 600_000, value: 1 }
  expect(judge(admission, [atTheBound], 2)).toEqual([atTheBound])
})

test('a full table lets new series pass, and their blocks wait for all before', () => {
  const admission = admissionOf({ seriesMax: 1 })
  const rows = [1, 2].map((series) => ({ series, timestampMs: 5, value: 1 }))
  expect(judge(admission, rows, 4)).toEqual(rows)
  expect(admission.untrackedSamples).toBe(1)
  const batch = batchOf([{ series: 2, timestampMs: 6, value: 1 }])
  expect(admission.judge(batch, wholeOf(batch), 9, NOW_MS, 0).fence).toBe(8)
})

test('a series that comes back after its row expired waits for the block that carried it', () => {
  const admission = admissionOf()
  judge(admission, [{ series: 1, timestampMs: 5, value: 1 }], 6)
  admission.forget(6)
  for (let second = 0; second < 61; second++) admission.sweep(1000)
  expect(admission.table.live).toBe(0)
  const batch = batchOf([{ series: 1, timestampMs: 6, value: 1 }])
  expect(admission.judge(batch, wholeOf(batch), 9, NOW_MS, 1000).fence).toBe(6)
})

test('judges alike whether series stand in the rows where they are expected or not', () => {
  fc.assert(
    fc.property(fc.array(push, { maxLength: 8 }), (pushes) => {
      const [straight, mixed] = [admissionOf(), admissionOf()]
      pushes.forEach((rows, i) => {
        // A push of a series that nobody asked for makes the next guess wrong.
        judge(mixed, [{ series: 900 + i, timestampMs: 1, value: 1 }], 2 * i + 1)
        expect(judge(mixed, rows, 2 * i + 2)).toEqual(judge(straight, rows, i + 1))
      })
      const of = ({ duplicateSamples, conflictingSamples }: Admission) => [
        duplicateSamples,
        conflictingSamples,
      ]
      expect(of(mixed)).toEqual(of(straight))
    }),
    { numRuns },
  )
})
