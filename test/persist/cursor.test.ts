import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Cursor } from '../../src/persist/cursor.ts'
import { MemoryDisk } from '../support/memory-disk.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)
const PATH = '/cursors/central'

/** With a number of samples that tells which position it belongs to. */
const save = (cursor: Cursor, position: number) => cursor.save(position, position * 2)

test('a new cursor begins with the oldest record and is not damaged', async () => {
  const disk = new MemoryDisk()
  const cursor = await Cursor.open(disk, PATH)
  expect(cursor).toMatchObject({ position: 1, isDamaged: false })
  const again = await Cursor.open(disk, PATH)
  expect(again).toMatchObject({ position: 1, isDamaged: false })
})

test('F9: after a power cut a cursor has the position saved last, or the one being saved', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 2 }), { minLength: 1, maxLength: 8 }),
      fc.boolean(),
      fc.noShrink(fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true }))),
      async (positions, isCutInSave, chances) => {
        const disk = new MemoryDisk()
        const cursor = await Cursor.open(disk, PATH)
        const last = positions.pop()!
        let saved = 1
        for (const position of positions) {
          await save(cursor, position)
          saved = position
        }
        if (isCutInSave) {
          disk.fail('datasync', 'EIO')
          await expect(save(cursor, last)).rejects.toMatchObject({ code: 'LOG_FAILED' })
          expect(cursor.position).toBe(saved)
        }
        disk.crash(() => chances.next().value)
        const after = await Cursor.open(disk, PATH)
        expect(after.isDamaged).toBe(false)
        expect(isCutInSave ? [saved, last] : [saved]).toContain(after.position)
        const { position } = after
        expect(after.samplesBefore).toBe(position === 1 ? null : position * 2)
      },
    ),
    { numRuns },
  )
})

test('F9: any damage to one slot costs at most the last save', async () => {
  const disk = new MemoryDisk()
  const cursor = await Cursor.open(disk, PATH)
  await save(cursor, 10)
  await save(cursor, 20)
  const sound = disk.bytesOf(PATH)
  for (const slot of [0, 4096]) {
    for (let bit = 0; bit < 40 * 8; bit++) {
      const bytes = sound.slice()
      bytes[slot + (bit >> 3)]! ^= 1 << (bit & 7)
      disk.plant(PATH, bytes)
      const damaged = await Cursor.open(disk, PATH)
      expect([10, 20]).toContain(damaged.position)
      expect(damaged.isDamaged).toBe(false)
    }
  }
})

test('F9: with both slots damaged it says so and begins with the oldest record', async () => {
  const disk = new MemoryDisk()
  const cursor = await Cursor.open(disk, PATH)
  await save(cursor, 10)
  await save(cursor, 20)
  disk.plant(PATH, new Uint8Array(8192).fill(0x5a))
  const damaged = await Cursor.open(disk, PATH)
  expect(damaged).toMatchObject({ position: 1, isDamaged: true })
  await save(damaged, 33)
  expect(await Cursor.open(disk, PATH)).toMatchObject({ position: 33, isDamaged: false })
})

test('a cursor that the disk does not give says which, and leaves nothing open', async () => {
  for (const kind of ['open', 'read'] as const) {
    const disk = new MemoryDisk()
    disk.fail(kind, 'EIO')
    const failure = { code: 'LOG_FAILED', message: expect.stringContaining(PATH) }
    await expect(Cursor.open(disk, PATH)).rejects.toMatchObject(failure)
    expect(disk.openFileCount).toBe(0)
  }
})

test('saving needs no room on a full disk', async () => {
  const disk = new MemoryDisk()
  const cursor = await Cursor.open(disk, PATH)
  disk.freeBytes = 0
  for (const position of [5, 6, 7]) await save(cursor, position)
  expect((await Cursor.open(disk, PATH)).position).toBe(7)
})

test('after a failed save the old file is left alone and the next save makes a new one', async () => {
  const disk = new MemoryDisk()
  const cursor = await Cursor.open(disk, PATH)
  await save(cursor, 5)
  disk.fail('datasync', 'EIO')
  await expect(save(cursor, 6)).rejects.toMatchObject({ code: 'LOG_FAILED' })
  await save(cursor, 7)
  await save(cursor, 8)
  expect(disk.offences).toEqual([])
  disk.crash(() => 0.99)
  expect(await Cursor.open(disk, PATH)).toMatchObject({ position: 8, isDamaged: false })
})

test('saves that overlap are done in turn, and the last one counts', async () => {
  const disk = new MemoryDisk()
  const cursor = await Cursor.open(disk, PATH)
  await Promise.all([3, 9, 4].map((position) => save(cursor, position)))
  expect(cursor.position).toBe(4)
  await cursor.close()
  expect((await Cursor.open(disk, PATH)).position).toBe(4)
})
