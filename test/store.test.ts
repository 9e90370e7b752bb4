import { expect, test } from 'vitest'
import { createLogger } from '../src/base/log.ts'
import { parseConfig } from '../src/config/config.ts'
import { openStore } from '../src/store.ts'
import { SimulatedClock } from './simulation/clock.ts'
import { imageOf } from './simulation/image.ts'
import { DATA } from './simulation/process.ts'
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
