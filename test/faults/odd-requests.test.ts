import { expect, test, vi } from 'vitest'
import { connectTo, pushHead, statusesOf } from '../receive/parts.ts'
import { valuesOf } from '../status/parts.ts'
import {
  expectGatewayBalanced,
  RW2_TYPE,
  type TestGateway,
  withGateway,
} from '../support/gateway.ts'
import { bodyAt, ticksAt } from './ticks.ts'

vi.setConfig({ testTimeout: 30_000 })

const body = bodyAt(1)
const type = `Content-Type: ${RW2_TYPE}`
const length = `Content-Length: ${body.length}`
const requestAt = (tick: number) => {
  const own = bodyAt(tick)
  return Buffer.concat([Buffer.from(pushHead(type, `Content-Length: ${own.length}`)), own])
}

/** In chunks of a few bytes, with whatever stands behind the last one. */
function chunked(bytes: Uint8Array, end: string): Buffer {
  const pieces: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += 7) {
    const piece = bytes.subarray(at, at + 7)
    pieces.push(
      Buffer.from(`${piece.length.toString(16)};note="x"\r\n`),
      piece,
      Buffer.from('\r\n'),
    )
  }
  return Buffer.concat([...pieces, Buffer.from(end)])
}

/** A push is taken, and what came before has left nothing behind. */
async function expectWell(own: TestGateway, ticks: number[]): Promise<void> {
  expect((await own.post(bodyAt(1_000), { 'Content-Type': RW2_TYPE })).status).toBe(204)
  await expect.poll(() => ticksAt(own)).toEqual([...ticks, 1_000])
  await expect.poll(async () => (await valuesOf(own)).get('sluice_receive_bodies_bytes')).toBe(0)
  await expectGatewayBalanced(own)
}

const TAKEN = [
  [
    'in the absolute form',
    `POST http://sluice/api/v1/write HTTP/1.1\r\nHost: sluice\r\n${type}\r\n${length}\r\n\r\n`,
  ],
  [
    'with a query',
    `POST /api/v1/write?tenant=a%20b HTTP/1.1\r\nHost: sluice\r\n${type}\r\n${length}\r\n\r\n`,
  ],
  [
    'to the other path',
    `POST /api/v1/push HTTP/1.1\r\nHost: sluice\r\n${type}\r\n${length}\r\n\r\n`,
  ],
  ['of version 1.0', `POST /api/v1/write HTTP/1.0\r\n${type}\r\n${length}\r\n\r\n`],
  ['with empty lines before it', `\r\n\r\n${pushHead(type, length)}`],
  [
    'with a hundred headers',
    pushHead(type, length, ...Array.from({ length: 100 }, (_, i) => `X-${i}: ${i}`)),
  ],
  ['with one length twice', pushHead(type, length, 'X: y')],
  [
    'that asks for another protocol',
    pushHead(
      type,
      length,
      'Connection: Upgrade, HTTP2-Settings',
      'Upgrade: h2c',
      'HTTP2-Settings: AAMAAABkAAQAAP__',
    ),
  ],
  ['that waits for permission and does not', pushHead(type, length, 'Expect: 100-continue')],
] as const

test.for(TAKEN)('a push %s is taken', ([, head]) =>
  withGateway(async (own) => {
    const sender = await connectTo(own.gateway.writePort)
    sender.send(Buffer.concat([Buffer.from(head), body]))
    await sender.until(' 204 ')
    expect(statusesOf(sender.received()).filter((status) => status !== 100)).toEqual([204])
    sender.socket.destroy()
    await expectWell(own, [1])
  }),
)

test('a push in chunks with extensions and trailers is taken, and what trails changes nothing', () =>
  withGateway(async (own) => {
    const sender = await connectTo(own.gateway.writePort)
    sender.send(pushHead(type, 'Transfer-Encoding: chunked', 'Trailer: X-Sum'))
    sender.send(chunked(body, '0\r\nX-Sum: 1\r\nContent-Encoding: gzip\r\n\r\n'))
    await sender.until(' 204 ')
    sender.send(requestAt(2))
    await sender.until(' 204 ', 2)
    sender.socket.destroy()
    await expectWell(own, [1, 2])
  }))

