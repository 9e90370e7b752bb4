import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import type { Outcome } from '../../src/model/outcome.ts'
import { BODY_BYTES_MAX } from '../../src/receive/body.ts'
import { Permits } from '../../src/receive/permit.ts'
import { post, RW1_TYPE, RW2_TYPE } from '../support/gateway.ts'
import { pushHead, statusesOf, type Writing, withWriting } from './parts.ts'

/** What every request costs besides its body. */
const REQUEST_BYTES = 16 * 1024
const RW2 = { 'Content-Type': RW2_TYPE }

test('a push is handed over as it came, with its protocol, and its outcome is the answer', () =>
  withWriting(async ({ port, pushes }) => {
    const answer = await post(port, Buffer.from('body'), RW2)
    expect(answer).toMatchObject({ status: 204, written: [1, 2, 3], text: '' })
    expect(answer.headers).not.toHaveProperty('content-type')
    expect(await post(port, Buffer.from('other'), { 'Content-Type': RW1_TYPE })).toMatchObject({
      status: 204,
      written: null,
    })
    expect(pushes).toMatchObject([
      { protocol: 'rw2', body: Buffer.from('body'), sender: { cluster: 'default' } },
      { protocol: 'rw1', body: Buffer.from('other') },
    ])
  }))

test('a push is dated when the whole of its body is there', async () => {
  let nowMs = 1000
  await withWriting(
    async ({ connect, pushes, permits }) => {
      const sender = await connect()
      sender.send(pushHead('Content-Length: 4'))
      await expect.poll(() => permits.inUseBytes).toBeGreaterThan(0)
      sender.send('ab')
      nowMs = 2000
      sender.send('cd')
      await sender.until('204')
      expect(pushes).toMatchObject([{ receivedMs: 2000, body: Buffer.from('abcd') }])
    },
    { clock: { ...systemClock, nowMs: () => nowMs } },
  )
})

test('the announced bytes are taken before the first of them has come, and given back', () =>
  withWriting(async ({ connect, permits }) => {
    const sender = await connect()
    sender.send(pushHead('Content-Length: 5000'))
    await expect.poll(() => permits.inUseBytes).toBe(REQUEST_BYTES + 5000)
    sender.send(Buffer.alloc(5000))
    await sender.until('204')
    await expect.poll(() => permits.inUseBytes).toBe(0)
  }))

test('the bytes of chunks are taken as they come, and given back', () =>
  withWriting(async ({ connect, permits, pushes }) => {
    const sender = await connect()
    sender.send(pushHead('Transfer-Encoding: chunked'))
    await expect.poll(() => permits.inUseBytes).toBe(REQUEST_BYTES)
    sender.send('3\r\nabc\r\n')
    await expect.poll(() => permits.inUseBytes).toBe(REQUEST_BYTES + 3)
    sender.send('2\r\nde\r\n0\r\n\r\n')
    await sender.until('204')
    expect(pushes).toMatchObject([{ body: Buffer.from('abcde') }])
    await expect.poll(() => permits.inUseBytes).toBe(0)
  }))

test('who finds no room is told when to come back, and none of the body is waited for', () =>
  withWriting(
    async ({ connect, permits, pushes, counters }) => {
      const first = await connect()
      first.send(pushHead('Content-Length: 5000'))
      await expect.poll(() => permits.inUseBytes).toBeGreaterThan(0)
      const second = await connect()
      second.send(pushHead('Content-Length: 5000', `Content-Type: ${RW2_TYPE}`))
      await second.until('\r\n\r\n')
      expect(statusesOf(second.received())).toEqual([503])
      expect(second.received()).toContain('Retry-After: 9\r\n')
      expect(second.received()).toContain('Samples-Written: 0\r\n')
      expect(permits).toMatchObject({ inUseBytes: REQUEST_BYTES + 5000, refused: 1 })

      // The first was there earlier, and is taken all the same.
      first.send(Buffer.alloc(5000))
      await first.until('204')
      expect(pushes).toHaveLength(1)
      expect(counters.answers).toEqual(
        new Map([
          ['rw2 503', 1],
          ['rw1 204', 1],
        ]),
      )
    },
    { permits: new Permits(REQUEST_BYTES * 2 + 6000), random: () => 0.99 },
  ))

