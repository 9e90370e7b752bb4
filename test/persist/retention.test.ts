import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Retention } from '../../src/persist/retention.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)
const HOLD_MS = 10 * 60_000
const GIB = 1024 ** 3

/** A log whose segments hold ten records each. */
class Segments {
  first = 1
  last = 1
  readonly segmentBytes: number
  constructor(segmentBytes: number) {
    this.segmentBytes = segmentBytes
  }
  get oldestLsn() {
    return this.first
  }
  get sizeBytes() {
    return this.segmentBytes * ((this.last - this.first) / 10 + 1)
  }
  bytesBelow(lsn: number) {
    return this.segmentBytes * Math.max(0, Math.floor((Math.min(lsn, this.last) - this.first) / 10))
  }
  async release(lsn: number, keptBytes = 0) {
    while (this.bytesBelow(lsn) > keptBytes) this.first += 10
  }
}

/** A table that is always saved. */
const SAVED = { savedLsn: () => Number.POSITIVE_INFINITY, save: async () => {} }

function retentionOf(log: Segments, quotaBytes: number, table = SAVED) {
  const time = { ms: 0 }
  const clock = { nowMs: () => 0, monotonicMs: () => time.ms, sleep: async () => {} }
  const parts = { log, clock, quotaBytes: () => quotaBytes, ...table }
  return { time, retention: new Retention(parts) }
}

test('what one destination does not have stays, and what all have goes after ten minutes', () => {
  const step = fc.record({
    seconds: fc.nat(400),
    name: fc.constantFrom('a', 'b'),
    more: fc.nat(25),
    appended: fc.nat(30),
  })
  return fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const log = new Segments(1)
      const { time, retention } = retentionOf(log, 1e9)
      const positions: Record<string, number> = { a: 1, b: 1 }
      const had: { ms: number; common: number }[] = []
      for (const name of ['a', 'b']) retention.advance(name, 1)
      for (const { seconds, name, more, appended } of steps) {
        time.ms += seconds * 1000
        log.last += appended
        positions[name] = Math.min(log.last, positions[name]! + more)
        retention.advance(name, positions[name])
        await retention.release()
        const common = Math.min(positions['a']!, positions['b']!)
        had.push({ ms: time.ms, common })
        expect(log.first).toBeLessThanOrEqual(common)
        const old = had.filter(({ ms }) => time.ms - ms >= HOLD_MS).map((one) => one.common)
        const due = Math.max(1, ...old)
        expect(log.first).toBe(1 + 10 * Math.floor((due - 1) / 10))
      }
    }),
    { numRuns },
  )
})

test('what is held is at most 2 GiB, and leaves half of the quota to what is needed', async () => {
  for (const [quotaBytes, heldBytes] of [
    [100 * GIB, 2 * GIB],
    [2 * GIB, GIB - GIB / 16],
  ] as const) {
    const log = new Segments(GIB / 16)
    const { retention } = retentionOf(log, quotaBytes)
    log.last = 1001
    retention.advance('a', 1001)
    await retention.release()
    expect(log.bytesBelow(1001)).toBe(heldBytes)
  }
})

test('who is sent back to an earlier place needs everything from there on', async () => {
  const log = new Segments(1)
  const { time, retention } = retentionOf(log, 1e9)
  log.last = 101
  retention.advance('a', 101)
  await retention.release()
  retention.advance('a', 41)
  await retention.release()
  time.ms += HOLD_MS
  await retention.release()
  expect(log.first).toBe(41)
})

test('F16: when others fill the disk, what is held makes room', async () => {
  const log = new Segments(1)
  const quota = { bytes: 1000 }
  const time = { ms: 0 }
  const clock = { nowMs: () => 0, monotonicMs: () => time.ms, sleep: async () => {} }
  const retention = new Retention({ log, clock, quotaBytes: () => quota.bytes, ...SAVED })
  log.last = 101
  retention.advance('a', 101)
  await retention.release()
  expect(log.sizeBytes).toBe(11)
  // Half of what the log may take is for what is held and what is needed.
  quota.bytes = 10
  await retention.release()
  expect(log.sizeBytes).toBe(5)
  quota.bytes = 0
  await retention.release()
  expect(log.sizeBytes).toBe(1)
})

test('what the saved series table does not know goes last, and is saved before', async () => {
  for (const [quotaBytes, hasRoom, first, saves] of [
    // Half of it is for what is held: so that what the table knows is enough.
    [14, true, 41, []],
    [10, true, 61, [41]],
    [0, true, 101, [41]],
    // Nothing stands in the way of a push, and then there is room for the table, too.
    [0, false, 101, [41, 101]],
  ] as const) {
    const log = new Segments(1)
    log.last = 101
    const saved: number[] = []
    let lsn = 45
    const save = async () => {
      saved.push(log.first)
      if (hasRoom) lsn = 101
    }
    const { retention } = retentionOf(log, quotaBytes, { savedLsn: () => lsn, save })
    retention.advance('a', 101)
    await retention.release()
    expect({ first: log.first, saved }).toEqual({ first, saved: saves })
  }
})