test('a body is asked for when there is room for it, and not when it is refused', () =>
  withGateway(async (own) => {
    const expects = 'Expect: 100-continue'
    const patient = await connectTo(own.gateway.writePort)
    patient.send(pushHead(type, length, expects))
    await patient.until('100 Continue')
    patient.send(body)
    await patient.until(' 204 ')
    patient.socket.destroy()
    for (const [headers, status] of [
      [[type, `Content-Length: ${64 * 2 ** 20}`, expects], 413],
      [['Content-Type: text/plain', length, expects], 415],
      [[type, length, 'Content-Encoding: gzip', expects], 415],
    ] as const) {
      const refused = await connectTo(own.gateway.writePort)
      refused.send(pushHead(...headers))
      await refused.until(` ${status} `)
      expect(statusesOf(refused.received())).toEqual([status])
      refused.socket.destroy()
    }
    await expectWell(own, [1])
  }))

test('pushes that come at once on one connection are answered in their order, each once', () =>
  withGateway(async (own) => {
    const ticks = Array.from({ length: 50 }, (_, i) => i + 1)
    const sender = await connectTo(own.gateway.writePort)
    sender.send(Buffer.concat(ticks.map(requestAt)))
    await sender.until(' 204 ', 50)
    expect(statusesOf(sender.received())).toEqual(ticks.map(() => 204))
    sender.socket.destroy()
    await expectWell(own, ticks)
  }))

test('of a sender that closes its half after the last push, each is answered', () =>
  withGateway(async (own) => {
    const sender = await connectTo(own.gateway.writePort)
    sender.socket.end(Buffer.concat([requestAt(1), requestAt(2), requestAt(3)]))
    await sender.closed
    const statuses = statusesOf(sender.received())
    // Those that are not answered come again, and are duplicates then.
    expect(statuses).toEqual(statuses.map(() => 204))
    for (const tick of [1, 2, 3]) {
      expect((await own.post(bodyAt(tick), { 'Content-Type': RW2_TYPE })).status).toBe(204)
    }
    await expectWell(own, [1, 2, 3])
  }))

const SMUGGLED = 'GET /metrics HTTP/1.1\r\nHost: sluice\r\n\r\n'

