import { expect, test } from 'vitest'
import { startReceiver } from '../support/receiver.ts'
import { writtenHeaders } from '../support/receiver-store.ts'
import {
  blockOf,
  delivered,
  destinationOf,
  fakeClock,
  manySeries,
  NOTHING,
  protocolsOf,
  samples,
  scene,
  script,
} from './parts.ts'

test('a block goes out as it is and is counted once', () =>
  scene(async ({ receiver, destination, deliver, events }) => {
    const block = blockOf(manySeries(3))
    expect(await deliver(block)).toEqual(delivered(3))
    expect(receiver.requests[0]!.body).toEqual(Buffer.from(block.message))
    expect(destination).toMatchObject({
      protocol: 'rw2',
      state: 'ok',
      retries: 0,
      forwarded: samples(3),
      refused: NOTHING,
    })
    expect(events).toEqual([])
  }))

test('G72: a 415 is followed at once by the same samples as 1.0, and remembered', () =>
  scene(async ({ receiver, destination, deliver, clock, events }) => {
    receiver.respond = ({ protocol }) => (protocol === 'rw2' ? { status: 415 } : undefined)
    expect(await deliver(blockOf(manySeries(2, 1000)))).toEqual(delivered(2))
    expect(await deliver(blockOf(manySeries(2, 2000)))).toEqual(delivered(2))

    expect(protocolsOf(receiver)).toEqual(['rw2', 'rw1', 'rw1'])
    const { headers } = receiver.requests[1]!
    expect(headers['x-prometheus-remote-write-version']).toBe('0.1.0')
    expect(headers).not.toHaveProperty('retry-attempt')
    const stored = receiver.samplesOf({ __name__: 'up', instance: '1' })
    expect(stored.map(({ timestampMs }) => timestampMs)).toEqual([1000, 2000])
    expect(clock.sleeps).toEqual([])
    expect(destination).toMatchObject({ protocol: 'rw1', retries: 0, forwarded: samples(4) })
    expect(events).toMatchObject([{ level: 'warn', reason: 'HTTP 415' }])
  }))

test('G73, F26: a success without Written headers means that the receiver speaks 1.0 alone', () =>
  scene(async ({ receiver, deliver }) => {
    receiver.respond = ({ protocol }) => (protocol === 'rw2' ? { status: 200 } : undefined)
    expect(await deliver(blockOf(manySeries(2)))).toEqual(delivered(2))
    expect(protocolsOf(receiver)).toEqual(['rw2', 'rw1'])
    expect(receiver.series.size).toBe(2)
  }))

test('F26: 2.0 is tried again after an hour, and kept when it works', () =>
  scene(async ({ receiver, destination, deliver, clock }) => {
    script(receiver, { status: 415 })
    await deliver(blockOf(manySeries(1, 1000)))
    await clock.sleep(59 * 60_000)
    await deliver(blockOf(manySeries(1, 2000)))
    await clock.sleep(2 * 60_000)
    await deliver(blockOf(manySeries(1, 3000)))
    await deliver(blockOf(manySeries(1, 4000)))
    expect(protocolsOf(receiver)).toEqual(['rw2', 'rw1', 'rw1', 'rw2', 'rw2'])
    expect(destination.protocol).toBe('rw2')
  }))

test('a first 400 without Written headers is a fallback', () =>
  scene(async ({ receiver, destination, deliver }) => {
    script(receiver, { status: 400, body: 'cannot unmarshal' })
    expect(await deliver(blockOf(manySeries(1, 1000)))).toEqual(delivered(1))
    expect(destination.protocol).toBe('rw1')
  }))

test('a 400 without Written headers is a refusal once 2.0 has worked', () =>
  scene(async ({ receiver, destination, deliver }) => {
    const bad = { status: 400 }
    script(receiver, {}, bad, bad, {}, bad)
    await deliver(blockOf(manySeries(1, 1000)))
    expect(await deliver(blockOf(manySeries(2, 2000)))).toEqual(delivered(1, 1))
    expect(destination.protocol).toBe('rw2')
  }))

