import { expect, test } from 'vitest'
import { keepForSure } from '../../src/forward/keep.ts'
import type { Refused } from '../../src/forward/refused.ts'
import { writtenHeaders } from '../support/receiver-store.ts'
import { blockOf, fakeClock, samples, scene } from './parts.ts'

const at = (timestamp: number) => ({ value: timestamp, timestamp })
const signal = new AbortController().signal

test('a sample that is bad among others that are there already is set aside', () =>
  scene(async ({ receiver, destination, kept }) => {
    const late = 'out of order sample for series a\n'
    for (const body of [`${late}label value too long\n${late}`, `${late.repeat(200)}is bad`]) {
      receiver.respond = () => ({ status: 400, headers: writtenHeaders({ samples: 1 }), body })
      const series = ['a', 'b', 'c'].map((name) => ({
        labels: { __name__: name },
        samples: [at(1)],
      }))
      await destination.deliver(blockOf(series), signal, true)
    }
    expect(kept.map(({ lost }) => lost.samples)).toEqual([2, 2])
    expect(destination.maybeStored.samples).toBe(0)
    receiver.respond = () => ({ status: 400, headers: writtenHeaders({}), body: late.repeat(300) })
    await destination.deliver(
      blockOf([{ labels: { __name__: 'a' }, samples: [at(1)] }]),
      signal,
      true,
    )
    expect(kept.length).toBe(2)
    expect(destination.maybeStored.samples).toBe(1)
  }))

test('of a series that is refused for its first sample in 1.0 the new ones arrive', () =>
  scene(async ({ receiver, destination, kept }) => {
    receiver.respond = ({ protocol }) => (protocol === 'rw2' ? { status: 415 } : undefined)
    const labels = { __name__: 'a' }
    const exemplars = [{ value: 1, timestamp: 5 }]
    await destination.deliver(blockOf([{ labels, samples: [at(1), at(2), at(3)] }]), signal)
    const again = blockOf([
      { labels, samples: [at(1), at(2), at(3), at(4), at(5)], exemplars },
      { labels: { __name__: 'b' }, samples: [at(1)] },
    ])
    await destination.deliver(again, signal, true)
    const stored = receiver.samplesOf(labels).map(({ timestampMs }) => timestampMs)
    expect(stored).toEqual([1, 2, 3, 4, 5])
    expect(receiver.series.get('[["__name__","a"]]')?.exemplars.length).toBe(1)
    // The newest that is there is taken once more, as Prometheus takes it.
    expect(destination.maybeStored).toEqual(samples(2))
    expect(destination.forwarded).toMatchObject({ samples: 7, exemplars: 1 })
    expect(kept).toEqual([])
  }))

test('a block of late and bad samples is settled though nothing else can pass before it', () =>
  scene(async ({ receiver, destination, kept }) => {
    // After a crash all that is new waits for it, so there is nobody else to compare with.
    for (const count of [2, 40]) {
      const names = Array.from({ length: count }, (_, i) => `late_${count}_${i}`)
      const late = (timestamp: number) =>
        names.map((name) => ({ labels: { __name__: name }, samples: [at(timestamp)] }))
      receiver.respond = ({ protocol, series }) => {
        if (protocol === 'rw2') return { status: 415 }
        const isBad = series.some(({ labels }) => labels.some(([, value]) => value === 'bad'))
        return isBad ? { status: 400, body: 'label value too long' } : undefined
      }
      await destination.deliver(blockOf(late(2)), signal)
      const bad = { labels: { __name__: 'bad' }, samples: [at(1)] }
      await destination.deliver(blockOf([...late(1), bad]), signal, true)
    }
    expect(kept.map(({ reason }) => reason)).toEqual(
      Array(2).fill('HTTP 400: label value too long'),
    )
    expect(destination.maybeStored.samples).toBe(42)
  }))

test('what cannot be set aside is tried again, and its block is not sent again for that', async () => {
  let tries = 0
  const events: unknown[] = []
  const keep = keepForSure(
    async () => {
      tries += 1
      if (tries < 3) throw new Error('no space left')
    },
    fakeClock(),
    (event) => events.push(event),
  )
  await keep({} as Refused, signal)
  expect({ tries, told: events.length }).toEqual({ tries: 3, told: 2 })
  const gone = AbortSignal.abort(new Error('stopping'))
  tries = 0
  await expect(keep({} as Refused, gone)).rejects.toThrow('stopping')
})
