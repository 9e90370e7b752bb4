import { expect, test } from 'vitest'
import { runSeed, SeedFailure } from '../simulation/scenario.ts'
import { atScale, isFull } from '../support/fault-scale.ts'

/**
 * `SIM_SEED=7` runs that one alone and tells its story; `SIM_FROM=5000` begins there, and
 * `SIM_COUNT=100` runs so many.
 */
const only = process.env['SIM_SEED']
const first = Number(only ?? process.env['SIM_FROM'] ?? 0)
const many = Number(process.env['SIM_COUNT'] ?? atScale(200, 10_000))
const count = only === undefined ? many : 1
/** A machine that is busy does fewer of them, but never so few. */
const ENOUGH_MS = isFull ? Number.POSITIVE_INFINITY : 20_000
const LEAST = Math.min(count, 40)
const FAILURES_MAX = 20

test('F3: whatever the disk, the way and the receiver do, what was acknowledged arrives in order', {
  timeout: isFull ? 3_600_000 : 120_000,
}, async () => {
  const failures: string[] = []
  const endMs = performance.now() + ENOUGH_MS
  for (let seed = first; seed < first + count && failures.length < FAILURES_MAX; seed++) {
    if (seed >= first + LEAST && performance.now() > endMs) break
    await runSeed(seed).catch((error: unknown) => {
      if (!(error instanceof SeedFailure)) throw error
      failures.push(error.message)
      if (only !== undefined) failures.push(...error.story)
    })
  }
  expect(failures).toEqual([])
})
