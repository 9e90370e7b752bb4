import { expect, test } from 'vitest'
import {
  commitEach,
  DIRECTORY,
  lsnsOf,
  openLog,
  payloadOf,
  range,
  readAll,
} from '../support/log-directory.ts'
import { MemoryDisk } from '../support/memory-disk.ts'

test('everything that arrives while a sync runs is synced together by the next one', async () => {
  const disk = new MemoryDisk()
  const { log } = await openLog(disk, { segmentBytes: 1e6 })
  await commitEach(log, [10])
  const before = disk.syncCount
  const release = disk.hold()
  const commits = [10, 20, 30, 40].map((length) => {
    log.append(1, [payloadOf(log.nextLsn, length)])
    return log.commit()
  })
  // The four were asked for in one stretch: they are the first group. Ten more meet its sync.
  await settle()
  for (let i = 0; i < 10; i++) {
    log.append(1, [payloadOf(log.nextLsn, 10)])
    commits.push(log.commit())
  }
  await settle()
  expect(log.committedLsn).toBe(1)
  expect(await lsnsOf(log)).toEqual([1])
  release()
  await Promise.all(commits)
  expect(log.committedLsn).toBe(15)
  expect(disk.syncCount - before).toBe(2)
})

test('what is appended at the last moment belongs to the commit that asked for it', async () => {
  const disk = new MemoryDisk()
  const open = { payload: undefined as Uint8Array | undefined }
  const { log } = await openLog(disk, {
    onCollect: () => {
      if (open.payload) log.append(2, [open.payload])
      open.payload = undefined
    },
  })
  open.payload = Uint8Array.of(1)
  const commit = log.commit()
  // Whoever asked for the commit may still add to the open block before it is taken.
  open.payload = Uint8Array.of(1, 2)
  await commit
  expect(await readAll(log)).toEqual([{ lsn: 1, type: 2, payload: Uint8Array.of(1, 2) }])
  open.payload = Uint8Array.of(3)
  await log.close()
  disk.crash(() => 0.99)
  expect(await lsnsOf((await openLog(disk)).log)).toEqual([1, 2])
})

test('a commit with nothing in it waits for the group that is being written', async () => {
  const disk = new MemoryDisk()
  const { log } = await openLog(disk)
  const release = disk.hold()
  log.append(1, [Uint8Array.of(1)])
  const first = log.commit()
  await settle()
  let isDone = false
  const empty = log.commit().then(() => {
    isDone = true
  })
  await settle()
  expect(isDone).toBe(false)
  release()
  await Promise.all([first, empty])
})

test('F12: after one failed sync all waiters are refused and the log goes on in a new file', async () => {
  const disk = new MemoryDisk()
  const events: string[] = []
  const onFailed = () => events.push(`undo, next is ${log.nextLsn}`)
  const { log } = await openLog(disk, { onFailed, segmentBytes: 1e6 })
  await commitEach(log, [10, 10])
  const release = disk.hold()
  disk.fail('datasync', 'EIO')
  const failing = range(1, 3).map((i) => {
    log.append(1, [Uint8Array.of(i)])
    return log.commit().catch((error) => events.push(error.code))
  })
  await settle()
  log.append(1, [Uint8Array.of(4)])
  failing.push(log.commit().catch((error) => events.push(`${error.code} too`)))
  release()
  await Promise.all(failing)
  const refused = ['LOG_FAILED', 'LOG_FAILED', 'LOG_FAILED', 'LOG_FAILED too']
  expect(events).toEqual(['undo, next is 3', ...refused])
  expect(log).toMatchObject({ committedLsn: 2, nextLsn: 3, isFailed: false })

  await commitEach(log, [20, 20])
  expect((await disk.list(DIRECTORY)).sort()).toEqual([
    '0000000000000001.log',
    '0000000000000003.log',
    'store.json',
  ])
  expect(disk.offences).toEqual([])
  const expected = [10, 10, 20, 20].map((length, i) => payloadOf(i + 1, length))
  expect((await readAll(log)).map(({ payload }) => payload)).toEqual(expected)
  // Also for a process that finds the refused records in the old file, sound as they may be.
  disk.kill()
  const { log: again, damages } = await openLog(disk)
  expect((await readAll(again)).map(({ payload }) => payload)).toEqual(expected)
  expect(damages).toEqual([])
})

test('F13: a sync that never works fails each commit, leaves no files behind and loses nothing', async () => {
  const disk = new MemoryDisk()
  const { log } = await openLog(disk)
  await commitEach(log, [10, 10])
  disk.fail('datasync', 'EIO', { times: Number.POSITIVE_INFINITY })
  for (const isFailed of [false, true, true, true]) {
    await expect(commitEach(log, [10])).rejects.toMatchObject({ code: 'LOG_FAILED' })
    expect(log.isFailed).toBe(isFailed)
  }
  expect((await disk.list(DIRECTORY)).length).toBe(2)
  expect(await lsnsOf(log)).toEqual([1, 2])
  disk.heal()
  await commitEach(log, [10, 10])
  expect(log.isFailed).toBe(false)
  expect(await lsnsOf(log)).toEqual([1, 2, 3, 4])
  expect(disk.offences).toEqual([])
  disk.crash(() => 0.99)
  expect(await lsnsOf((await openLog(disk)).log)).toEqual([1, 2, 3, 4])
})

test('F16: a full disk refuses commits, is read and started on all the same, and recovers', async () => {
  const disk = new MemoryDisk()
  const { log } = await openLog(disk)
  await commitEach(log, [100, 100, 300, 300])
  for (const freeBytes of [0, 40, 90, 150]) {
    disk.freeBytes = freeBytes
    await expect(commitEach(log, [200])).rejects.toMatchObject({ code: 'LOG_FAILED' })
    expect(await lsnsOf(log)).toEqual([1, 2, 3, 4])
  }
  disk.freeBytes = 0
  disk.kill()
  const { log: again } = await openLog(disk)
  expect(await lsnsOf(again)).toEqual([1, 2, 3, 4])
  await expect(commitEach(again, [200])).rejects.toMatchObject({ code: 'LOG_FAILED' })
  disk.freeBytes = 1e6
  await commitEach(again, [200, 200])
  expect(await lsnsOf(again)).toEqual([1, 2, 3, 4, 5, 6])
  expect(disk.offences).toEqual([])
})

test('F12: a failed commit whose records are found sound after the process died stays durable', async () => {
  const disk = new MemoryDisk()
  const { log } = await openLog(disk)
  await commitEach(log, [10])
  disk.fail('datasync', 'EIO')
  await expect(commitEach(log, [10])).rejects.toMatchObject({ code: 'LOG_FAILED' })
  disk.kill()
  // The kernel shows the record, though it never reached the disk. Found once, it must last:
  // the sender's next try counts as a duplicate of it.
  const { log: again } = await openLog(disk)
  expect(await lsnsOf(again)).toEqual([1, 2])
  disk.crash(() => 0.99)
  expect(await lsnsOf((await openLog(disk)).log)).toEqual([1, 2])
})

/** Lets everything happen that does not wait for the disk. */
async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await undefined
}