/** What is no request, or two different ones for two readers; and the answers that are allowed. */
const REFUSED: [what: string, bytes: string | Uint8Array, statuses: number[]][] = [
  ['two lengths', `${pushHead(type, 'Content-Length: 0', length)}${SMUGGLED}`, [400]],
  ['two lengths in one header', `${pushHead(type, 'Content-Length: 5, 6')}${SMUGGLED}`, [400]],
  [
    'a length and chunks',
    `${pushHead(type, length, 'Transfer-Encoding: chunked')}0\r\n\r\n${SMUGGLED}`,
    [400],
  ],
  [
    'chunks and a length',
    `${pushHead(type, 'Transfer-Encoding: chunked', length)}0\r\n\r\n${SMUGGLED}`,
    [400],
  ],
  [
    'chunks that are not the last encoding',
    `${pushHead(type, 'Transfer-Encoding: chunked, identity')}0\r\n\r\n`,
    [400],
  ],
  [
    'an encoding that nobody knows',
    `${pushHead(type, 'Transfer-Encoding: xchunked')}0\r\n\r\n`,
    [400],
  ],
  ['a negative length', pushHead(type, 'Content-Length: -1'), [400]],
  ['a length in hexadecimal', pushHead(type, 'Content-Length: 0x10'), [400]],
  ['a length beyond all numbers', pushHead(type, `Content-Length: ${'9'.repeat(30)}`), [400]],
  [
    'a chunk of a negative length',
    `${pushHead(type, 'Transfer-Encoding: chunked')}-1\r\nx\r\n`,
    [400],
  ],
  [
    'a chunk beyond all numbers',
    `${pushHead(type, 'Transfer-Encoding: chunked')}${'f'.repeat(17)}\r\nx`,
    [400],
  ],
  [
    'a length behind the chunks',
    `${pushHead(type, 'Transfer-Encoding: chunked')}0\r\nContent-Length: 9\r\n\r\n`,
    [400],
  ],
  ['a folded header', pushHead(type, 'X: a\r\n b', length), [400]],
  ['a blank before the colon', pushHead(type, 'Content-Length : 5'), [400]],
  ['a header without a name', pushHead(type, ': 5'), [400]],
  ['a zero in a header', pushHead(type, 'X: a\0b'), [400]],
  ['a carriage return alone', pushHead(type, 'X: a\rContent-Length: 5'), [400]],
  [
    'headers of 20 kB',
    pushHead(...Array.from({ length: 200 }, (_, i) => `X-${i}: ${'y'.repeat(100)}`)),
    [431],
  ],
  ['a URL of 20 kB', `POST /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: s\r\n\r\n`, [400, 431]],
  ['no host', `POST /api/v1/write HTTP/1.1\r\n${type}\r\nContent-Length: 0\r\n\r\n`, [400]],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', [400]],
  ['the hello of TLS', Buffer.from('160301020001fc0303', 'hex'), [400]],
  ['a version of the future', 'POST /api/v1/write HTTP/3.0\r\nHost: s\r\n\r\n', [400, 505]],
  ['a method that nobody knows', 'PUSH /api/v1/write HTTP/1.1\r\nHost: s\r\n\r\n', [400]],
  [
    'a way through to somebody else',
    'CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n',
    [],
  ],
  ['random bytes', Buffer.from(Array.from({ length: 500 }, (_, i) => (i * 197 + 31) % 256)), [400]],
]

test.for(REFUSED)(
  '%s: refused, the connection ends, and nothing behind it is read',
  ([, bytes, statuses]) =>
    withGateway(async (own) => {
      const sender = await connectTo(own.gateway.writePort)
      sender.send(bytes)
      await sender.closed
      const answered = statusesOf(sender.received())
      expect(answered.length).toBeLessThanOrEqual(1)
      if (statuses.length > 0) expect(statuses).toContain(answered[0])
      else expect(answered).toEqual([])
      await expectWell(own, [])
    }),
)

const ELSEWHERE: [what: string, head: string, status: number][] = [
  ['OPTIONS of everything', 'OPTIONS * HTTP/1.1\r\nHost: s\r\n\r\n', 404],
  ['HEAD of where pushes go', 'HEAD /api/v1/write HTTP/1.1\r\nHost: s\r\n\r\n', 405],
  ['TRACE', 'TRACE /api/v1/write HTTP/1.1\r\nHost: s\r\n\r\n', 405],
  [
    'a path that climbs',
    'POST /api/v1/../v1/write HTTP/1.1\r\nHost: s\r\nContent-Length: 0\r\n\r\n',
    404,
  ],
  [
    'a path with a zero',
    'POST /api/v1/write%00 HTTP/1.1\r\nHost: s\r\nContent-Length: 0\r\n\r\n',
    404,
  ],
  ['the metrics, from where pushes go', 'GET /metrics HTTP/1.1\r\nHost: s\r\n\r\n', 404],
  [
    'a Content-Encoding twice',
    pushHead(type, 'Content-Encoding: snappy', 'Content-Encoding: snappy', 'Content-Length: 0'),
    415,
  ],
  [
    'two kinds of content',
    pushHead(type, 'Content-Type: application/json', 'Content-Length: 0'),
    415,
  ],
]

test.for(ELSEWHERE)('%s is answered, and the connection goes on', ([, head, status]) =>
  withGateway(async (own) => {
    const sender = await connectTo(own.gateway.writePort)
    sender.send(head)
    await sender.until(` ${status} `)
    sender.send(requestAt(1))
    await sender.until(' 204 ')
    expect(statusesOf(sender.received())).toEqual([status, 204])
    sender.socket.destroy()
    await expectWell(own, [1])
  }),
)
