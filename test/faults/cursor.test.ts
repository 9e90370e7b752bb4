import { expect, test } from 'vitest'
import {
  changed,
  expectSettled,
  imageOf,
  pushOne,
  revived,
  segmentsOf,
} from '../simulation/image.ts'
import { Simulation } from '../simulation/simulation.ts'
import { atScale } from '../support/fault-scale.ts'

const LONG = { timeout: 600_000 }
const CURSOR = '/data/cursors/central'
const SLOT_BYTES = 4096

/** A gateway that has delivered all of eight pushes, and was killed at once. */
async function delivered(options: { speaks2?: boolean; restMs?: number }): Promise<Simulation> {
  const { speaks2 = true, restMs = 5_000 } = options
  const simulation = new Simulation({ seed: 1, speaks2 })
  simulation.start()
  await simulation.started()
  for (let i = 0; i < 8; i++) await pushOne(simulation, i)
  const hasAll = () => simulation.receiver.ids.size === 24
  expect(await simulation.clock.passUntil(hasAll, 60_000, 5)).toBe(true)
  await simulation.clock.pass(restMs)
  simulation.end('kill')
  return simulation
}

async function startAgain(simulation: Simulation) {
  simulation.start()
  const process = await simulation.drain()
  await simulation.expectAll(process)
  expect(await simulation.clock.until(process.quarantined())).toEqual([])
  await expectSettled({ simulation, process, arrived: [] }, 0)
}

test(
  'F9: with one slot of the cursor torn the other one counts, and with both all is sent again',
  LONG,
  async () => {
    for (const slots of [[], [0], [1], [0, 1]]) {
      for (const filling of [0, 0xa7]) {
        const simulation = await delivered({})
        const bytes = simulation.disk.bytesOf(CURSOR)
        for (const slot of slots) {
          bytes.fill(filling, slot * SLOT_BYTES + 10, (slot + 1) * SLOT_BYTES)
        }
        simulation.disk.plant(CURSOR, bytes)
        await startAgain(simulation)
        const { repeats } = simulation.receiver
        if (slots.length === 0) expect(repeats).toBe(0)
        // What the one slot lags behind the other.
        else if (slots.length === 1) expect(repeats).toBeLessThanOrEqual(6)
        else expect(repeats).toBe(24)
      }
    }
  },
)

test(
  'F10: what was delivered just before a crash is sent again, and nothing of it is set aside',
  LONG,
  async () => {
    for (const speaks2 of [true, false]) {
      const simulation = await delivered({ speaks2, restMs: 0 })
      await startAgain(simulation)
      // Or the crash was no test of it.
      expect(simulation.receiver.repeats).toBeGreaterThan(0)
      expect(simulation.receiver.ids.size).toBe(27)
    }
  },
)

test(
  'F11: a segment that should be gone does no harm, nor does one that is gone too early',
  LONG,
  async () => {
    const image = await imageOf({ pushes: 12, yaml: 'quota: 5KiB', isDelivered: true })
    const old = await imageOf({ pushes: 12, yaml: 'quota: 5KiB' })
    const paths = segmentsOf(image)
    expect(paths.length).toBeGreaterThan(2)
    // The cursor is behind them, and they are still there: nothing is sent again.
    const late = await revived(image)
    expect(late.simulation.receiver.ids.size).toBe(0)
    await expectSettled(late, 0)
    // They are gone, and the cursor has not moved: what lies between is told, and not waited for.
    const early = { ...image, files: new Map(image.files).set(CURSOR, old.files.get(CURSOR)!) }
    const revival = await revived(
      paths.slice(0, -1).reduce((all, path) => changed(all, path), early),
    )
    const there = revival.arrived.filter(Boolean).length
    await expectSettled(revival, (12 - there) * 3)
  },
)

test(
  'F11: a power cut at any call to the disk on the way from push to unlink loses nothing',
  LONG,
  async () => {
    let cuts = 0
    for (let cutAt = 1; ; cutAt += atScale(3.5, 0.5)) {
      const simulation = new Simulation({
        seed: cutAt,
        yaml: 'quota: 4KiB',
        speaks2: cutAt % 2 === 0,
      })
      simulation.cutAt = cutAt
      simulation.start()
      for (let i = 0; i < 25; i++) {
        await simulation.clock.pass(400)
        const samples = [{ value: i, timestamp: simulation.clock.world.nowMs() }]
        void simulation.push([{ labels: { __name__: 'a' }, samples }])
      }
      await simulation.clock.pass(5_000)
      if (simulation.diskCalls < cutAt) break
      cuts += 1
      const process = await simulation.drain()
      await simulation.expectAll(process)
      expect(process.balance().destinations[0]).toMatchObject({ damaged: 0, quarantined: 0 })
    }
    expect(cuts).toBeGreaterThan(atScale(25, 200))
  },
)
