import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Respond } from '../support/receiver.ts'
import { blockOf, delivered, manySeries, type Scene, scene } from './parts.ts'

const SERIES = manySeries(200, 5000)
const hasInstance = (instance: string): ((request: Parameters<Respond>[0]) => boolean) => {
  return ({ series }) =>
    series.some(({ labels }) =>
      labels.some(([name, value]) => name === 'instance' && value === instance),
    )
}
const slept = ({ clock }: Scene) => clock.sleeps.reduce((sum, ms) => sum + ms, 0)

for (const protocol of ['rw1', 'rw2'] as const) {
  /** A receiver of this version that fails on whatever has instance 13 in it. */
  const failingOn13: Respond = (request) => {
    if (protocol === 'rw1' && request.protocol === 'rw2') return { status: 415 }
    return hasInstance('13')(request) ? { status: 500, body: 'index out of range' } : undefined
  }

  describe(protocol, () => {
    test('F23: a block that fails for ever while others pass loses the one series that is to blame', () =>
      scene(async (own) => {
        const { receiver, deliver } = own
        receiver.respond = failingOn13
        const bad = deliver(blockOf(SERIES, 1))
        let isOver = false
        void bad.then(() => {
          isOver = true
        })
        for (let number = 2; !isOver; number++) {
          const other = {
            labels: { __name__: 'other' },
            samples: [{ value: 1, timestamp: number }],
          }
          await deliver(blockOf([other], number))
        }
        expect(await bad).toEqual(delivered(199, 1))
        expect(receiver.samplesOf({ __name__: 'up', instance: '14' })).toHaveLength(1)
        expect(slept(own)).toBeLessThan(15_000)
      }))

    test('F23: with nothing to compare with, it is tried after a minute', () =>
      scene(async (own) => {
        own.receiver.respond = failingOn13
        expect(await own.deliver(blockOf(SERIES))).toEqual(delivered(199, 1))
        expect(slept(own)).toBeGreaterThan(60_000)
        expect(slept(own)).toBeLessThan(100_000)
        const [event] = own.events.filter(({ message }) => message === 'not kept by the receiver')
        expect(event).toMatchObject({ reason: 'HTTP 500: index out of range' })
      }))

    test('F23: a receiver that fails on everything costs nothing, however long', () =>
      scene(async (own) => {
        const { receiver, deliver } = own
        receiver.respond = (request) => {
          if (protocol === 'rw1' && request.protocol === 'rw2') return { status: 415 }
          return slept(own) < 1_000_000 ? { status: 500 } : undefined
        }
        expect(await deliver(blockOf(SERIES))).toEqual(delivered(200))
        const stored = [...receiver.series.values()].map(({ samples }) => samples.length)
        expect(new Set(stored)).toEqual(new Set([1]))
        // A trial is rare, and over soon.
        expect(receiver.requests.length).toBeLessThan(800)
      }))
  })
}

test('F23: an overload is no sign of poison: the block stays whole', () =>
  scene(async (own) => {
    const { receiver, deliver } = own
    receiver.respond = () => (slept(own) < 500_000 ? { status: 503 } : undefined)
    expect(await deliver(blockOf(SERIES))).toEqual(delivered(200))
    const sizes = receiver.requests.map(({ series }) => series.length)
    expect(new Set(sizes)).toEqual(new Set([200]))
  }))

test.each(['rw1', 'rw2'] as const)(
  'F23: %s, a receiver that fails for a while beside poison costs nothing but the poison',
  { timeout: 30_000 },
  (protocol) =>
    fc.assert(
      fc.asyncProperty(fc.nat(80), fc.nat(120), (from, requests) =>
        scene(async ({ receiver, deliver, destination }) => {
          let n = 0
          receiver.respond = (request) => {
            if (protocol === 'rw1' && request.protocol === 'rw2') return { status: 415 }
            n += 1
            const isDown = n > from && n <= from + requests
            return isDown || hasInstance('13')(request) ? { status: 500 } : undefined
          }
          const blocks = [1, 2].map((number) => blockOf(manySeries(30, 1, `up_${number}`), number))
          expect(await Promise.all(blocks.map(deliver))).toEqual([
            delivered(29, 1),
            delivered(29, 1),
          ])
          expect(destination.refused.samples).toBe(2)
        }),
      ),
      { numRuns: Math.ceil(Number(process.env['FC_RUNS'] ?? 100) / 10) },
    ),
)
