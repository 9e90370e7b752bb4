import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Admission } from '../../src/admit/admission.ts'
import { openSavedTable, saveTable } from '../../src/admit/table-file.ts'
import { KEY } from '../support/decoding.ts'
import { DIRECTORY } from '../support/log-directory.ts'
import { MemoryDisk } from '../support/memory-disk.ts'
import { batchOf, type Row, wholeOf } from '../support/rows.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)
const PATH = `${DIRECTORY}/series-table`
const NOW_MS = 1_000_000

const admissionOf = (lastBlock = 0) =>
  new Admission({ seriesMax: 100, outOfOrderWindowMs: 0, lastBlock })

function judge(admission: Admission, rows: readonly Row[], block: number) {
  const batch = batchOf(rows)
  const { fence } = admission.judge(batch, wholeOf(batch), block, NOW_MS, 0)
  return { fence, kept: rows.filter((_, i) => batch.sampleKeep[i] === 1) }
}

/** One block for each push, from 1 on. */
function judgeAll(admission: Admission, pushes: readonly Row[][]): void {
  for (const [i, rows] of pushes.entries()) judge(admission, rows, i + 1)
}

function save(
  disk: MemoryDisk,
  { table }: Admission,
  committedLsn: () => number,
  settle = async () => {},
): Promise<void> {
  const head = { key: KEY, samples: 0 }
  return saveTable(disk.session(), PATH, head, table, committedLsn, settle)
}

async function restored(disk: MemoryDisk, lastLsn: number): Promise<Admission> {
  const admission = admissionOf(lastLsn)
  const saved = await openSavedTable(disk.session(), PATH)
  expect(saved?.key).toEqual(KEY)
  await saved!.restore(admission.table, lastLsn, 0)
  await saved!.close()
  return admission
}

async function diskWith(): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  await disk.session().makeDirectory(DIRECTORY)
  return disk
}

const push = fc.array(
  fc.record({
    series: fc.nat(5),
    timestampMs: fc.integer({ min: 1, max: 9 }).map((tick) => tick * 1000),
    value: fc.nat(1),
  }),
  { maxLength: 8 },
)

test('after a stop every series is judged and fenced as if there had been none', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(push, { maxLength: 5 }),
      fc.array(push, { maxLength: 4 }),
      async (before, after) => {
        const disk = await diskWith()
        const control = admissionOf()
        judgeAll(control, before)
        control.forget(before.length)
        const lsn = before.length
        await save(disk, control, () => lsn)
        const admission = await restored(disk, lsn)
        expect(admission.table.live).toBe(control.table.live)
        after.forEach((rows, i) => {
          const expected = judge(control, rows, lsn + 1 + i)
          const { kept, fence } = judge(admission, rows, lsn + 1 + i)
          expect(kept).toEqual(expected.kept)
          // A series that is new fences on all that came before the start.
          expect(fence).toBeGreaterThanOrEqual(expected.fence)
          if (expected.fence > 0) expect(fence).toBeLessThanOrEqual(Math.max(expected.fence, lsn))
        })
      },
    ),
    { numRuns },
  ))

test('what is not on disk is never taken for something that is there', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(push, { maxLength: 6 }),
      fc.nat(6),
      fc.nat(6),
      async (pushes, committed, found) => {
        const disk = await diskWith()
        const admission = admissionOf()
        judgeAll(admission, pushes)
        const onDisk = Math.min(committed, pushes.length)
        await save(disk, admission, () => onDisk)
        // A crash may take away the end of the log, too.
        const lastLsn = Math.min(found, onDisk)
        const again = await restored(disk, lastLsn)
        const control = admissionOf()
        judgeAll(control, pushes.slice(0, lastLsn))
        pushes.slice(lastLsn).forEach((rows, i) => {
          const expected = judge(control, rows, lastLsn + 1 + i).kept
          expect(judge(again, rows, lastLsn + 1 + i).kept).toEqual(expect.arrayContaining(expected))
        })
      },
    ),
    { numRuns: numRuns * 3 },
  ))

test('what could not be written, and whose number another block took, is not known', async () => {
  const disk = await diskWith()
  const before = admissionOf()
  judge(before, [{ series: 1, timestampMs: 1000, value: 1 }], 1)
  const lost = [{ series: 1, timestampMs: 2000, value: 1 }]
  judge(before, lost, 2)
  await save(disk, before, () => 1)
  const admission = await restored(disk, 2)
  expect(judge(admission, lost, 3).kept).toEqual(lost)
})

for (const isCommitted of [true, false]) {
  const then = isCommitted ? 'committed' : 'undone'
  test(`a series that a block was changing is known as it was when that was ${then}`, async () => {
    const disk = await diskWith()
    const before = admissionOf()
    const first = [{ series: 1, timestampMs: 1000, value: 1 }]
    const second = [{ series: 1, timestampMs: 2000, value: 1 }]
    judge(before, first, 1)
    before.forget(1)
    judge(before, second, 2)
    let committed = 1
    await save(
      disk,
      before,
      () => committed,
      async () => {
        if (isCommitted) committed = 2
        else before.undo()
      },
    )
    const admission = await restored(disk, committed)
    expect(judge(admission, first, 3).kept).toEqual([])
    expect(judge(admission, second, 3).kept).toEqual(isCommitted ? [] : second)
  })
}

test('when the log has gone on, each series waits for all of it', async () => {
  const disk = await diskWith()
  const before = admissionOf()
  judge(before, [{ series: 1, timestampMs: 1000, value: 1 }], 3)
  await save(disk, before, () => 3)
  const admission = await restored(disk, 9)
  expect(judge(admission, [{ series: 1, timestampMs: 1000, value: 1 }], 10).kept).toEqual([])
  expect(judge(admission, [{ series: 1, timestampMs: 2000, value: 1 }], 10).fence).toBe(9)
})

test('a file that is damaged anywhere is no reason not to start, and no reason to drop a sample', async () => {
  const disk = await diskWith()
  const before = admissionOf()
  const rows = [1, 2, 3].map((series) => ({ series, timestampMs: 1000, value: 1 }))
  judge(before, rows, 1)
  await save(disk, before, () => 1)
  const bytes = disk.bytesOf(PATH)
  for (let at = 0; at < bytes.length; at += 3) {
    const damaged = new MemoryDisk()
    await damaged.session().makeDirectory(DIRECTORY)
    const file = await damaged.session().open(PATH, 'create')
    const content = Uint8Array.from(bytes)
    content[at]! ^= 0x10
    await file.write([content], 0)
    await file.close()
    const saved = await openSavedTable(damaged.session(), PATH)
    const admission = admissionOf(1)
    await saved?.restore(admission.table, 1, 0)
    const later = rows.map((row) => ({ ...row, timestampMs: 2000 }))
    expect(judge(admission, later, 2).kept).toEqual(later)
    await saved?.close()
  }
})
