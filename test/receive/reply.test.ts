import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import { refusal } from '../../src/receive/answer.ts'
import { reply } from '../../src/receive/reply.ts'
import type { Handler } from '../../src/receive/server.ts'
import { pushHead, sendUntilClosed, statusesOf, withServer } from './parts.ts'

const MIB = 1024 * 1024
const refuse: Handler = (_request, response) =>
  reply(response, refusal(415, 'not this'), systemClock)

test('an answer has the length of its bytes, and one without text has neither length nor type', () =>
  withServer(
    {
      '/text': (_request, response) => reply(response, refusal(400, 'né'), systemClock),
      '/none': (_request, response) =>
        reply(response, { status: 204, headers: { 'X-Own': 1 }, body: '' }, systemClock),
    },
    async ({ port }) => {
      const text = await fetch(`http://127.0.0.1:${port}/text`)
      expect(text.headers.get('content-length')).toBe('4')
      expect(await text.text()).toBe('né\n')
      const none = await fetch(`http://127.0.0.1:${port}/none`)
      expect(none.status).toBe(204)
      expect(none.headers.get('x-own')).toBe('1')
      expect(none.headers.has('content-length')).toBe(false)
      expect(none.headers.has('content-type')).toBe(false)
    },
  ))

test('to HEAD the same is said without the text', () =>
  withServer({ '/': refuse }, async ({ port }) => {
    const answer = await fetch(`http://127.0.0.1:${port}/`, { method: 'HEAD' })
    expect(answer.status).toBe(415)
    expect(answer.headers.get('content-length')).toBe('9')
    expect(await answer.text()).toBe('')
  }))

test('a short body that is refused is taken off the wire, and the connection stays', () =>
  withServer({ '/api/v1/write': refuse }, async ({ connect }) => {
    const sender = await connect()
    const push = `${pushHead(`Content-Length: ${256 * 1024}`)}${'x'.repeat(256 * 1024)}`
    sender.send(push)
    sender.send(push)
    await sender.until('not this', 2)
    expect(statusesOf(sender.received())).toEqual([415, 415])
    expect(sender.received()).not.toContain('Connection: close')
  }))

test.for(['Content-Length: 1000000000', 'Transfer-Encoding: chunked'])(
  'a long body with %s is not read, and yet its sender sees the answer and then the end',
  (length) =>
    withServer({ '/api/v1/write': refuse }, async ({ connect }) => {
      const sender = await connect()
      sender.send(pushHead(length))
      if (length.startsWith('Transfer')) sender.send(`${(1_000_000_000).toString(16)}\r\n`)
      const sentBytes = sendUntilClosed(sender, 1_000_000_000)
      await sender.until('not this')
      expect(sender.received()).toContain('Connection: close')
      // What the kernel takes on both sides lies between us and what was read.
      expect(await sentBytes).toBeLessThan(128 * MIB)
      expect(statusesOf(sender.received())).toEqual([415])
    }),
)

test('who closes after the answer is not waited for', async () => {
  const slept: { ms: number; isOver: boolean }[] = []
  const clock: Clock = {
    ...systemClock,
    sleep: async (ms, signal) => {
      const one = { ms, isOver: false }
      slept.push(one)
      await systemClock.sleep(60_000, signal).finally(() => {
        one.isOver = true
      })
    },
  }
  const answered: boolean[] = []
  const handler: Handler = async (_request, response) => {
    await reply(response, refusal(413, 'too long'), clock)
    answered.push(true)
  }
  await withServer({ '/api/v1/write': handler }, async ({ connect }) => {
    const sender = await connect()
    sender.send(pushHead('Content-Length: 1000000000'))
    await sender.until('too long')
    expect(slept).toEqual([{ ms: 500, isOver: false }])
    sender.socket.destroy()
    await expect.poll(() => answered).toEqual([true])
    expect(slept).toEqual([{ ms: 500, isOver: true }])
  })
})

test('who has left already is not answered', () =>
  withServer(
    {
      '/api/v1/write': async (_request, response) => {
        response.destroy()
        await reply(response, refusal(413, 'too long'), systemClock)
      },
    },
    async ({ connect }) => {
      const sender = await connect()
      sender.send(pushHead('Content-Length: 1'))
      await sender.closed
      await delay(1)
      expect(sender.received()).toBe('')
    },
  ))