test('F26: after a fallback, such a 400 is a fallback again, though 2.0 has worked before', () =>
  scene(async ({ receiver, destination, deliver, clock }) => {
    script(receiver, {}, { status: 415 }, {}, { status: 400 })
    await deliver(blockOf(manySeries(1, 1000)))
    await deliver(blockOf(manySeries(1, 2000)))
    await clock.sleep(61 * 60_000)
    expect(await deliver(blockOf(manySeries(1, 3000)))).toEqual(delivered(1))
    expect(protocolsOf(receiver)).toEqual(['rw2', 'rw2', 'rw1', 'rw2', 'rw1'])
    expect(destination.protocol).toBe('rw1')
  }))

test('G74: a success that wrote nothing is not repeated, and is an alert', () =>
  scene(async ({ receiver, deliver, events }) => {
    script(receiver, { status: 204, headers: writtenHeaders({}) })
    expect(await deliver(blockOf(manySeries(2)))).toEqual(delivered(0, 2))
    expect(receiver.requests.length).toBe(1)
    expect(events).toMatchObject([{ level: 'error', class: 'short write', samples: 2 }])
  }))

test('G75: a success with fewer than were sent is done, and the difference is counted', () =>
  scene(async ({ receiver, destination, deliver }) => {
    script(receiver, { status: 204, headers: writtenHeaders({ samples: 1 }) })
    expect(await deliver(blockOf(manySeries(3)))).toEqual(delivered(1, 2))
    expect(receiver.requests.length).toBe(1)
    expect(destination.refused).toEqual(samples(2))
  }))

test('G76, F22: after a 429 the same request is repeated, no earlier than it asked for', () =>
  scene(async ({ receiver, deliver, clock }) => {
    script(receiver, { status: 429, headers: { 'Retry-After': '2' } })
    expect(await deliver(blockOf(manySeries(2)))).toEqual(delivered(2))
    const [first, second] = receiver.requests
    expect(second!.body).toEqual(first!.body)
    expect(second!.headers['retry-attempt']).toBe('1')
    expect(clock.monotonicMs()).toBeGreaterThanOrEqual(2000)
    expect(clock.monotonicMs()).toBeLessThan(2200)
  }))

test('G77, F22: after a 503 an HTTP date is waited for, a past or senseless one is not', () =>
  scene(async ({ receiver, deliver, clock }) => {
    const date = (inMs: number) => new Date(clock.nowMs() + inMs).toUTCString()
    receiver.respond = ({ index }) => {
      const texts = [date(3000), date(-60_000), 'abc']
      const text = texts[index]
      return text === undefined ? undefined : { status: 503, headers: { 'Retry-After': text } }
    }
    expect(await deliver(blockOf(manySeries(1)))).toEqual(delivered(1))
    const [first, ...rest] = clock.sleeps
    expect(first! > 2000 && first! < 3400).toBe(true)
    // The backoff goes on from where the attempts are.
    expect(rest).toEqual([60, 120])
  }))

test('G78: a 400 with Written headers is final, its words are logged as they are', () =>
  scene(async ({ receiver, deliver, events }) => {
    const body = 'out of order sample for {a="b"}'
    script(receiver, { status: 400, headers: writtenHeaders({ samples: 1 }), body })
    expect(await deliver(blockOf(manySeries(2)))).toEqual(delivered(1, 1))
    expect(receiver.requests.length).toBe(1)
    expect(events).toMatchObject([
      { class: 'refused', samples: 1, reason: `HTTP 400: ${body}`, destination: 'central' },
    ])
  }))

