import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ScriptedResponse } from '../support/receiver.ts'
import type { SeriesLiteral } from '../support/remote-write.ts'
import { blockOf, delivered, manySeries, protocolsOf, type Scene, scene, script } from './parts.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)

/** Series of which the chosen ones are older than what the receiver has. */
async function withLate(
  { receiver, deliver }: Scene,
  count: number,
  late: readonly number[],
): Promise<SeriesLiteral[]> {
  const ahead = manySeries(count, 9000).filter((_, i) => late.includes(i))
  receiver.respond = ({ protocol }) => (protocol === 'rw2' ? { status: 415 } : undefined)
  if (ahead.length > 0) await deliver(blockOf(ahead))
  // The first block fell back: an attempt whose outcome is open. The next ones are not.
  await deliver(blockOf([{ labels: { __name__: 'x' }, samples: [{ value: 1, timestamp: 1 }] }]))
  return manySeries(count, 5000)
}

test('F24: of a 1.0 request that is rejected, exactly the guilty series are lost', async () => {
  const late = fc.uniqueArray(fc.nat(39), { maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(late, (indices) =>
      scene(async (scene) => {
        const { receiver, deliver, events } = scene
        const series = await withLate(scene, 40, indices)
        events.length = 0
        const delivery = await deliver(blockOf(series))
        expect(delivery).toEqual(delivered(40 - indices.length, indices.length))
        for (const [i, { labels }] of series.entries()) {
          const stored = receiver.samplesOf(labels as { [name: string]: string })
          expect(stored.map(({ timestampMs }) => timestampMs)).toEqual([
            indices.includes(i) ? 9000 : 5000,
          ])
        }
        expect(events.map(({ series }) => series)).toEqual(
          indices.toSorted((a, b) => a - b).map((i) => `{__name__="up", instance="${i}"}`),
        )
        for (const event of events) {
          expect(event['class']).toBe('refused')
          expect(String(event['reason'])).toContain('HTTP 400: out of order sample')
        }
      }),
    ),
    { numRuns: Math.ceil(numRuns / 5) },
  )
})

test('what is rejected after an attempt with an open outcome is maybe stored', () =>
  scene(async (scene) => {
    const { receiver, deliver, events } = scene
    await withLate(scene, 0, [])
    // The first sample is older when it comes again, and so the whole is refused then.
    const twice = { labels: { __name__: 'y' }, samples: [{ value: 1, timestamp: 1000 }] }
    twice.samples.push({ value: 2, timestamp: 2000 })
    const before = receiver.requests.length
    receiver.respond = ({ index }) => (index === before ? { reset: 'after' } : undefined)
    events.length = 0
    expect(await deliver(blockOf([twice, ...manySeries(3)]))).toEqual(delivered(4, 1))
    expect(events.filter((event) => 'class' in event)).toMatchObject([
      { level: 'warn', class: 'maybe stored', samples: 1, series: '{__name__="y"}' },
    ])
    expect(receiver.samplesOf({ __name__: 'y' }).length).toBe(2)
  }))

test('a 2.0 request that is rejected whole is taken apart too, and stays 2.0', () =>
  scene(async ({ receiver, deliver }) => {
    await deliver(blockOf(manySeries(1, 1000)))
    receiver.respond = ({ series }) =>
      series.some(({ labels }) => labels.some(([, value]) => value === '3'))
        ? { status: 413, body: 'too large' }
        : undefined
    expect(await deliver(blockOf(manySeries(8, 2000)))).toEqual(delivered(7, 1))
    expect(new Set(protocolsOf(receiver))).toEqual(new Set(['rw2']))
  }))

test('whatever a receiver answers on the way, what is called forwarded is stored', async () => {
  const answer: fc.Arbitrary<ScriptedResponse> = fc.oneof(
    fc.record({ status: fc.constantFrom(400, 401, 413, 415, 418, 422, 429, 500, 503) }),
    fc.record({ status: fc.constantFrom(415, 502, 504), store: fc.constant(true) }),
    fc.record({ reset: fc.constantFrom('before', 'after') }),
    fc.constant({}),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(answer, { maxLength: 12 }), (answers) =>
      scene(async ({ receiver, destination, deliver }) => {
        script(receiver, ...answers)
        for (const timestamp of [1000, 2000, 3000]) {
          const { forwarded, refused } = await deliver(blockOf(manySeries(4, timestamp)))
          expect(forwarded.samples + refused.samples).toBe(4)
          const stored = [...receiver.series.values()].flatMap(({ samples }) => samples)
          const ofBlock = stored.filter(({ timestampMs }) => timestampMs === timestamp)
          expect(ofBlock.length).toBeGreaterThanOrEqual(forwarded.samples)
        }
        expect(destination.forwarded.samples + destination.refused.samples).toBe(12)
      }),
    ),
    { numRuns: Math.ceil(numRuns / 2) },
  )
})

test('what is late and may have been sent before is there already, and is not set aside', () =>
  scene(async ({ destination, deliver, kept }) => {
    await deliver(blockOf(manySeries(1, 9000)))
    const late = blockOf(manySeries(1, 5000))
    const { signal } = new AbortController()
    expect(await destination.deliver(late, signal, true)).toEqual(delivered(0, 1))
    expect(destination.maybeStored.samples).toBe(1)
    expect(kept).toEqual([])
    // The same from a block that was never sent is missing there.
    expect(await destination.deliver(late, signal)).toEqual(delivered(0, 1))
    expect(destination.maybeStored.samples).toBe(1)
    expect(kept.map(({ lost }) => lost.samples)).toEqual([1])
  }))
