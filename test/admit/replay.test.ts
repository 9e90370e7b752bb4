import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createPushDigest } from '../../src/admit/push-digest.ts'
import { ReplayMemory } from '../../src/admit/replay.ts'
import type { Outcome } from '../../src/model/outcome.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)
const MINUTE_MS = 60_000
const KEY = Uint32Array.of(1, 2, 3, 4)

const digest = createPushDigest(KEY)
const digestOf = (push: number) => digest('rw2', 'default', Buffer.from(`push ${push}`))
const writtenOf = (samples: number) => ({ samples, histograms: 1, exemplars: 2 })
const accepted = (samples: number): Outcome => ({ kind: 'accepted', written: writtenOf(samples) })

test('a push has the answer that it had first, for ten minutes and no longer', () => {
  const step = fc.record({ push: fc.nat(12), waitMs: fc.nat(6 * MINUTE_MS) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const memory = new ReplayMemory()
      const model = new Map<number, { outcome: Outcome; sinceMs: number }>()
      let nowMs = 0
      for (const [i, { push, waitMs }] of steps.entries()) {
        nowMs += waitMs
        for (const [known, { sinceMs }] of model) {
          if (nowMs - sinceMs > 10 * MINUTE_MS) model.delete(known)
        }
        for (let other = 0; other <= 12; other++) {
          expect(memory.find(digestOf(other), nowMs)).toEqual(model.get(other)?.outcome)
        }
        const outcome: Outcome =
          i % 3 === 0
            ? { kind: 'partial', written: writtenOf(i), rejectedPoints: i, reason: `step ${i}` }
            : accepted(i)
        memory.remember(digestOf(push), outcome, nowMs)
        if (!model.has(push)) model.set(push, { outcome, sinceMs: nowMs })
        expect(memory.size).toBe(model.size)
      }
    }),
    { numRuns },
  )
})

test('the answers are bounded, and the oldest go first', () => {
  const memory = new ReplayMemory()
  const digest = new Uint32Array(4)
  const nth = (push: number) => {
    digest.set([push, 1, 2, Math.imul(push, 0x9e37_79b1)])
    return digest
  }
  for (let push = 1; push <= 300_010; push++) memory.remember(nth(push), accepted(push), 0)
  expect(memory.size).toBe(300_000)
  expect(memory.find(nth(10), 0)).toBeUndefined()
  expect(memory.find(nth(11), 0)).toEqual(accepted(11))
  expect(memory.find(nth(300_010), 0)).toEqual(accepted(300_010))
})

test('no more memory is taken than ten minutes of pushes need, however long it runs', () => {
  const memory = new ReplayMemory()
  const bytesAfter = (from: number, minutes: number) => {
    for (let minute = from; minute < from + minutes; minute++) {
      for (let push = 0; push < 100; push++) {
        memory.remember(digestOf(minute * 100 + push), accepted(push), minute * MINUTE_MS)
      }
    }
    return memory.bytes
  }
  const bytes = bytesAfter(0, 12)
  expect(bytesAfter(12, 60)).toBe(bytes)
})

test('what was refused or malformed is not remembered: the next try is looked at anew', () => {
  const memory = new ReplayMemory()
  memory.remember(digestOf(1), { kind: 'malformed', reason: 'cut off' }, 0)
  memory.remember(digestOf(2), { kind: 'backlogged', reason: 'full' }, 0)
  expect([memory.find(digestOf(1), 0), memory.find(digestOf(2), 0)]).toEqual([undefined, undefined])
})