test('G80, F28: a connection that closes without an answer is a reason to try again', () =>
  scene(async ({ receiver, destination, deliver, clock, events }) => {
    script(receiver, { reset: 'before' }, { reset: 'after' }, { reset: 'during', status: 503 })
    expect(await deliver(blockOf(manySeries(2)))).toEqual(delivered(2))
    expect(receiver.requests.length).toBe(4)
    expect(receiver.samplesOf({ __name__: 'up', instance: '0' }).length).toBe(1)
    expect(clock.sleeps).toEqual([30, 60, 120])
    expect(destination).toMatchObject({ retries: 3, state: 'ok' })
    expect(events.map(({ level }) => level)).toEqual(['warn', 'info'])
  }))

test('G81: what needs three retries arrives before what is delivered after it', () =>
  scene(async ({ receiver, deliver }) => {
    const busy = { status: 500 }
    script(receiver, busy, busy, busy)
    await deliver(blockOf(manySeries(1, 1000), 1))
    await deliver(blockOf(manySeries(1, 2000), 2))
    const stored = receiver.samplesOf({ __name__: 'up', instance: '0' })
    expect(stored.map(({ timestampMs }) => timestampMs)).toEqual([1000, 2000])
    expect(receiver.requests.map(({ headers }) => headers['retry-attempt'])).toEqual([
      undefined,
      '1',
      '2',
      '3',
      undefined,
    ])
  }))

test('F22: a receiver that asks for quiet gets it from every block', () =>
  scene(async ({ receiver, deliver, clock }) => {
    script(receiver, { status: 503, headers: { 'Retry-After': '10' } })
    let second: Promise<unknown> | undefined
    const { sleep } = clock
    clock.sleep = (ms, signal) => {
      clock.sleep = sleep
      second = deliver(blockOf(manySeries(5, 2000), 2))
      return sleep(ms, signal)
    }
    await deliver(blockOf(manySeries(1, 1000), 1))
    await second
    expect(clock.sleeps.map((ms) => Math.round(ms))).toEqual([10_500, 10_500])
    expect(receiver.requests.length).toBe(3)
  }))

test.each([301, 401, 403, 404, 405])(
  'F27: a %i pauses: nothing is lost, attempts are slow',
  (status) =>
    scene(async ({ receiver, destination, deliver, clock, events }) => {
      let worst: string = ''
      receiver.respond = ({ index }) => {
        worst = index > 0 ? `${destination.state} ${destination.reason}` : ''
        return index < 8 ? { status } : undefined
      }
      expect(await deliver(blockOf(manySeries(2)))).toEqual(delivered(2))
      expect(worst).toBe(`paused HTTP ${status}`)
      const sleeps = clock.sleeps.map((ms) => Math.round(ms / 1000))
      expect(sleeps).toEqual([1, 2, 4, 8, 16, 30, 30, 30])
      expect(events.map(({ level }) => level)).toEqual(['error', 'info'])
    }),
)

test('F26: a 415 is followed by 1.0 even after 2.0 has worked: receivers are downgraded', () =>
  scene(async ({ receiver, destination, deliver }) => {
    script(receiver, {}, { status: 415 })
    await deliver(blockOf(manySeries(1, 1000)))
    expect(await deliver(blockOf(manySeries(1, 2000)))).toEqual(delivered(1))
    expect(protocolsOf(receiver)).toEqual(['rw2', 'rw2', 'rw1'])
    expect(destination.protocol).toBe('rw1')
  }))

test('F26: a 415 to 1.0 as well pauses, and loses nothing', () =>
  scene(async ({ receiver, deliver, clock }) => {
    const neither = { status: 415 }
    script(receiver, neither, neither, neither, neither)
    expect(await deliver(blockOf(manySeries(2)))).toEqual(delivered(2))
    expect(protocolsOf(receiver)).toEqual(['rw2', 'rw1', 'rw2', 'rw1', 'rw2'])
    expect(clock.sleeps).toEqual([1000, 2000])
  }))

