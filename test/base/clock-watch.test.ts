import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ClockWatch } from '../../src/base/clock-watch.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const START_MS = 1_700_000_000_000

/** Two clocks that a test moves, one second by one. */
function watched() {
  const time = { wallMs: START_MS, monotonicMs: 5_000, number: 0, jumps: [] as number[] }
  const clock = { nowMs: () => time.wallMs, monotonicMs: () => time.monotonicMs, sleep: fail }
  const watch = new ClockWatch({
    clock,
    lastNumber: () => time.number,
    onJump: (byMs) => time.jumps.push(byMs),
  })
  const pass = (ms: number) => {
    time.wallMs += ms
    time.monotonicMs += ms
    watch.look()
  }
  const jump = (ms: number) => {
    time.wallMs += ms
  }
  return { time, watch, pass, jump }
}

async function fail(): Promise<void> {
  throw new Error('nobody sleeps here')
}

test('F36: a clock that is slewed does not jump, and is followed', () => {
  const { time, watch, pass, jump } = watched()
  for (let second = 0; second < 4_000; second++) {
    pass(1_000)
    jump(second % 3 === 0 ? 500 : -200)
  }
  watch.look()
  expect(time.jumps).toEqual([])
  expect(watch.latestMs()).toBe(time.wallMs)
  expect(watch.agoMs(time.wallMs - 5_000, 0)).toBe(5_000)
})

test.for([HOUR_MS, -HOUR_MS, 3_000, -3_000])(
  'F36: for ten minutes after a jump by %i ms the later of both times bounds the future',
  (byMs) => {
    const { time, watch, pass, jump } = watched()
    pass(1_000)
    jump(byMs)
    expect(watch.latestMs()).toBe(time.wallMs - Math.min(0, byMs))
    expect(time.jumps).toEqual([byMs])
    pass(10 * MINUTE_MS - 1)
    expect(watch.latestMs()).toBe(time.wallMs - Math.min(0, byMs))
    pass(1)
    expect(watch.latestMs()).toBe(time.wallMs)
  },
)

test('F36: however the clock is set, what is later than every time that it showed is the future', () =>
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 60_000 }), fc.integer({ min: -1e7, max: 1e7 })), {
        minLength: 1,
        maxLength: 9,
      }),
      (steps) => {
        const { time, watch, pass, jump } = watched()
        const offsets = [0]
        for (const [ms, byMs] of steps) {
          pass(ms)
          jump(byMs)
          watch.look()
          offsets.push(offsets.at(-1)! + byMs)
        }
        const largest = Math.max(...offsets)
        expect(watch.latestMs()).toBeGreaterThanOrEqual(time.wallMs)
        expect(watch.latestMs()).toBeLessThanOrEqual(time.monotonicMs + START_MS - 5_000 + largest)
      },
    ),
  ))

test('F36: ages are those of the monotonic clock, however often the wall clock is set', () =>
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(60_000), fc.integer({ min: -1e7, max: 1e7 })), { maxLength: 30 }),
      (steps) => {
        const { time, watch, pass, jump } = watched()
        const written: { number: number; wallMs: number; monotonicMs: number }[] = []
        for (const [ms, byMs] of steps) {
          pass(ms)
          const { wallMs, monotonicMs } = time
          time.number += 1
          written.push({ number: time.number, wallMs, monotonicMs })
          // Less is taken for slewing, which no one can tell from time.
          if (Math.abs(byMs) >= 2_000) jump(byMs)
          watch.look()
        }
        for (const { number, wallMs, monotonicMs } of written) {
          expect(watch.agoMs(wallMs, number)).toBe(time.monotonicMs - monotonicMs)
        }
      },
    ),
  ))
