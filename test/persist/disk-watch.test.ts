import { expect, test } from 'vitest'
import { DiskWatch } from '../../src/persist/disk-watch.ts'
import type { Log } from '../../src/persist/log.ts'
import { Spare } from '../../src/persist/spare.ts'
import { commitEach, DIRECTORY, lsnsOf, openLog, payloadOf } from '../support/log-directory.ts'
import { MemoryDisk } from '../support/memory-disk.ts'

const PATH = '/data'
const SPARE_BYTES = 1000

async function watched(disk: MemoryDisk, log: Log, quotaBytes?: number) {
  const time = { ms: 0 }
  const events: string[] = []
  const note = (message: string) => events.push(message)
  const logger = { info: note, warn: note, error: note, child: () => logger }
  const clock = { nowMs: () => 0, monotonicMs: () => time.ms, sleep: async () => {} }
  const spare = await Spare.open(disk, `${PATH}/spare`, SPARE_BYTES)
  const paths = { path: PATH, logDirectory: DIRECTORY }
  const watch = await DiskWatch.start({ disk, ...paths, log, spare, quotaBytes, clock, logger })
  const look = (seconds: number) => {
    time.ms += seconds * 1000
    return watch.look()
  }
  return { watch, spare, look, events }
}

test('F15: the quota is 80 % of the file system, follows it, and is what is left when others fill it', async () => {
  const disk = new MemoryDisk()
  const { log } = await openLog(disk, { segmentBytes: 1e6 })
  await commitEach(log, [5000])
  const { watch, look } = await watched(disk, log)
  expect(watch.quotaBytes).toBe(0.8e12)
  expect(watch.refusal()).toBeNull()
  disk.freeBytes = 3000
  await look(1)
  expect(watch.quotaBytes).toBe(log.sizeBytes + 2000)
  expect(watch.refusal()).toBeNull()
  // What the log takes counts at once, and not only when it is looked at.
  await commitEach(log, [2000])
  expect(watch.refusal()).toMatch(/^the disk under \/data is full: make room there/)
  disk.freeBytes = 1e12
  await look(1)
  expect(watch.refusal()).toBeNull()
})

test('a log that has reached its quota takes no more', async () => {
  const { log } = await openLog(new MemoryDisk(), { segmentBytes: 1e6 })
  const { watch } = await watched(new MemoryDisk(), log, 4000)
  await commitEach(log, [3000])
  expect(watch.refusal()).toBeNull()
  await commitEach(log, [3000])
  expect(watch.refusal()).toMatch(/^the log in \/data is full: a destination is behind/)
  expect(watch.isBroken).toBe(false)
})

test('F16: the spare is made when there is room for it, and again when it was given up', async () => {
  const disk = new MemoryDisk()
  const { log } = await openLog(disk)
  const { spare, look } = await watched(disk, log)
  const isMade = async () => {
    await look(1)
    await settle()
    return spare.isThere
  }
  disk.freeBytes = 3 * SPARE_BYTES - 1
  expect(await isMade()).toBe(false)
  disk.freeBytes = 3 * SPARE_BYTES
  expect(await isMade()).toBe(true)
  expect(disk.freeBytes).toBe(2 * SPARE_BYTES)
  await spare.giveUp()
  expect(await isMade()).toBe(true)
})

test('F13: a log that has failed is trusted again when a file of its own can be written and synced', async () => {
  const disk = new MemoryDisk()
  const { log } = await openLog(disk)
  const { watch, look } = await watched(disk, log)
  disk.fail('datasync', 'EIO', { times: Number.POSITIVE_INFINITY })
  for (const refusal of [null, 'the log cannot be written']) {
    await expect(commitEach(log, [10])).rejects.toMatchObject({ code: 'LOG_FAILED' })
    expect(watch.refusal()).toBe(refusal)
  }
  await look(1)
  expect(watch.refusal()).toBe('the log cannot be written')
  disk.heal()
  await look(1)
  expect(watch.refusal()).toBeNull()
  // One more failure says that it was too soon.
  disk.fail('datasync', 'EIO', { within: DIRECTORY })
  await expect(commitEach(log, [10])).rejects.toMatchObject({ code: 'LOG_FAILED' })
  expect(watch.isBroken).toBe(true)
  await look(1)
  await commitEach(log, [10])
  expect(watch.isBroken).toBe(false)
  expect(disk.offences).toEqual([])
  expect((await disk.list(DIRECTORY)).sort()).toEqual(['0000000000000001.log', 'store.json'])
})

