import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { nodeDisk, withoutSync } from '../../src/base/disk.ts'
import { createLogger } from '../../src/base/log.ts'
import { Losses } from '../../src/destinations/losses.ts'
import { openQuarantine } from '../../src/destinations/open-quarantine.ts'
import { Ledger } from '../../src/persist/ledger.ts'
import { POISON, type SampleId } from '../simulation/receiver.ts'
import { Simulation } from '../simulation/simulation.ts'

const LONG = { timeout: 120_000 }
const QUARANTINE = '/data/quarantine/central/'

const isBad = (id: SampleId) => id.includes(POISON)

/** A gateway whose receiver has refused a sample of each of `count` pushes. */
async function withRefused(count: number): Promise<Simulation> {
  const simulation = new Simulation({ seed: 1 })
  simulation.start()
  await simulation.started()
  for (let i = 0; i < count; i++) {
    await simulation.clock.pass(1_000)
    const samples = [{ value: i, timestamp: simulation.clock.world.nowMs() }]
    for (const labels of [{ __name__: 'good' }, { __name__: 'bad', [POISON]: String(i) }]) {
      expect(await simulation.push([{ labels, samples }])).toBe(true)
      // By itself, so that nothing that was taken lies in quarantine with it.
      await simulation.drain()
    }
  }
  return simulation
}

test(
  'F48: a quarantine that is full makes room by its oldest entries, and tells the ledger',
  LONG,
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'sluice-quarantine-'))
    const disk = withoutSync(nodeDisk)
    const logger = createLogger({ level: 'silent' })
    const ledger = new Ledger(disk, join(directory, 'losses'))
    const losses = new Losses('central', { ledger, clock: systemClock, logger })
    const parts = { disk, directory, logger, losses }
    const { quarantine, close } = await openQuarantine('central', parts)
    try {
      const head = { cluster: 'default', receivedMs: 1, refusedMs: 2, attempts: 0 }
      const why = { class: 'refused', reason: 'no', series: null }
      const lost = { samples: 3, histograms: 0, exemplars: 0 }
      for (let block = 1; block <= 10_004; block++) {
        await quarantine.add({ ...head, ...why, block, lost }, Buffer.from('message'))
      }
      expect(quarantine.size).toBe(10_000)
      expect(quarantine.held.samples + quarantine.discarded.samples).toBe(3 * 10_004)
      const told = (await ledger.newest()).map(({ kind, samples, fromBlock }) => ({
        kind,
        samples,
        fromBlock,
      }))
      const loss = { kind: 'discarded', samples: 3 }
      expect(told).toEqual([1, 2, 3, 4].map((fromBlock) => ({ ...loss, fromBlock })))
    } finally {
      await close()
      await rm(directory, { recursive: true, force: true })
    }
  },
)

test(
  'F48: an entry that is damaged costs its own samples, which are in the ledger',
  LONG,
  async () => {
    const simulation = await withRefused(4)
    simulation.end('kill')
    const [path, bytes] = [...simulation.disk.files()].find(
      ([name]) => name.startsWith(QUARANTINE) && name.endsWith('.log'),
    )!
    const heads = [
      ...Buffer.from(bytes)
        .toString('latin1')
        .matchAll(/"block":(\d+),"receivedMs"/g),
    ]
    // The last one, which nothing but its seal follows.
    const block = Number(heads[3]![1])
    bytes[heads[3]!.index]! ^= 1
    simulation.disk.plant(path, bytes)
    simulation.start()
    const process = await simulation.drain()
    await simulation.expectAll(process, 1)
    expect((await simulation.clock.until(process.quarantined())).filter(isBad).length).toBe(3)
    const losses = await simulation.clock.until(process.losses())
    expect(losses).toMatchObject([
      { kind: 'damaged', samples: 1, fromBlock: block, toBlock: block },
    ])
    expect(process.balance().destinations[0]).toMatchObject({ quarantined: 3, difference: 0 })
  },
)

test(
  'F48: what is replayed from quarantine arrives beside live samples, which stay in order',
  LONG,
  async () => {
    const simulation = await withRefused(12)
    const { clock, receiver } = simulation
    const process = simulation.process!
    receiver.refuses = false
    const replayed = process.replayAll()
    for (let i = 0; i < 20; i++) {
      await clock.pass(20)
      const samples = [{ value: 100 + i, timestamp: clock.world.nowMs() }]
      void simulation.push([{ labels: { __name__: 'good' }, samples }])
    }
    await clock.until(replayed)
    await simulation.drain()
    await simulation.expectAll(process)
    expect(await clock.until(process.quarantined())).toEqual([])
    expect([...receiver.ids].filter(isBad).length).toBe(12)
    const balance = { forwarded: receiver.ids.size, quarantined: 0, discarded: 0, maybeStored: 0 }
    expect(process.balance().destinations[0]).toMatchObject({ ...balance, difference: 0 })
  },
)
