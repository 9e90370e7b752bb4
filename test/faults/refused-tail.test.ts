import { expect, test } from 'vitest'
import { pushOne } from '../simulation/image.ts'
import { POISON } from '../simulation/receiver.ts'
import { Simulation } from '../simulation/simulation.ts'

for (const speaks2 of [true, false]) {
  const version = speaks2 ? '2.0' : '1.0'
  test(`F10: after a crash a last block that is refused as a whole holds nobody up, in ${version}`, async () => {
    const simulation = new Simulation({ seed: 1, speaks2 })
    simulation.start()
    await simulation.started()
    for (let i = 0; i < 3; i++) await pushOne(simulation, i)
    await simulation.clock.pass(3_000)
    simulation.receiver.mode = 'down'
    const samples = [{ value: 1, timestamp: simulation.clock.world.nowMs() }]
    const pushed = simulation.push([{ labels: { __name__: 'bad', [POISON]: 'yes' }, samples }])
    await simulation.clock.pass(400)
    expect(await pushed).toBe(true)
    simulation.end('kill')

    // What was learnt of the series is gone, so all that is new waits for that block.
    simulation.start()
    const process = await simulation.started()
    simulation.receiver.mode = 'well'
    for (let i = 3; i < 6; i++) await pushOne(simulation, i)
    const hasAll = () => simulation.receiver.ids.size === 18
    expect(await simulation.clock.passUntil(hasAll, 120_000)).toBe(true)
    await simulation.drain()
    await simulation.expectAll(process)
    expect(process.balance().destinations[0]).toMatchObject({ quarantined: 1, waiting: 0 })
  })
}
