import { expect, test } from 'vitest'
import { planOf, runSeed } from '../simulation/scenario.ts'
import { atScale, isFull } from '../support/fault-scale.ts'

const only = process.env['SIM_SEED']
const from = Number(process.env['SIM_FROM'] ?? 0)
const seeds =
  only === undefined
    ? Array.from({ length: atScale(300, 10_000) }, (_, i) => from + i)
    : [Number(only)]

test('F3: after any crashes of a disk that keeps what it likes, all that was acknowledged arrives', {
  timeout: isFull ? 3_600_000 : 600_000,
}, async () => {
  const failed: string[] = []
  const startMs = performance.now()
  for (const seed of seeds) {
    await runSeed(seed).catch((error: Error) => {
      failed.push(`SIM_SEED=${seed} ${JSON.stringify(planOf(seed))}: ${error.message.slice(0, 300)}`)
    })
    if (failed.length === 20) break
  }
  console.log((performance.now() - startMs) / seeds.length)
  expect(failed).toEqual([])
})