test('F26: a receiver that takes 2.0 alone, after an upgrade, gets 2.0', () =>
  scene(async ({ receiver, destination, deliver }) => {
    receiver.respond = ({ index, protocol }) => {
      return protocol === (index < 2 ? 'rw2' : 'rw1') ? { status: 415 } : undefined
    }
    await deliver(blockOf(manySeries(1, 1000)))
    expect(await deliver(blockOf(manySeries(1, 2000)))).toEqual(delivered(1))
    expect(protocolsOf(receiver)).toEqual(['rw2', 'rw1', 'rw1', 'rw2'])
    expect(destination).toMatchObject({ protocol: 'rw2', state: 'ok' })
  }))

test('F26: where 1.0 is asked for, a 415 to it is no reason to send 2.0', async () => {
  const receiver = await startReceiver()
  script(receiver, { status: 415 }, { status: 415 })
  const clock = fakeClock()
  const { destination, post, deliver } = destinationOf(receiver.url, clock, undefined, 'rw1')
  expect(await deliver(blockOf(manySeries(2)))).toEqual(delivered(2))
  expect(protocolsOf(receiver)).toEqual(['rw1', 'rw1', 'rw1'])
  expect(clock.sleeps).toEqual([1000, 2000])
  expect(destination.state).toBe('ok')
  await post.close()
  await receiver.close()
})

test('F26: a receiver that cannot read 2.0 any more, and says so by 400, gets 1.0', () =>
  scene(async ({ receiver, destination, deliver }) => {
    await deliver(blockOf(manySeries(3, 1000)))
    const older = { status: 400, body: 'proto: wrong wireType' }
    receiver.respond = ({ protocol }) => (protocol === 'rw2' ? older : undefined)
    expect(await deliver(blockOf(manySeries(3, 2000)))).toEqual(delivered(3))
    expect(destination).toMatchObject({ protocol: 'rw1', state: 'ok' })
  }))

test('custom buckets are counted as unsupported where only 1.0 is spoken', () =>
  scene(async ({ receiver, destination, deliver }) => {
    receiver.respond = ({ protocol }) => (protocol === 'rw2' ? { status: 415 } : undefined)
    const custom = { countInt: 1, schema: -53, customValues: [1], timestamp: 5 }
    const series = [...manySeries(2), { labels: { __name__: 'h' }, histograms: [custom] }]
    expect(await deliver(blockOf(series))).toEqual({
      forwarded: samples(2),
      refused: NOTHING,
      unsupported: { ...NOTHING, histograms: 1 },
    })
    expect(destination.unsupported.histograms).toBe(1)
  }))

test('a delivery that is given up rejects with the reason and has counted nothing', () =>
  scene(async ({ receiver, destination, events }) => {
    const giveUp = new AbortController()
    const reason = new Error('the gateway stops')
    receiver.respond = ({ index }) => {
      if (index === 20) giveUp.abort(reason)
      return { status: 503 }
    }
    const delivery = destination.deliver(blockOf(manySeries(2)), giveUp.signal)
    await expect(delivery).rejects.toBe(reason)
    expect(destination).toMatchObject({ forwarded: NOTHING, refused: NOTHING })
    expect(events.filter((event) => 'class' in event)).toEqual([])
  }))

test('F20: while the receiver is down one request at a time asks, however many blocks wait', () =>
  scene(async ({ receiver, deliver, clock }) => {
    receiver.respond = () => (clock.monotonicMs() < 60_000 ? { status: 503 } : undefined)
    const blocks = Array.from({ length: 20 }, (_, i) => blockOf(manySeries(1, 1000 + i), i + 1))
    await Promise.all(blocks.map(deliver))
    // Five seconds apart once it is known to be down, and 20 that arrive.
    expect(receiver.requests.length).toBeLessThan(20 + 30)
    const sizes = receiver.requests.map(({ status }) => status)
    expect(sizes.filter((status) => status === 204).length).toBeGreaterThan(0)
  }))