test('chunks that outgrow the room are refused in the middle, and nothing of them is handed over', () =>
  withWriting(
    async ({ connect, permits, pushes }) => {
      const sender = await connect()
      sender.send(pushHead('Transfer-Encoding: chunked'))
      sender.send(`400\r\n${'x'.repeat(0x400)}\r\n`)
      await expect.poll(() => permits.inUseBytes).toBe(REQUEST_BYTES + 0x400)
      sender.send(`400\r\n${'x'.repeat(0x400)}\r\n`)
      await sender.closed
      expect(statusesOf(sender.received())).toEqual([503])
      expect(sender.received()).toMatch(/Retry-After: \d+\r\n/)
      expect(pushes).toEqual([])
      expect(permits.inUseBytes).toBe(0)
    },
    { permits: new Permits(REQUEST_BYTES + 0x600) },
  ))

test('a body of exactly the limit is taken; one byte more is 413 before any of it has come', () =>
  withWriting(async ({ port, connect, pushes, permits }) => {
    expect(await post(port, Buffer.alloc(BODY_BYTES_MAX), RW2)).toMatchObject({ status: 204 })
    expect(pushes[0]!.body).toHaveLength(BODY_BYTES_MAX)
    const sender = await connect()
    sender.send(pushHead(`Content-Length: ${BODY_BYTES_MAX + 1}`, `Content-Type: ${RW2_TYPE}`))
    await sender.closed
    expect(statusesOf(sender.received())).toEqual([413])
    expect(sender.received()).toContain('Samples-Written: 0\r\n')
    // It was never going to be read, so it took no memory from others either.
    expect(permits).toMatchObject({ inUseBytes: 0, refused: 0 })
  }))

const chunksTooLong = `8000000\r\n${'x'.repeat(1 << 20)}`.padEnd(BODY_BYTES_MAX + (1 << 21), 'x')

const waysOut: [string, (writing: Writing) => Promise<void>, (() => Promise<Outcome>)?][] = [
  ['an outcome', async ({ port }) => void (await post(port, Buffer.alloc(9), RW2))],
  [
    'a fault of the ingest',
    async ({ port }) => {
      const answer = await post(port, Buffer.alloc(9), RW2)
      expect(answer).toMatchObject({ status: 503, written: [0, 0, 0] })
      expect(answer.headers['retry-after']).toBe('6')
      // What went wrong inside is for the log, and not for a stranger.
      expect(answer.text).not.toContain('secret')
    },
    async () => {
      throw new Error('secret')
    },
  ],
  [
    'a sender that resets the connection in the middle',
    async ({ connect, permits, counters }) => {
      const sender = await connect()
      sender.send(`${pushHead('Content-Length: 5000')}some`)
      await expect.poll(() => permits.inUseBytes).toBeGreaterThan(0)
      sender.socket.resetAndDestroy()
      await expect.poll(() => counters.gone).toBe(1)
    },
  ],
  [
    'a sender that resets the connection in the middle of chunks',
    async ({ connect, permits, counters }) => {
      const sender = await connect()
      sender.send(`${pushHead('Transfer-Encoding: chunked')}3\r\nabc\r\n`)
      await expect.poll(() => permits.inUseBytes).toBe(REQUEST_BYTES + 3)
      sender.socket.resetAndDestroy()
      await expect.poll(() => counters.gone).toBe(1)
    },
  ],
  [
    'chunks that are none',
    async ({ connect, permits, counters }) => {
      const sender = await connect()
      sender.send(`${pushHead('Transfer-Encoding: chunked')}3\r\nabc\r\n`)
      await expect.poll(() => permits.inUseBytes).toBe(REQUEST_BYTES + 3)
      sender.send('no number\r\n')
      await expect.poll(() => counters.gone).toBe(1)
    },
  ],
  [
    'chunks over the limit',
    async ({ connect }) => {
      const sender = await connect()
      sender.send(pushHead('Transfer-Encoding: chunked'))
      sender.send(chunksTooLong)
      await sender.until('413')
    },
  ],
]

