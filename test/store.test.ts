import { crc32 } from 'node:zlib'
import { expect, test } from 'vitest'
import type { Disk } from '../src/base/disk.ts'
import { createLogger } from '../src/base/log.ts'
import { parseConfig } from '../src/config/config.ts'
import { openStore } from '../src/store.ts'
import { snappy } from '../src/wire/snappy.ts'
import { SimulatedClock } from './simulation/clock.ts'
import { imageOf, pushOne, segmentsOf } from './simulation/image.ts'
import { DATA, type SimulatedProcess, startProcess } from './simulation/process.ts'
import { Simulation } from './simulation/simulation.ts'
import { slowDisk } from './simulation/slow-disk.ts'
import { MemoryDisk } from './support/memory-disk.ts'
import { rw2Of } from './support/remote-write.ts'

test('whatever call to the disk fails, a store opens, or says so and leaves nothing open', async () => {
  const { files } = await imageOf()
  const { config } = parseConfig(
    `storage: { path: ${DATA} }\ndedup: { max_series: 1000 }`,
    'a.yaml',
  )
  const failures = new Set<string>()
  let calls = 0
  // From one of them on all fail, as on a disk that is gone.
  for (let first = 0; first === 0 || calls >= first; first++) {
    const disk = new MemoryDisk()
    for (const [path, bytes] of files) disk.plant(path, bytes)
    calls = 0
    const fail = async () => {
      calls += 1
      if (calls > first) throw Object.assign(new Error('i/o error'), { code: 'EIO' })
    }
    const stops: (() => Promise<unknown>)[] = []
    const parts = {
      clock: new SimulatedClock().world,
      disk: slowDisk(disk.session(), fail),
      log: createLogger({ level: 'silent' }),
      lock: async () => ({ release: async () => {} }),
    }
    const opened = openStore(config, parts, stops)
    await opened.catch(({ message }: Error) => failures.add(message))
    for (const stop of stops.reverse()) await stop().catch(() => undefined)
  }
  // Also one that comes when the log is open already.
  expect(failures).toContain('i/o error')
  expect([...failures].join()).toContain('cannot open the log')
})

test('what makes room for pushes takes nothing along that the saved table does not know', async () => {
  for (const freeBytes of [0, 1_000]) {
    const simulation = new Simulation({ seed: 1, yaml: 'quota: 24KiB' })
    const { clock, disk, receiver } = simulation
    simulation.start()
    await simulation.started()
    const timestamp = clock.world.nowMs()
    const early = [{ labels: { __name__: 'early' }, samples: [{ value: 1, timestamp }] }]
    const pushEarly = () => clock.until(simulation.push(early))
    expect(await pushEarly()).toBe(true)
    for (let i = 0; i < 40; i++) await pushOne(simulation, i)
    const [oldest] = segmentsOf({ files: disk.files() })
    // Others fill the disk, before the table is saved for the first time.
    disk.freeBytes = freeBytes
    await clock.pass(3_000)
    expect(segmentsOf({ files: disk.files() })).not.toContain(oldest)
    simulation.end('crash')
    disk.freeBytes = Number.POSITIVE_INFINITY
    simulation.start()
    await simulation.started()
    expect(await pushEarly()).toBe(true)
    await simulation.expectAll(await simulation.drain())
    expect(receiver.repeats).toBe(0)
  }
})

const seriesAt = (timestamp: number) => [
  { labels: { __name__: 's' }, samples: [{ value: 1, timestamp }] },
]

test('a series that a block is changing while the table is saved is known when the block fails', async () => {
  const simulation = new Simulation({ seed: 1 })
  const { clock, disk, receiver } = simulation
  let log: PromiseWithResolvers<void> | undefined
  const syncing = withSync(disk.session(), (path) =>
    path.includes('/log/') ? log?.promise : undefined,
  )
  const life = { isOver: false }
  const process = await clock.until(startProcess(simulation, syncing, life))
  const push = (of: Pick<SimulatedProcess, 'push'>, timestamp: number) =>
    of.push(snappy.compress(rw2Of(seriesAt(timestamp))))
  const early = clock.world.nowMs()
  expect(await clock.until(push(process, early))).toMatchObject({ kind: 'accepted' })
  // The table is saved a minute after the start.
  await clock.pass(60_000 - clock.elapsedMs - 50)
  log = Promise.withResolvers()
  const late = push(process, clock.world.nowMs())
  await clock.pass(500)
  log.reject(Object.assign(new Error('i/o error'), { code: 'EIO' }))
  log = undefined
  expect(await clock.until(late)).toMatchObject({ kind: 'backlogged' })
  await clock.pass(500)
  expect(disk.files().has(`${DATA}/series-table`)).toBe(true)
  life.isOver = true
  // Of writes nothing survives that was not synced.
  disk.crash(() => 0.4)
  receiver.doubtUnderWay()
  simulation.start()
  await simulation.started()
  expect(await clock.until(push(simulation.process!, early))).toMatchObject({ kind: 'accepted' })
  await simulation.drain()
  expect(receiver.repeats).toBe(0)
})

test('a table that is ahead of the log is saved anew before numbers are given out again', async () => {
  const simulation = new Simulation({ seed: 1 })
  const { clock, disk, receiver } = simulation
  simulation.start()
  await simulation.started()
  await pushOne(simulation, 0)
  await clock.until(simulation.stop())
  const path = `${DATA}/series-table`
  const table = Buffer.from(disk.bytesOf(path))
  table.writeDoubleLE(table.readDoubleLE(24) + 5, 24)
  table.writeUInt32LE(crc32(table.subarray(0, 60)), 60)
  disk.plant(path, table)
  const timestamp = clock.world.nowMs()
  for (let life = 0; life < 2; life++) {
    simulation.start()
    await simulation.started()
    expect(await clock.until(simulation.push(seriesAt(timestamp)))).toBe(true)
    // Delivered, and the cursor knows.
    await clock.pass(5_000)
    simulation.end('kill')
  }
  await simulation.drain()
  expect(receiver.repeats).toBe(0)
})

/** A disk on which syncs of some files wait for something, and fail with it. */
function withSync(disk: Disk, wait: (path: string) => Promise<void> | undefined): Disk {
  return {
    ...disk,
    open: async (path, mode) => {
      const file = await disk.open(path, mode)
      const datasync = async () => {
        await wait(path)
        await file.datasync()
      }
      return { ...file, datasync }
    },
  }
}
