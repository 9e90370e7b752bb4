import fc from 'fast-check'
import { expect, test } from 'vitest'
import { editDistance, nearest } from '../../src/base/nearest.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)
const KEYS = ['listen', 'storage', 'remote_write', 'dedup']

test.for([
  ['lisen', 'listen'],
  ['Storage', 'storage'],
  ['remote-wirte', 'remote_write'],
  ['cache', null],
  ['', null],
] as const)('"%s" was meant to be %s', ([word, meant]) => {
  expect(nearest(word, KEYS)).toBe(meant)
})

test('a distance is 0 for equal words alone, the same both ways, and never above the longer', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 8 })
  fc.assert(
    fc.property(word, word, (one, other) => {
      const distance = editDistance(one, other)
      expect(distance === 0).toBe(one === other)
      expect(editDistance(other, one)).toBe(distance)
      expect(distance).toBeLessThanOrEqual(Math.max(one.length, other.length))
    }),
    { numRuns },
  )
})
