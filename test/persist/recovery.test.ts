import { expect, test } from 'vitest'
import type { TornTail } from '../../src/persist/recovery.ts'
import {
  commitEach,
  DIRECTORY,
  lsnsOf,
  openLog,
  range,
  readAll,
  segmentPath,
} from '../support/log-directory.ts'
import { MemoryDisk } from '../support/memory-disk.ts'

test('F4: the last segment cut at any byte of its last three records loses only what is cut', async () => {
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

test('F5: a torn tail is kept beside the segment and told of, and zeros are not', async () => {
  const disk = new MemoryDisk()
  const told: TornTail[] = []
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
    const { damages } = await openLog(disk, { onTornTail: (its) => told.push(its) })
    expect(damages).toEqual([])
    expect(told.splice(0)).toEqual(name === undefined ? [] : [{ path: name, bytes: tail.length }])
    expect(disk.bytesOf(path)).toEqual(sound)
    if (name) expect(disk.bytesOf(name)).toEqual(new Uint8Array(tail))
  }
  expect((await disk.list(DIRECTORY)).length).toBe(4)
})

test('F5: a torn tail that cannot be kept for want of room is not cut, and not read either', async () => {
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

test('F6: one flipped bit costs one record, which is reported once, and the others are read', async () => {
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

test('F7: a segment that is gone is reported as a gap, and reading goes on behind it', async () => {
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

test('F7: a segment of another store is not read, and is out of the way when its name is needed', async () => {
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

test('F6: one flipped bit in the file that names the store costs nothing', async () => {
  const disk = new MemoryDisk()
  const { log } = await openLog(disk)
  await commitEach(log, [50, 33])
  await log.close()
  const path = `${DIRECTORY}/store.json`
  const store = disk.bytesOf(path)
  for (let bit = 0; bit < store.length * 8; bit++) {
    const flipped = store.slice()
    flipped[bit >> 3]! ^= 1 << (bit & 7)
    disk.plant(path, flipped)
    const { log: found, damages } = await openLog(disk)
    expect(await lsnsOf(found)).toEqual([1, 2])
    expect(damages).toEqual([])
    await found.close()
  }
})

test('F47: a log of a newer format is refused and nothing of it is touched', async () => {
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
