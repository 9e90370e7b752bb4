import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PERMIT_BYTES, type Permit, Permits } from '../../src/receive/permit.ts'

const KIB = 1024
/** What every request costs besides its body. */
const REQUEST_BYTES = 16 * KIB
const numRuns = Number(process.env['FC_RUNS'] ?? 100)

const step = fc.oneof(
  fc.record({ do: fc.constant('take' as const), bytes: fc.nat(200 * KIB) }),
  fc.record({ do: fc.constant('grow' as const), which: fc.nat(9), bytes: fc.nat(200 * KIB) }),
  fc.record({ do: fc.constant('release' as const), which: fc.nat(9) }),
)

test('what is in use is what the open permits hold, and never more than the limit', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const permits = new Permits(512 * KIB)
      const open: { permit: Permit; bytes: number }[] = []
      let refused = 0
      const held = () => open.reduce((sum, { bytes }) => sum + bytes, 0)
      const fits = (bytes: number) => held() + bytes <= 512 * KIB

      for (const each of steps) {
        if (each.do === 'take') {
          const isThereRoom = fits(each.bytes + REQUEST_BYTES)
          const permit = permits.take(each.bytes)
          expect(permit !== null).toBe(isThereRoom)
          if (permit === null) refused += 1
          else open.push({ permit, bytes: each.bytes + REQUEST_BYTES })
        } else if (open.length > 0) {
          const at = each.which % open.length
          const one = open[at]!
          if (each.do === 'grow') {
            const isThereRoom = fits(each.bytes)
            expect(one.permit.grow(each.bytes)).toBe(isThereRoom)
            if (isThereRoom) one.bytes += each.bytes
            else refused += 1
          } else {
            one.permit.release()
            open.splice(at, 1)
          }
        }
        expect(permits.inUseBytes).toBe(held())
        expect(permits.inUseBytes).toBeLessThanOrEqual(permits.limitBytes)
        expect(permits.refused).toBe(refused)
      }
      for (const { permit } of open) permit.release()
      expect(permits.inUseBytes).toBe(0)
    }),
    { numRuns },
  )
})

test('a permit that is given back twice counts once', () => {
  const permits = new Permits(100 * KIB)
  const [first, second] = [permits.take(1 * KIB)!, permits.take(2 * KIB)!]
  first.release()
  first.release()
  expect(permits.inUseBytes).toBe(REQUEST_BYTES + 2 * KIB)
  second.release()
  expect(permits.inUseBytes).toBe(0)
})

test('requests without a body are limited too', () => {
  const permits = new Permits(4 * REQUEST_BYTES)
  const taken = Array.from({ length: 5 }, () => permits.take(0))
  expect(taken.map((permit) => permit !== null)).toEqual([true, true, true, true, false])
})

test('a permit never shrinks by growing', () => {
  const permit = new Permits().take(0)!
  expect(() => permit.grow(-1)).toThrow('a permit only grows')
})

test('seven of the largest bodies fit at once', () => {
  const permits = new Permits()
  const taken = Array.from({ length: 8 }, () => permits.take(32 * KIB * KIB))
  // Not eight, because requests cost something themselves.
  expect(taken.filter((permit) => permit !== null)).toHaveLength(7)
  expect(permits.limitBytes).toBe(PERMIT_BYTES)
})

test('F51: how long to wait follows from who was turned away, and how fast memory comes back', () => {
  let nowMs = 0
  const permits = new Permits(100 * REQUEST_BYTES, { monotonicMs: () => nowMs })
  expect(permits.waitSeconds).toBe(null)
  const open = Array.from({ length: 100 }, () => permits.take(0)!)
  for (let i = 0; i < 200; i++) expect(permits.take(0)).toBe(null)
  // Nothing has come back yet, so nobody knows.
  expect(permits.waitSeconds).toBe(null)
  // Ten a second: the two hundred will have to wait for twenty of them.
  for (let second = 1; second <= 3; second++) {
    nowMs += 1_000
    for (let i = 0; i < 10; i++) open.pop()!.release()
    expect(permits.waitSeconds).toBeCloseTo(20, 5)
  }
  // Who is let in again is not away any more.
  for (let i = 0; i < 20; i++) open.push(permits.take(0)!)
  expect(permits.waitSeconds).toBeCloseTo(18, 5)
  for (let i = 0; i < 10_000; i++) permits.take(90 * REQUEST_BYTES)
  expect(permits.waitSeconds).toBe(60)
  for (const permit of open) permit.release()
  // All of it has come back at once, and there is room for anybody.
  expect(permits.waitSeconds).toBe(1)
})
