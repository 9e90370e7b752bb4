import fc from 'fast-check'
import { expect, test } from 'vitest'
import { backoffMs, PAUSE_BACKOFF, RETRY_BACKOFF } from '../../src/forward/backoff.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)
const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const options = fc.constantFrom(RETRY_BACKOFF, PAUSE_BACKOFF)

test('a delay lies within a tenth of 30 ms doubled once per attempt, and of 5 s at most', () => {
  fc.assert(
    fc.property(fc.nat(2000), chance, (attempt, random) => {
      const middleMs = attempt > 7 ? 5000 : 30 * 2 ** attempt
      const delayMs = backoffMs(attempt, RETRY_BACKOFF, random, 0)
      expect(Math.abs(delayMs - middleMs)).toBeLessThanOrEqual(middleMs * 0.1 + 1e-9)
    }),
    { numRuns },
  )
})

test('no delay is shorter than four fifths of the one before it', () => {
  fc.assert(
    fc.property(options, fc.nat(100), chance, chance, (backoff, attempt, one, other) => {
      const before = backoffMs(attempt, backoff, one, 0)
      expect(backoffMs(attempt + 1, backoff, other, 0)).toBeGreaterThanOrEqual(before * 0.8)
    }),
    { numRuns },
  )
})

test('F22: a receiver that says when is never asked earlier, nor more than a tenth later', () => {
  fc.assert(
    fc.property(fc.nat(50), chance, fc.integer({ min: 1, max: 300_000 }), (attempt, random, ms) => {
      const delayMs = backoffMs(attempt, RETRY_BACKOFF, random, ms)
      expect(delayMs).toBeGreaterThanOrEqual(ms)
      expect(delayMs).toBeLessThanOrEqual(ms * 1.1)
    }),
    { numRuns },
  )
})
