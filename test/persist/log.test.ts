import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { nodeDisk } from '../../src/base/disk.ts'
import { Log } from '../../src/persist/log.ts'
import { commitEach, lsnsOf, openLog, payloadOf, range, readAll } from '../support/log-directory.ts'
import { MemoryDisk } from '../support/memory-disk.ts'

test('on a real disk, what is committed is there after opening again', async () => {
  const directory = join(await mkdtemp(join(tmpdir(), 'sluice-log-')), 'log')
  try {
    const options = { disk: nodeDisk, directory, segmentBytes: 10_000 }
    const log = await Log.open(options)
    expect(log).toMatchObject({ nextLsn: 1, oldestLsn: 1, committedLsn: 0, sizeBytes: 0 })
    await commitEach(log, [4000, 4000, 4000, 30_000, 0, 5])
    log.append(9, [Uint8Array.of(1, 2), Uint8Array.of(), Uint8Array.of(3)])
    await log.close()

    const again = await Log.open(options)
    const records = await readAll(again)
    expect(records.map(({ lsn }) => lsn)).toEqual(range(1, 7))
    expect(records[3]).toEqual({ lsn: 4, type: 1, payload: payloadOf(4, 30_000) })
    expect(records[6]).toEqual({ lsn: 7, type: 9, payload: Uint8Array.of(1, 2, 3) })
    await again.release(5)
    expect(again.oldestLsn).toBe(5)
    await again.close()
  } finally {
    await rm(join(directory, '..'), { recursive: true })
  }
})

test('release deletes whole segments below an LSN, and never the last one', async () => {
  const disk = new MemoryDisk()
  const { log } = await openLog(disk)
  await commitEach(log, Array(7).fill(150))
  const fullBytes = log.sizeBytes
  const reader = log.reader(1)
  await reader.next()
  await log.release(4)
  expect(log.oldestLsn).toBe(3)
  expect(log.sizeBytes).toBeLessThan(fullBytes)
  // A reader that stood in what was released goes on with the oldest that is left.
  expect((await reader.next())?.lsn).toBe(3)
  await Promise.all([log.release(5), log.release(8)])
  expect(log.oldestLsn).toBe(7)
  await log.close()
  const { log: again } = await openLog(disk)
  expect(again).toMatchObject({ oldestLsn: 7, nextLsn: 8 })
  await again.release(8)
  await commitEach(again, [10])
  await again.release(8)
  expect(await lsnsOf(again)).toEqual([8])
})

test('no number below what a cursor has passed is given out again', async () => {
  const disk = new MemoryDisk()
  const { log, damages } = await openLog(disk, { nextLsnMin: 500 })
  expect(log).toMatchObject({ nextLsn: 500, committedLsn: 499, oldestLsn: 500 })
  await commitEach(log, [10])
  expect(await lsnsOf(log)).toEqual([500])
  expect(damages).toEqual([])
})

test('a reader that has caught up waits until more is committed, or is told to stop', async () => {
  const disk = new MemoryDisk()
  const { log } = await openLog(disk)
  const reader = log.reader(1)
  expect(await reader.next()).toBeNull()
  const more = log.waitBeyond(0)
  await commitEach(log, [10])
  await more
  expect((await reader.next())?.lsn).toBe(1)
  expect(await reader.next()).toBeNull()

  const controller = new AbortController()
  const aborted = expect(log.waitBeyond(1, controller.signal)).rejects.toThrow('enough')
  controller.abort(new Error('enough'))
  await aborted
  const closed = expect(log.waitBeyond(1)).rejects.toMatchObject({ code: 'LOG_FAILED' })
  await log.close()
  await closed
})

test('a read that the disk refuses is an error and not damage, and can be tried again', async () => {
  const disk = new MemoryDisk()
  const { log, damages } = await openLog(disk)
  await commitEach(log, [10, 10])
  const reader = log.reader(1)
  disk.fail('read', 'EIO')
  await expect(reader.next()).rejects.toMatchObject({ code: 'EIO' })
  expect((await reader.next())?.lsn).toBe(1)
  expect((await reader.next())?.lsn).toBe(2)
  expect(damages).toEqual([])
})

test('no file stays open after closing, past rotation, failures, reading and release', async () => {
  const disk = new MemoryDisk()
  const { log } = await openLog(disk)
  await commitEach(log, Array(9).fill(150))
  disk.fail('datasync', 'EIO', { times: 2 })
  await expect(commitEach(log, [10])).rejects.toMatchObject({ code: 'LOG_FAILED' })
  await expect(commitEach(log, [10])).rejects.toMatchObject({ code: 'LOG_FAILED' })
  await commitEach(log, [150, 150, 150])
  await readAll(log)
  await log.release(6)
  await log.close()
  expect(disk.openFileCount).toBe(0)
})
