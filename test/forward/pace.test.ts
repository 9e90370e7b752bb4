import { expect, test } from 'vitest'
import { IN_FLIGHT_MAX, Pace } from '../../src/forward/pace.ts'

const NEVER = new AbortController().signal

/** As many as may go, all of which take `tookMs` and are answered. Returns how many they were. */
async function round(pace: Pace, tookMs: number): Promise<number> {
  const count = pace.limit
  for (let i = 0; i < count; i++) await pace.enter(NEVER)
  for (let i = 0; i < count; i++) {
    pace.leave()
    pace.answered(tookMs)
  }
  return count
}

async function rounds(pace: Pace, count: number, tookMs = 10) {
  const counts: number[] = []
  for (let i = 0; i < count; i++) counts.push(await round(pace, tookMs))
  return counts
}

test('it begins with one and doubles as long as all of them are used', async () => {
  expect(await rounds(new Pace(), 7)).toEqual([1, 2, 4, 8, 16, 32, 32])
})

test('more are not allowed for who does not use what is allowed', async () => {
  const pace = new Pace()
  await rounds(pace, 3)
  for (let i = 0; i < 9; i++) {
    await pace.enter(NEVER)
    pace.leave()
    pace.answered(10)
  }
  expect(pace.limit).toBe(8)
})

test('a failure halves, however many fail at once, and then it goes on one by one', async () => {
  const pace = new Pace()
  await rounds(pace, 6)
  for (let i = 0; i < 32; i++) pace.failed()
  expect(pace.limit).toBe(16)
  const [first, second, ...rest] = await rounds(pace, 5)
  // The round of the failure itself is no reason to grow.
  expect([first, second, ...rest]).toEqual([16, 16, 17, 18, 19])
})

test('F20: after an outage one request asks first, and half of what it was is soon there', async () => {
  const pace = new Pace()
  await rounds(pace, 6)
  pace.failed()
  pace.collapse()
  pace.collapse()
  expect(await rounds(pace, 8)).toEqual([1, 1, 2, 4, 8, 16, 17, 18])
})

test('F21: it gives way to a receiver that gets slow, and comes back to one that is not', async () => {
  const pace = new Pace()
  await rounds(pace, 6)
  let tookMs = 10
  const limits: number[] = []
  for (let i = 0; i < 10; i++) {
    tookMs *= 2
    await round(pace, tookMs)
    limits.push(pace.limit)
  }
  expect(Math.min(...limits)).toBeLessThan(IN_FLIGHT_MAX * 0.6)
  await rounds(pace, 40)
  expect(pace.limit).toBe(IN_FLIGHT_MAX)
})

test('nobody enters above the limit; who waits is let in when another one leaves', async () => {
  const pace = new Pace()
  await pace.enter(NEVER)
  let isIn = false
  const waiting = pace.enter(NEVER).then(() => {
    isIn = true
  })
  await new Promise((resolve) => setImmediate(resolve))
  expect(isIn).toBe(false)
  pace.leave()
  await waiting
  expect(isIn).toBe(true)
})

test('who is given up while he waits takes no room', async () => {
  const pace = new Pace()
  await pace.enter(NEVER)
  const giveUp = new AbortController()
  const waiting = pace.enter(giveUp.signal)
  const reason = new Error('stop')
  giveUp.abort(reason)
  await expect(waiting).rejects.toBe(reason)
  pace.leave()
  await pace.enter(NEVER)
})
