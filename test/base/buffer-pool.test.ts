import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BufferPool } from '../../src/base/buffer-pool.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)

test('no two pieces that are lent share memory, and each has the length that was asked for', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('take' as const), length: fc.nat(40_000) }),
    fc.record({ kind: fc.constant('give' as const), which: fc.nat(20) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), fc.nat(200_000), (steps, keptBytesMax) => {
      const pool = new BufferPool(keptBytesMax)
      const lent: { bytes: Uint8Array; mark: number }[] = []
      for (const [i, next] of steps.entries()) {
        if (next.kind === 'take') {
          const bytes = pool.take(next.length)
          expect(bytes.length).toBe(next.length)
          lent.push({ bytes: bytes.fill(i), mark: i })
        } else if (lent.length > 0) {
          const [given] = lent.splice(next.which % lent.length, 1)
          pool.give(given!.bytes)
        }
        for (const { bytes, mark } of lent) expect(bytes.every((byte) => byte === mark)).toBe(true)
      }
    }),
    { numRuns },
  )
})

test('what is given back is lent again, a part of it is enough, and once', () => {
  const pool = new BufferPool(1_000_000)
  const first = pool.take(5_000)
  pool.give(first.subarray(88))
  pool.give(first)
  const [second, third] = [pool.take(6_000), pool.take(6_000)]
  expect(second.buffer).toBe(first.buffer)
  expect(third.buffer).not.toBe(first.buffer)
})

test('no more is kept than was said, and nothing that is not its own', () => {
  const pool = new BufferPool(10_000)
  const [first, second] = [pool.take(8_000), pool.take(8_000)]
  const strange = new Uint8Array(8_192)
  for (const bytes of [strange, first, second]) pool.give(bytes)
  expect(pool.take(8_000).buffer).toBe(first.buffer)
  expect([strange.buffer, second.buffer]).not.toContain(pool.take(8_000).buffer)
})
