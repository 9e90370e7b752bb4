import { expect, test } from 'vitest'
import { Ledger, type Loss } from '../../src/persist/ledger.ts'
import { MemoryDisk } from '../support/memory-disk.ts'

const PATH = '/data/losses.jsonl'
const loss = (samples: number): Loss => ({
  at: '2026-11-24T00:00:00.000Z',
  destination: 'central',
  kind: 'evicted',
  samples,
  fromBlock: 1,
  toBlock: 2,
  reason: 'for want of room',
})

async function ledgerOn(disk: MemoryDisk): Promise<Ledger> {
  const session = disk.session()
  await session.makeDirectory('/data')
  return new Ledger(session, PATH)
}

test('what was written survives a power cut, line by line and in order', async () => {
  const disk = new MemoryDisk()
  const ledger = await ledgerOn(disk)
  await Promise.all([1, 2, 3].map((samples) => ledger.append(loss(samples))))
  disk.crash(() => 0)
  const again = await ledgerOn(disk)
  expect(await again.newest()).toEqual([1, 2, 3].map(loss))
  await again.append(loss(4))
  expect(await again.newest()).toEqual([1, 2, 3, 4].map(loss))
  expect(Buffer.from(disk.bytesOf(PATH)).toString().split('\n')).toHaveLength(5)
})

test('half a line that a crash has left takes no whole one with it', async () => {
  const disk = new MemoryDisk()
  const ledger = await ledgerOn(disk)
  await ledger.append(loss(1))
  const whole = disk.bytesOf(PATH)
  for (let cut = 1; cut <= whole.length; cut += 7) {
    disk.plant(PATH, Buffer.concat([whole, whole.subarray(0, cut)]))
    const again = await ledgerOn(disk)
    await again.append(loss(2))
    expect(await again.newest()).toEqual(expect.arrayContaining([loss(1), loss(2)]))
  }
})

test('what the disk refuses is told, and the next line is tried anew', async () => {
  const disk = new MemoryDisk()
  const ledger = await ledgerOn(disk)
  disk.fail('datasync', 'EIO', { within: 'losses' })
  await expect(ledger.append(loss(1))).rejects.toThrow('EIO')
  await ledger.append(loss(2))
  expect(await ledger.newest()).toContainEqual(loss(2))
  expect(disk.offences).toEqual([])
})