test.for(waysOut)(
  'after %s all memory is given back, and the next push is taken',
  ([, goOut, ingest]) => {
    let isFirst = true
    const once = async (): Promise<Outcome> => {
      const result = isFirst ? ingest?.() : undefined
      isFirst = false
      return (
        (await result) ?? {
          kind: 'accepted',
          written: { samples: 1, histograms: 2, exemplars: 3 },
        }
      )
    }
    return withWriting(
      async (writing) => {
        await goOut(writing)
        await expect.poll(() => writing.permits.inUseBytes).toBe(0)
        expect(await post(writing.port, Buffer.alloc(9), RW2)).toMatchObject({ status: 204 })
        expect(writing.pushes.at(-1)!.body).toHaveLength(9)
      },
      { ingest: once },
    )
  },
)

test('a sender that leaves while its push is being kept costs nothing but its answer', async () => {
  const kept = Promise.withResolvers<Outcome>()
  await withWriting(
    async ({ connect, permits, pushes, port }) => {
      const sender = await connect()
      sender.send(`${pushHead('Content-Length: 2')}ab`)
      await expect.poll(() => pushes).toHaveLength(1)
      sender.socket.resetAndDestroy()
      await delay(20)
      // The bytes are still in use: the ingest has them.
      expect(permits.inUseBytes).toBe(REQUEST_BYTES + 2)
      kept.resolve({ kind: 'malformed', reason: 'no matter' })
      await expect.poll(() => permits.inUseBytes).toBe(0)
      expect(await post(port, Buffer.alloc(1), RW2)).toMatchObject({ status: 400 })
    },
    { ingest: () => kept.promise },
  )
})

test('what is refused by its head alone takes no memory and is counted without protocol', () =>
  withWriting(
    async ({ port, counters, permits }) => {
      const body = Buffer.from('{}')
      expect(await post(port, body, { 'Content-Type': 'application/json' })).toMatchObject({
        status: 415,
        written: null,
      })
      const wrong = await post(port, body, RW2, '/api/v1/write', 'PUT')
      expect(wrong).toMatchObject({ status: 405, headers: { allow: 'POST' }, written: null })
      expect([...counters.answers]).toEqual([
        ['none 415', 1],
        ['none 405', 1],
      ])
      expect(permits.refused).toBe(0)
    },
    { permits: new Permits(0) },
  ))

test('a sender that says that it tries again is counted', () =>
  withWriting(async ({ port, counters }) => {
    await post(port, Buffer.alloc(1), RW2)
    await post(port, Buffer.alloc(1), { ...RW2, 'Retry-Attempt': '3' })
    expect(counters.retries).toBe(1)
  }))

test('a body that is asked for is sent only when there is room for it', () =>
  withWriting(
    async ({ connect, permits, pushes }) => {
      const expecting = pushHead('Content-Length: 5000', 'Expect: 100-continue')
      const first = await connect()
      first.send(expecting)
      await first.until('HTTP/1.1 100 Continue\r\n\r\n')
      expect(permits.inUseBytes).toBe(REQUEST_BYTES + 5000)

      const second = await connect()
      second.send(expecting)
      await second.closed
      expect(statusesOf(second.received())).toEqual([503])

      first.send(Buffer.alloc(5000))
      await first.until('204')
      expect(statusesOf(first.received())).toEqual([100, 204])
      expect(pushes).toHaveLength(1)
    },
    { permits: new Permits(REQUEST_BYTES * 2 + 6000) },
  ))
