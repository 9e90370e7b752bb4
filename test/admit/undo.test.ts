import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BLOCK, NEWEST_MS, ROW_DOUBLES, SeriesTable } from '../../src/admit/series-table.ts'
import { UndoLog } from '../../src/admit/undo.ts'
import { identityOf } from '../support/rows.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)

/** So many that the log grows, and moves its entries to the front. */
const ROWS = 3_000

type Step =
  | { kind: 'change'; first: number; count: number; isNextBlock: boolean }
  | { kind: 'forget'; behind: number }
  | { kind: 'undo' }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('change' as const),
      first: fc.nat(ROWS - 1),
      count: fc.constantFrom(1, 700, 1_500, 2_900),
      isNextBlock: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('forget' as const), behind: fc.nat(2) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('undo' as const) }) },
)

/** Most of what is full was forgotten: what is left moves to the front, and some of it goes. */
const MOVING: Step[] = [
  { kind: 'change', first: 0, count: 2_900, isNextBlock: true },
  { kind: 'change', first: 0, count: 700, isNextBlock: true },
  { kind: 'forget', behind: 1 },
  { kind: 'change', first: 500, count: 700, isNextBlock: true },
  { kind: 'change', first: 0, count: 700, isNextBlock: true },
  { kind: 'forget', behind: 2 },
]

test('undoing brings back what rows were before the first block that is not on disk', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      const table = new SeriesTable(ROWS)
      for (let series = 0; series < ROWS; series++) table.insert(identityOf(series), 0)
      const undo = new UndoLog(table)
      const { doubles } = table
      for (let row = 0; row < ROWS; row++) doubles[row * ROW_DOUBLES + BLOCK] = 0
      const timesNow = () =>
        Array.from({ length: ROWS }, (_, row) => doubles[row * ROW_DOUBLES + NEWEST_MS]!)
      let block = 1
      let time = 0
      /** Of each row: what it was before the blocks that are not on disk, oldest first. */
      let before = Array.from({ length: ROWS }, () => [] as { block: number; ms: number }[])

      for (const one of [...steps, { kind: 'undo' } as Step]) {
        if (one.kind === 'forget') {
          const onDisk = block - one.behind
          undo.forget(onDisk)
          before = before.map((changes) => changes.filter((change) => change.block > onDisk))
          // A block that is on disk changes nothing any more.
          if (one.behind === 0) block += 1
        } else if (one.kind === 'undo') {
          const expected = timesNow().map((ms, row) => before[row]![0]?.ms ?? ms)
          undo.undo()
          expect(timesNow()).toEqual(expected)
          before = before.map(() => [])
          block += 1
        } else {
          if (one.isNextBlock) block += 1
          undo.begin(block)
          for (let i = 0; i < one.count; i++) change((one.first + i) % ROWS)
        }
        expect(undo.size).toBe(before.flat().length)
      }

      function change(row: number): void {
        const at = row * ROW_DOUBLES
        if (doubles[at + BLOCK] !== block) {
          before[row]!.push({ block, ms: doubles[at + NEWEST_MS]! })
          undo.record(row, false)
          doubles[at + BLOCK] = block
        }
        doubles[at + NEWEST_MS] = ++time
      }
    }),
    { numRuns, examples: [[MOVING]] },
  )
})

test('as many entries as are asked for have room at once, and are undone', () => {
  const rows = 20_000
  const table = new SeriesTable(rows)
  for (let series = 0; series < rows; series++) table.insert(identityOf(series), 0)
  const undo = new UndoLog(table)
  undo.begin(1)
  const at = undo.reserve(rows)
  const { row, newestMs, block } = undo.columns
  for (let i = 0; i < rows; i++) {
    row[at + i] = i
    newestMs[at + i] = i + 1
    block[at + i] = 7
  }
  undo.close(at + rows)
  expect(undo.size).toBe(rows)
  undo.undo()
  const { doubles } = table
  for (let i = 0; i < rows; i++) {
    expect([doubles[i * ROW_DOUBLES + NEWEST_MS], doubles[i * ROW_DOUBLES + BLOCK]]).toEqual([
      i + 1,
      7,
    ])
  }
})