test('F14: whoever waits for a sync that is stuck is refused, and what it writes holds all the same', async () => {
  const disk = new MemoryDisk()
  const { log } = await openLog(disk, { segmentBytes: 1e6 })
  const { watch, look } = await watched(disk, log)
  await commitEach(log, [10])
  const release = disk.hold()
  const refused: string[] = []
  const commit = () => {
    log.append(1, [payloadOf(log.nextLsn, 10)])
    return log.commit().catch((error) => refused.push(error.message))
  }
  const stuck = commit()
  await settle()
  const behind = commit()
  await look(0)
  await look(4.9)
  expect(watch.refusal()).toBeNull()
  await look(0.1)
  expect(watch.refusal()).toMatch(/^the disk under \/data has not ended a write for 5 seconds/)
  await Promise.all([stuck, behind])
  expect(refused).toHaveLength(2)
  // Nobody waits any more, and yet it is written, as is what comes while it is stuck.
  const late = commit()
  expect(log.nextLsn).toBe(5)
  release()
  await late
  expect(refused).toHaveLength(2)
  await look(1)
  expect(watch.refusal()).toBeNull()
  expect(await lsnsOf(log)).toEqual([1, 2, 3, 4])
  expect(watch.isBroken).toBe(false)
})

test('F14: a stuck sync that fails in the end undoes what it was to write', async () => {
  const disk = new MemoryDisk()
  const undone: number[] = []
  const { log } = await openLog(disk, { onFailed: () => undone.push(log.nextLsn) })
  const { look } = await watched(disk, log)
  await commitEach(log, [10])
  const release = disk.hold()
  disk.fail('datasync', 'EIO')
  log.append(1, [payloadOf(2, 10)])
  const stuck = expect(log.commit()).rejects.toThrow('not ended a write')
  await settle()
  await look(0)
  await look(5)
  await stuck
  expect(undone).toEqual([])
  release()
  await settle()
  expect(undone).toEqual([2])
  await commitEach(log, [10])
  expect(await lsnsOf(log)).toEqual([1, 2])
})

test('F14: more than a disk can keep up with is refused before it fills the memory', async () => {
  const disk = new MemoryDisk()
  const { log } = await openLog(disk, { segmentBytes: 1e9 })
  const { watch } = await watched(disk, log)
  const payload = new Uint8Array(16 * 1024 ** 2)
  for (let n = 1; n <= 4; n++) {
    expect(watch.refusal()).toBeNull()
    log.append(1, [payload])
  }
  expect(watch.refusal()).toMatch(/is too slow for what comes in/)
})

test('F18: a directory that is gone takes nothing and loses nothing, until it is back', async () => {
  const disk = new MemoryDisk()
  const { log, damages } = await openLog(disk, { segmentBytes: 100 })
  const { watch, look, events } = await watched(disk, log)
  await commitEach(log, [50, 50, 50])
  const files = (await disk.list(DIRECTORY)).map((name) => `${DIRECTORY}/${name}`)
  const move = async (from: string, to: string) => {
    for (const path of files) await disk.rename(from + path, to + path)
  }
  const reader = log.reader(1)
  await move('', '/elsewhere')
  await look(1)
  expect(watch.refusal()).toMatch(/^\/data does not hold this gateway's log any more/)
  expect(events).toEqual(['the data directory is gone: nothing is taken any more'])
  await expect(reader.next()).rejects.toThrow('put it back')
  expect(damages).toEqual([])
  await move('/elsewhere', '')
  await look(1)
  expect(watch.refusal()).toBeNull()
  expect((await reader.next())?.lsn).toBe(1)
  await commitEach(log, [50])
  expect(await lsnsOf(log)).toEqual([1, 2, 3, 4])
  expect(damages).toEqual([])
})

test('F18: another log in its place is not taken for its own', async () => {
  const disk = new MemoryDisk()
  const { log } = await openLog(disk)
  await commitEach(log, [50])
  const { watch, look } = await watched(disk, log)
  const other = Buffer.from(JSON.stringify({ format: 1, store: '0'.repeat(32) }))
  disk.plant(`${DIRECTORY}/store.json`, other)
  await look(1)
  expect(watch.refusal()).toMatch(/does not hold this gateway's log/)
})

test('F18: when the file that is being written is taken away, the next commit begins another', async () => {
  const disk = new MemoryDisk()
  const { log } = await openLog(disk, { segmentBytes: 1e6 })
  const { watch, look } = await watched(disk, log)
  await commitEach(log, [50, 50])
  await disk.remove(`${DIRECTORY}/0000000000000001.log`)
  await look(1)
  expect(watch.refusal()).toBeNull()
  await commitEach(log, [50])
  expect(await disk.list(DIRECTORY)).toContain('0000000000000003.log')
  expect(await lsnsOf(log)).toEqual([3])
})

/** Lets everything happen that does not wait for the disk. */
async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await undefined
}
