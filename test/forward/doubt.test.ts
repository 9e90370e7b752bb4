import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import type { Respond } from '../support/receiver.ts'
import { writtenHeaders } from '../support/receiver-store.ts'
import {
  blockOf,
  delivered,
  manySeries,
  protocolsOf,
  type Scene,
  scene,
  takenTwice,
} from './parts.ts'

const numRuns = Math.ceil(Number(process.env['FC_RUNS'] ?? 100) / 4)

/** What a receiver says to all that it is sent, because it is not the one that is meant. */
const WRONG_TENANT = { status: 400, body: 'no such tenant' }
const hasName = (name: string): ((request: Parameters<Respond>[0]) => boolean) => {
  return ({ series }) => series.some(({ labels }) => labels.some(([, value]) => value === name))
}
const one = (name: string, timestamp: number) => [
  { labels: { __name__: name }, samples: [{ value: 1, timestamp }] },
]
const slept = ({ clock }: Scene) => clock.sleeps.reduce((sum, ms) => sum + ms, 0)

/** Refuses what `isBad` in this version, and takes nothing of the other one. */
function refusingBy(protocol: 'rw1' | 'rw2', isBad: Respond): Respond {
  return async (request) => {
    if (protocol === 'rw1' && request.protocol === 'rw2') return { status: 415 }
    const answer = await isBad(request)
    if (answer === undefined || protocol === 'rw1') return answer
    return { ...answer, headers: writtenHeaders({}) }
  }
}

for (const protocol of ['rw1', 'rw2'] as const) {
  const refusing = (isBad: Respond) => refusingBy(protocol, isBad)

  describe(protocol, () => {
    test('F24: a receiver that refuses everything is waited for, and nothing is set aside', () =>
      scene(async (own) => {
        const { receiver, destination, deliver, kept, events } = own
        let state = ''
        receiver.respond = refusing(() => {
          if (slept(own) > 300_000) return undefined
          state = `${destination.state} ${destination.reason}`
          return WRONG_TENANT
        })
        const blocks = [1, 2, 3, 4, 5].map((n) => blockOf(manySeries(40, 1000, `up_${n}`), n))
        for (const delivery of await Promise.all(blocks.map(deliver))) {
          expect(delivery).toEqual(delivered(40))
        }
        expect(kept).toEqual([])
        expect(state).toBe('paused HTTP 400: no such tenant')
        // In some minutes: taken apart once each, and then some series of each are tried slowly.
        expect(receiver.requests.length).toBeLessThan(1_200)
        expect(events.filter(({ level }) => level === 'error')).toHaveLength(1)
      }))

    test('F24: a block that is refused as a whole is set aside when others pass', () =>
      scene(async ({ receiver, destination, deliver, kept }) => {
        receiver.respond = refusing((request) =>
          hasName('up')(request) ? WRONG_TENANT : undefined,
        )
        const bad = deliver(blockOf(manySeries(20), 1))
        await expect.poll(() => destination.state).toBe('paused')
        expect(await deliver(blockOf(one('other', 1), 2))).toEqual(delivered(1))
        expect(await bad).toEqual(delivered(0, 20))
        expect(kept.reduce((sum, { lost }) => sum + lost.samples, 0)).toBe(20)
        expect(destination.state).toBe('ok')
      }, systemClock))

    test('F24: two blocks that are refused as a whole, with nothing beside them, are set aside in seconds', () =>
      scene(async (own) => {
        const { receiver, deliver, kept } = own
        let isWrong = true
        // As Prometheus does: it takes what has nothing in it.
        receiver.respond = refusing(({ series }) =>
          isWrong && series.length > 0 ? WRONG_TENANT : undefined,
        )
        for (const number of [1, 2]) {
          expect(await deliver(blockOf(manySeries(20), number))).toEqual(delivered(0, 20))
        }
        expect(slept(own)).toBe(2 * (1000 + 2000))
        // But a third one means the receiver.
        const third = deliver(blockOf(manySeries(20), 3))
        await expect.poll(() => slept(own)).toBeGreaterThan(300_000)
        isWrong = false
        expect(await third).toEqual(delivered(20))
        expect(kept.reduce((sum, { lost }) => sum + lost.samples, 0)).toBe(40)
      }))

    test('what is refused as late is no sign of a wrong receiver', () =>
      scene(async ({ receiver, deliver, destination }) => {
        receiver.respond = refusing(() => undefined)
        await deliver(blockOf(manySeries(3, 9000)))
        expect(await deliver(blockOf(manySeries(3, 5000)))).toEqual(delivered(0, 3))
        expect(destination.state).toBe('ok')
      }))

    test('a long row of bad series at the front does not look like a wrong receiver', () =>
      scene(async (own) => {
        const { receiver, deliver, kept } = own
        const series = manySeries(1_000).map((each, i) => {
          return i < 100 ? { ...each, labels: { __name__: 'bad', instance: String(i) } } : each
        })
        receiver.respond = refusing((request) =>
          protocol === 'rw1' && hasName('bad')(request) ? { status: 400, body: 'bad' } : undefined,
        )
        const lost = protocol === 'rw1' ? 100 : 0
        expect(await deliver(blockOf(series))).toEqual(delivered(1_000 - lost, lost))
        expect(kept).toHaveLength(lost)
      }))
  })
}

