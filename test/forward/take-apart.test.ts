import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Respond } from '../support/receiver.ts'
import type { SeriesLiteral } from '../support/remote-write.ts'
import { blockOf, delivered, manySeries, protocolsOf, scene, takenTwice } from './parts.ts'

const numRuns = Math.ceil(Number(process.env['FC_RUNS'] ?? 100) / 4)
const signal = new AbortController().signal

type Request = Parameters<Respond>[0]
const has = ({ series }: Request, value: string) =>
  series.some(({ labels }) => labels.some(([, own]) => own === value))
const BAD = { status: 400, body: 'label value too long' }
const bad = (instance: number, timestamp: number): SeriesLiteral => ({
  labels: { __name__: 'bad', instance: String(instance) },
  samples: [{ value: 1, timestamp }],
})
/** Speaks 1.0 alone, and takes nothing that is bad. */
const refusingBad: Respond = (request) => {
  if (request.protocol === 'rw2') return { status: 415 }
  return has(request, 'bad') ? BAD : undefined
}

/** So many good series, and bad ones in these places of the whole. */
function mixed(count: number, places: readonly number[], timestamp: number): SeriesLiteral[] {
  return manySeries(count, timestamp).map((series, i) =>
    places.includes(i) ? bad(i, timestamp) : series,
  )
}

describe('F24', () => {
  test('whatever series are bad, what a receiver of 1.0 has taken is never sent again', async () => {
    const places = fc.oneof(
      fc.uniqueArray(fc.nat(59), { maxLength: 8 }),
      // Long rows at the front and at the end.
      fc
        .tuple(fc.nat(45), fc.nat(8))
        .map(([front, end]) => [
          ...Array.from({ length: front }, (_, i) => i),
          ...Array.from({ length: end }, (_, i) => 59 - i),
        ]),
    )
    await fc.assert(
      fc.asyncProperty(places, (bad) =>
        scene(async ({ receiver, deliver, kept }) => {
          receiver.respond = refusingBad
          const { length } = bad
          expect(await deliver(blockOf(mixed(60, bad, 1000)))).toEqual(
            delivered(60 - length, length),
          )
          expect(takenTwice(receiver)).toEqual([])
          expect(kept).toHaveLength(length)
          expect(kept.every(({ series }) => series?.includes('bad'))).toBe(true)
        }),
      ),
      { numRuns },
    )
  })

  test('a bad series among others that are late is found, though nothing else can pass', () =>
    scene(async ({ receiver, destination, deliver, kept }) => {
      receiver.respond = refusingBad
      await deliver(blockOf(manySeries(2, 9000)))
      const block = blockOf([...manySeries(2, 5000), bad(0, 5000)])
      expect(await destination.deliver(block, signal, true)).toEqual(delivered(0, 3))
      // What is late was there before the crash.
      expect(kept.map(({ reason }) => reason)).toEqual(['HTTP 400: label value too long'])
      expect(destination.maybeStored.samples).toBe(2)
      expect(destination.state).toBe('ok')
    }))

  test('a receiver that takes no empty request is asked by what it has taken', () =>
    scene(async ({ receiver, deliver }) => {
      receiver.respond = (request) => {
        if (request.series.length === 0) return { status: 400, body: 'nothing in it' }
        return refusingBad(request)
      }
      expect(await deliver(blockOf(mixed(8, [6, 7], 1000)))).toEqual(delivered(6, 2))
      // The price, which only such a receiver pays.
      expect(takenTwice(receiver).length).toBeLessThanOrEqual(2)
    }))
})

test('F23: a receiver that sickens while a block is on trial costs nothing but what is bad', () =>
  scene(async ({ receiver, deliver, kept, clock }) => {
    let sickMs = Number.POSITIVE_INFINITY
    const passedMs = clock.monotonicMs
    receiver.respond = (request) => {
      if (request.protocol === 'rw2') return { status: 415 }
      // What is bad comes last, and then nothing can be stored for a while; empty requests pass.
      if (has(request, '18') && request.series.length === 1) sickMs = Math.min(sickMs, passedMs())
      const isSick = passedMs() >= sickMs && passedMs() < sickMs + 300_000
      if (isSick && request.series.length > 0) return { status: 500, body: 'disk full' }
      return has(request, '19') ? { status: 500, body: 'index out of range' } : undefined
    }
    expect(await deliver(blockOf(manySeries(20)))).toEqual(delivered(19, 1))
    expect(kept.map(({ series }) => series)).toEqual(['{__name__="up", instance="19"}'])
  }))

test('a request of 2.0 that is too large goes out as 1.0 when its parts find out that it must', () =>
  scene(async ({ receiver, deliver, kept }) => {
    receiver.respond = (request) => {
      if (request.protocol === 'rw1') return has(request, 'bad') ? BAD : undefined
      return request.series.length > 4 ? { status: 413 } : { status: 415 }
    }
    expect(await deliver(blockOf(mixed(20, [13], 1000)))).toEqual(delivered(19, 1))
    expect(takenTwice(receiver)).toEqual([])
    expect(protocolsOf(receiver).lastIndexOf('rw2')).toBeLessThan(4)
    // The right one is set aside.
    expect(kept.map(({ part }) => part)).toMatchObject([{ from: 13, to: 14 }])
  }))

test('what an upgraded receiver has taken as 1.0 is not sent again as 2.0', () =>
  scene(async ({ receiver, deliver }) => {
    let requests = 0
    // 1.0 was guessed at; all of it is wrong from the middle on, and then 2.0 is spoken.
    receiver.respond = ({ protocol }) => {
      requests += 1
      if (requests === 1) return { status: 400, body: 'cannot be read' }
      if (protocol === 'rw1') return requests === 3 ? undefined : BAD
      return undefined
    }
    expect(await deliver(blockOf(manySeries(8)))).toEqual(delivered(8))
    expect(takenTwice(receiver)).toEqual([])
    expect(protocolsOf(receiver).at(-1)).toBe('rw2')
  }))
