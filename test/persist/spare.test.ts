import { expect, test } from 'vitest'
import { Ledger } from '../../src/persist/ledger.ts'
import { Spare, spareBytesFor, withSpare } from '../../src/persist/spare.ts'
import { MemoryDisk } from '../support/memory-disk.ts'

const MIB = 1024 ** 2
const loss = {
  at: '2026-11-27T00:00:00.000Z',
  destination: 'central',
  kind: 'damaged',
  samples: 1,
  fromBlock: 1,
  toBlock: 1,
  reason: 'a test',
} as const

async function filled(disk: MemoryDisk, bytes = 3 * MIB): Promise<Spare> {
  const spare = await Spare.open(disk, '/data/spare', bytes)
  await spare.fill()
  return spare
}

test('the spare is a small part of the quota, and 64 MiB at most', () => {
  expect(spareBytesFor(1024 * MIB)).toBe(32 * MIB)
  expect(spareBytesFor(1e15)).toBe(64 * MIB)
})

test('F16: what finds no room is written when the spare has been given up', async () => {
  const disk = new MemoryDisk()
  const spare = await filled(disk)
  expect(spare.isThere).toBe(true)
  disk.freeBytes = 0
  const ledger = new Ledger(withSpare(disk, spare), '/data/losses.jsonl')
  await Promise.all([ledger.append(loss), ledger.append({ ...loss, samples: 2 })])
  expect((await ledger.newest()).map(({ samples }) => samples)).toEqual([1, 2])
  expect(spare.isThere).toBe(false)
  expect(disk.offences).toEqual([])
  // There is nothing more to give up.
  disk.freeBytes = 10
  await expect(ledger.append(loss)).rejects.toMatchObject({ code: 'ENOSPC' })
  disk.freeBytes = 100 * MIB
  await ledger.append({ ...loss, samples: 3 })
  expect((await ledger.newest()).map(({ samples }) => samples)).toEqual([1, 2, 3])
})

test('it is made whole or not at all, and found again by the next process', async () => {
  const disk = new MemoryDisk()
  disk.freeBytes = 2 * MIB
  const spare = await Spare.open(disk, '/data/spare', 3 * MIB)
  await expect(spare.fill()).rejects.toMatchObject({ code: 'ENOSPC' })
  expect(spare.isThere).toBe(false)
  // What there was of it does not keep anybody from writing.
  expect(disk.freeBytes).toBe(2 * MIB)
  disk.freeBytes = 10 * MIB
  await spare.fill()
  expect(disk.freeBytes).toBe(7 * MIB)
  disk.crash(() => 0.99)
  expect((await Spare.open(disk, '/data/spare', 3 * MIB)).isThere).toBe(true)
  expect((await Spare.open(disk, '/data/spare', 4 * MIB)).isThere).toBe(false)
})

test('it can be given up while it is being made', async () => {
  const disk = new MemoryDisk()
  disk.freeBytes = 4 * MIB
  const spare = await Spare.open(disk, '/data/spare', 3 * MIB)
  const filling = expect(spare.fill()).rejects.toThrow('the room is needed')
  expect(await spare.giveUp()).toBe(true)
  await filling
  expect(spare.isThere).toBe(false)
  expect(disk.freeBytes).toBe(4 * MIB)
  await spare.fill()
  expect(spare.isThere).toBe(true)
})

test('other errors take no spare, and a sync that found no room is not asked for again', async () => {
  const disk = new MemoryDisk()
  const spare = await filled(disk)
  const file = await withSpare(disk, spare).open('/data/other', 'create')
  disk.fail('write', 'EIO')
  await expect(file.write([Uint8Array.of(1)], 0)).rejects.toMatchObject({ code: 'EIO' })
  expect(spare.isThere).toBe(true)
  const another = await withSpare(disk, spare).open('/data/another', 'create')
  disk.fail('datasync', 'ENOSPC')
  await expect(another.datasync()).rejects.toMatchObject({ code: 'ENOSPC' })
  expect(spare.isThere).toBe(false)
  expect(disk.offences).toEqual([])
})
