import { expect, test } from 'vitest'
import { Simulation } from './simulation.ts'

test('SIM_SEED=9530: where a start is tried again, no second process runs beside it', async () => {
  const simulation = new Simulation({ seed: 1 })
  const { clock, disk, story } = simulation
  disk.fail('open', 'EIO', { within: 'log/store' })
  simulation.start()
  await clock.pass(500)
  expect(simulation.failures).toHaveLength(1)
  // The power is cut now, and whoever brings it back is slower than the next try.
  simulation.end('crash')
  const process = await simulation.started()
  simulation.start()
  await clock.pass(5_000)
  expect(simulation.process).toBe(process)
  expect(story.filter((event) => event.endsWith('start'))).toHaveLength(2)
})