test('what is refused once more after it was set aside is refused, and waits for nobody', () =>
  scene(async (own) => {
    const { receiver, destination } = own
    await own.deliver(blockOf(one('other', 1), 1))
    receiver.respond = () => ({ ...WRONG_TENANT, headers: writtenHeaders({}) })
    const block = blockOf(manySeries(2), 2)
    const again = { cluster: 'one', number: 2, message: block.message, lost: block.counts }
    const left = await destination.sendAgain(again, new AbortController().signal)
    expect(left).toMatchObject({ reason: 'HTTP 400: no such tenant' })
    expect(protocolsOf(receiver)).toEqual(['rw2', 'rw2'])
  }))

test('F23: what may be poison leaves its place to others while it waits', () =>
  scene(async ({ receiver, destination, deliver }) => {
    receiver.respond = (request) => (hasName('up')(request) ? { status: 500 } : undefined)
    expect(destination.inFlightMax).toBe(1)
    const bad = deliver(blockOf(manySeries(4), 1))
    await expect.poll(() => destination.inFlightMax).toBe(2)
    let isOver = false
    void bad.finally(() => {
      isOver = true
    })
    for (let n = 2; !isOver; n++) await deliver(blockOf(one('other', n), n))
    expect(await bad).toEqual(delivered(0, 4))
  }))

test.each(['rw1', 'rw2'] as const)(
  'F24: %s, a receiver that is the wrong one for a while costs nothing but what is bad',
  { timeout: 30_000 },
  (protocol) =>
    fc.assert(
      fc.asyncProperty(fc.nat(60), fc.nat(60), (from, requests) =>
        scene(async ({ receiver, deliver, kept, destination }) => {
          let n = 0
          receiver.respond = refusingBy(protocol, (request) => {
            n += 1
            if (n > from && n <= from + requests) return WRONG_TENANT
            const isBad = protocol === 'rw1' && hasName('13')(request)
            return isBad ? { status: 400, body: 'bad' } : undefined
          })
          const bad = protocol === 'rw1' ? 1 : 0
          const blocks = [1, 2].map((number) => blockOf(manySeries(40, 1, `up_${number}`), number))
          await Promise.all(blocks.map(deliver))
          expect(takenTwice(receiver)).toEqual([])
          expect(destination.refused.samples).toBe(2 * bad)
          expect(kept.map(({ lost }) => lost.samples)).toEqual(bad === 0 ? [] : [1, 1])
        }),
      ),
      { numRuns },
    ),
)

test('F26: 1.0 that was only guessed at is given up when it is refused as well', () =>
  scene(async (own) => {
    const { receiver, destination, deliver } = own
    receiver.respond = () => (slept(own) < 10_000 ? WRONG_TENANT : undefined)
    expect(await deliver(blockOf(manySeries(3)))).toEqual(delivered(3))
    expect(protocolsOf(receiver).slice(0, 2)).toEqual(['rw2', 'rw1'])
    expect(protocolsOf(receiver).at(-1)).toBe('rw2')
    expect(destination.protocol).toBe('rw2')
  }))

test('what is refused in part, as it is sent apart and once more, is counted once', () =>
  scene(async ({ receiver, destination, deliver, kept }) => {
    await deliver(blockOf(manySeries(40, 9000), 1))
    // All but the last series are late, and one of them cannot be digested.
    receiver.respond = (request) => (hasName('7')(request) ? { status: 500 } : undefined)
    expect(await deliver(blockOf(manySeries(41, 5000), 2))).toEqual(delivered(1, 40))
    expect(destination.refused.samples).toBe(40)
    expect(kept.reduce((sum, { lost }) => sum + lost.samples, 0)).toBe(40)
  }))
