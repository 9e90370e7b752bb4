import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { nodeDisk } from '../../src/base/disk.ts'
import { Log } from '../../src/persist/log.ts'
import {
  commitEach,
  DIRECTORY,
  lsnsOf,
  openLog,
  payloadOf,
  range,
  readAll,
  segmentPath,
} from '../support/log-directory.ts'
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

test('after one failed sync all waiters are refused and the log goes on in a new file', async () => {
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

test('a sync that never works fails each commit, leaves no files behind and loses nothing', async () => {
  const disk = new MemoryDisk()
  const { log } = await openLog(disk)
  await commitEach(log, [10, 10])
  disk.fail('datasync', 'EIO', { times: Number.POSITIVE_INFINITY })
  for (const isFailed of [false, true, true, true]) {
    await expect(commitEach(log, [10])).rejects.toMatchObject({ code: 'LOG_FAILED' })
    expect(log.isFailed).toBe(isFailed)
  }
  expect((await disk.list(DIRECTORY)).length).toBe(3)
  expect(await lsnsOf(log)).toEqual([1, 2])
  disk.heal()
  await commitEach(log, [10, 10])
  expect(log.isFailed).toBe(false)
  expect(await lsnsOf(log)).toEqual([1, 2, 3, 4])
  expect(disk.offences).toEqual([])
  disk.crash(() => 0.99)
  expect(await lsnsOf((await openLog(disk)).log)).toEqual([1, 2, 3, 4])
})

test('a full disk refuses commits, is read and started on all the same, and recovers', async () => {
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

test('a failed commit whose records are found sound after the process died stays durable', async () => {
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

test('the last segment cut at any byte of its last three records loses only what is cut', async () => {
  const disk = new MemoryDisk()
  const { log } = await openLog(disk, { segmentBytes: 1e6 })
  await commitEach(log, [50, 0, 33, 21, 40])
  await log.close()
  const path = segmentPath(1)
  const whole = disk.bytesOf(path)
  const ends = [50, 0, 33, 21, 40].map((_, i, all) =>
    all.slice(0, i + 1).reduce((end, length) => end + 32 + length, 64),
  )
  for (let length = ends[1]!; length <= whole.length; length++) {
    disk.plant(path, whole.subarray(0, length))
    const { log: cut, damages } = await openLog(disk)
    const kept = ends.filter((end) => end <= length).length
    expect(await lsnsOf(cut)).toEqual(range(1, kept))
    expect(damages).toEqual([])
    expect(disk.bytesOf(path).length).toBe(ends[kept - 1])
    await commitEach(cut, [7])
    expect(await lsnsOf(cut)).toEqual(range(1, kept + 1))
    await cut.close()
    await disk.remove(segmentPath(kept + 1))
  }
})

test('a torn tail is kept beside the segment, and zeros are not', async () => {
  const disk = new MemoryDisk()
  const { log } = await openLog(disk)
  await commitEach(log, [50])
  await log.close()
  const path = segmentPath(1)
  const sound = disk.bytesOf(path)
  for (const [tail, name] of [
    [new Uint8Array(700), undefined],
    [new Uint8Array(512).fill(0xee), `${path}.torn-1`],
    [Uint8Array.of(0, 0, 1), `${path}.torn-2`],
  ] as const) {
    disk.plant(path, Buffer.concat([sound, tail]))
    const { damages } = await openLog(disk)
    expect(damages).toEqual([])
    expect(disk.bytesOf(path)).toEqual(sound)
    if (name) expect(disk.bytesOf(name)).toEqual(new Uint8Array(tail))
  }
  expect((await disk.list(DIRECTORY)).length).toBe(4)
})

test('a torn tail that cannot be kept for want of room is not cut, and not read either', async () => {
  const disk = new MemoryDisk()
  const { log } = await openLog(disk)
  await commitEach(log, [50])
  await log.close()
  const torn = Buffer.concat([disk.bytesOf(segmentPath(1)), new Uint8Array(300).fill(7)])
  disk.plant(segmentPath(1), torn)
  disk.freeBytes = 0
  const { log: again } = await openLog(disk)
  expect(disk.bytesOf(segmentPath(1))).toEqual(new Uint8Array(torn))
  disk.freeBytes = 1e6
  await commitEach(again, [10])
  const { log: third, damages } = await openLog(disk)
  expect(await lsnsOf(third)).toEqual([1, 2])
  expect(damages).toEqual([])
})

test('one flipped bit costs one record, which is reported once, and the others are read', async () => {
  const lengths = [50, 60, 70, 80, 90, 100, 110, 120]
  const whole = new MemoryDisk()
  const { log } = await openLog(whole, { segmentBytes: 450 })
  await commitEach(log, lengths)
  await log.close()
  const paths = (await whole.list(DIRECTORY)).sort().map((name) => `${DIRECTORY}/${name}`)
  expect(paths.length).toBe(4)
  for (const path of paths.slice(0, 3)) {
    const size = whole.bytesOf(path).length
    for (let bit = 0; bit < size * 8; bit += 37) {
      const disk = new MemoryDisk()
      for (const one of paths) disk.plant(one, whole.bytesOf(one))
      const bytes = whole.bytesOf(path)
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      disk.plant(path, bytes)
      const { log: rotten, damages } = await openLog(disk)
      const lsns = await lsnsOf(rotten)
      await readAll(rotten)
      // The very last record is alone in having nothing behind it that tells it from a torn one.
      const isTail = rotten.nextLsn === lengths.length
      expect(damages.length).toBe(isTail ? 0 : 1)
      const lost = isTail ? [8] : range(damages[0]!.fromLsn, damages[0]!.toLsn)
      expect(lost.length).toBe(bit >> 3 < 64 ? 0 : 1)
      expect(lsns).toEqual(range(1, 8).filter((lsn) => !lost.includes(lsn)))
      expect(disk.bytesOf(path).length).toBeGreaterThan(isTail ? 0 : size - 1)
    }
  }
})

test('a segment that is gone is reported as a gap, and reading goes on behind it', async () => {
  for (const isBeforeOpen of [true, false]) {
    const disk = new MemoryDisk()
    const first = await openLog(disk)
    await commitEach(first.log, Array(9).fill(150))
    const paths = (await disk.list(DIRECTORY)).sort().map((name) => `${DIRECTORY}/${name}`)
    expect(paths.slice(0, 3)).toEqual([segmentPath(1), segmentPath(3), segmentPath(5)])
    if (isBeforeOpen) await first.log.close()
    await disk.remove(segmentPath(3))
    const { log, damages } = isBeforeOpen ? await openLog(disk) : first
    expect(await lsnsOf(log)).toEqual([1, 2, 5, 6, 7, 8, 9])
    expect(damages).toMatchObject([{ fromLsn: 3, toLsn: 4, bytes: 0, reason: 'missing' }])
  }
})

test('a segment of another store is not read, and is out of the way when its name is needed', async () => {
  const strangers = new MemoryDisk()
  const { log: theirs } = await openLog(strangers)
  await commitEach(theirs, Array(9).fill(150))
  const disk = new MemoryDisk()
  const { log: ours } = await openLog(disk)
  await commitEach(ours, [150, 150, 151, 151])
  await ours.close()
  disk.plant(segmentPath(3), strangers.bytesOf(segmentPath(3)))
  disk.plant(segmentPath(5), strangers.bytesOf(segmentPath(5)))
  disk.plant(segmentPath(2), disk.bytesOf(segmentPath(1)))
  const { log, damages } = await openLog(disk)
  expect(damages.map(({ fromLsn, reason }) => [fromLsn, reason])).toEqual([
    [2, 'foreign segment'],
    [3, 'foreign segment'],
    [5, 'foreign segment'],
  ])
  expect(await lsnsOf(log)).toEqual([1, 2])
  await commitEach(log, [300, 300, 300])
  expect((await readAll(log)).map(({ payload }) => payload.length)).toEqual([
    150, 150, 300, 300, 300,
  ])
  expect(disk.bytesOf(`${segmentPath(5)}.foreign`)).toEqual(strangers.bytesOf(segmentPath(5)))
})

test('a lost store file is made again from the segments', async () => {
  const disk = new MemoryDisk()
  const { log } = await openLog(disk)
  await commitEach(log, [300, 300, 300])
  await log.close()
  const store = disk.bytesOf(`${DIRECTORY}/store.json`)
  disk.plant(`${DIRECTORY}/store.json`, new TextEncoder().encode('{"format":1,'))
  const { log: again, damages } = await openLog(disk)
  expect(await lsnsOf(again)).toEqual([1, 2, 3])
  expect(damages).toEqual([])
  expect(disk.bytesOf(`${DIRECTORY}/store.json`)).toEqual(store)
})

test('a log of a newer format is refused and nothing of it is touched', async () => {
  const disk = new MemoryDisk()
  const { log } = await openLog(disk)
  await commitEach(log, [50])
  await log.close()
  const torn = Buffer.concat([disk.bytesOf(segmentPath(1)), Uint8Array.of(1, 2, 3)])
  disk.plant(segmentPath(1), torn)
  const newerStore = new TextEncoder().encode('{"format":2,"name":"of a kind we do not know"}')
  disk.plant(`${DIRECTORY}/store.json`, newerStore)
  const refusal = { code: 'LOG_FORMAT', message: expect.stringContaining('nothing was changed') }
  await expect(openLog(disk)).rejects.toMatchObject(refusal)
  expect(disk.bytesOf(segmentPath(1))).toEqual(new Uint8Array(torn))
  expect((await disk.list(DIRECTORY)).length).toBe(2)
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

/** Lets everything happen that does not wait for the disk. */
async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await undefined
}
