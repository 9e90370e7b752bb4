import { expect, test } from 'vitest'
import { createLogger } from '../src/base/log.ts'
import { parseConfig } from '../src/config/config.ts'
import { openStore } from '../src/store.ts'
import { SimulatedClock } from './simulation/clock.ts'
import { imageOf, pushOne, segmentsOf } from './simulation/image.ts'
import { DATA } from './simulation/process.ts'
import { Simulation } from './simulation/simulation.ts'
import { slowDisk } from './simulation/slow-disk.ts'
import { MemoryDisk } from './support/memory-disk.ts'

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
