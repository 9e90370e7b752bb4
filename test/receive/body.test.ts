import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { announcedBytes, type Body, type BodyOptions, readBody } from '../../src/receive/body.ts'
import { type Connection, connectTo, pushHead } from './parts.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)
const LIMIT = 1000

type Received = { body: Body; announced: number | null; request: IncomingMessage; grown: number[] }

/** What `readBody` makes of the one request that `send` writes; then the connection is cut. */
async function bodyOf(
  send: (sender: Connection, request: Promise<unknown>) => unknown,
  options: Partial<BodyOptions> = {},
): Promise<Received> {
  const server = createServer({ keepAliveTimeout: 1 })
  server.on('clientError', (_error, socket) => socket.destroy())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const sender = await connectTo((server.address() as AddressInfo).port)
  const arrived = once(server, 'request') as Promise<[IncomingMessage, ServerResponse]>
  try {
    await send(sender, arrived)
    const [request] = await arrived
    request.on('error', () => {})
    const grown: number[] = []
    const grow = (bytes: number) => {
      grown.push(bytes)
      return options.grow?.(bytes) ?? true
    }
    const body = await readBody(request, { limitBytes: LIMIT, ...options, grow })
    return { body, announced: announcedBytes(request), request, grown }
  } finally {
    sender.socket.destroy()
    server.close()
    server.closeAllConnections()
  }
}

const whole = (bytes: Uint8Array) => ({ kind: 'whole', bytes: Buffer.from(bytes) })
const chunk = (bytes: Uint8Array) =>
  Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')])

test('a body is what was sent, in whatever pieces, with and without a length', async () => {
  const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 60 }), { maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(pieces, fc.boolean(), async (parts, isChunked) => {
      const bytes = Buffer.concat(parts)
      const length = isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${bytes.length}`
      const { body, announced } = await bodyOf(async (sender, request) => {
        sender.send(pushHead(length))
        await request
        for (const part of parts) sender.send(isChunked ? chunk(part) : part)
        if (isChunked) sender.send('0\r\n\r\n')
      })
      expect(body).toMatchObject(whole(bytes))
      expect(announced).toBe(isChunked ? null : bytes.length)
    }),
    { numRuns: Math.min(numRuns, 1000) },
  )
})

test('a request without length and without chunks has an empty body', async () => {
  const { body, announced } = await bodyOf((sender) => sender.send(pushHead()))
  expect(body).toMatchObject(whole(new Uint8Array(0)))
  expect(announced).toBe(0)
})

test('a body of the limit is whole; announced one byte longer it is not read at all', async () => {
  const send = (length: number) => (sender: Connection) => {
    sender.send(pushHead(`Content-Length: ${length}`))
    sender.send(Buffer.alloc(length))
  }
  expect((await bodyOf(send(LIMIT))).body).toMatchObject(whole(Buffer.alloc(LIMIT)))
  const { body, request } = await bodyOf(send(LIMIT + 1))
  expect(body).toEqual({ kind: 'too-large' })
  expect(request.readableFlowing).toBe(null)
})

test('a body in chunks is read up to the limit and not further', async () => {
  const send = (length: number) => (sender: Connection) =>
    sender.send(
      Buffer.concat([
        Buffer.from(pushHead('Transfer-Encoding: chunked')),
        chunk(Buffer.alloc(length)),
        Buffer.from('0\r\n\r\n'),
      ]),
    )
  expect((await bodyOf(send(LIMIT))).body).toMatchObject(whole(Buffer.alloc(LIMIT)))
  const { body, request } = await bodyOf(send(LIMIT + 1))
  expect(body).toEqual({ kind: 'too-large' })
  expect(request.isPaused()).toBe(true)
})

test('room is asked for every byte that nobody announced, and for no other', async () => {
  const chunked = await bodyOf(async (sender, request) => {
    sender.send(pushHead('Transfer-Encoding: chunked'))
    await request
    sender.send(Buffer.concat([chunk(Buffer.alloc(7)), chunk(Buffer.alloc(5))]))
    sender.send('0\r\n\r\n')
  })
  expect(chunked.grown.reduce((sum, bytes) => sum + bytes, 0)).toBe(12)
  const announced = await bodyOf((sender) => sender.send(`${pushHead('Content-Length: 2')}ab`))
  expect(announced.grown).toEqual([])
})

test('where there is no more room, reading stops', async () => {
  const { body, request } = await bodyOf(
    (sender) =>
      sender.send(
        Buffer.concat([
          Buffer.from(pushHead('Transfer-Encoding: chunked')),
          chunk(Buffer.alloc(7)),
        ]),
      ),
    { grow: () => false },
  )
  expect(body).toEqual({ kind: 'no-room' })
  expect(request.isPaused()).toBe(true)
})

test.for([
  ['resets the connection', (sender: Connection) => sender.socket.resetAndDestroy()],
  ['closes the connection', (sender: Connection) => sender.socket.end()],
] as const)('a sender that %s before its body is whole is gone', async ([, leave]) => {
  for (const length of ['Content-Length: 100', 'Transfer-Encoding: chunked']) {
    const { body } = await bodyOf(async (sender, request) => {
      sender.send(`${pushHead(length)}3\r\nabc\r\n`)
      await request
      setTimeout(() => leave(sender), 20)
    })
    expect(body).toEqual({ kind: 'gone' })
  }
})

test('a sender that left before anybody looked is gone, too', async () => {
  const { body } = await bodyOf(async (sender, request) => {
    sender.send(`${pushHead('Content-Length: 100')}abc`)
    const [{ socket }] = (await request) as [IncomingMessage]
    sender.socket.resetAndDestroy()
    await new Promise((resolve) => socket.once('close', resolve))
  })
  expect(body).toEqual({ kind: 'gone' })
})

test('what came in pieces takes the memory of one body only', async () => {
  const pieces = ['one', 'two'].map((text) => {
    const piece = Buffer.allocUnsafeSlow(3)
    piece.write(text)
    return piece
  })
  const request = Object.assign(Readable.from(pieces), { headers: { 'content-length': '6' } })
  const body = await readBody(request as unknown as IncomingMessage, {
    limitBytes: LIMIT,
    grow: () => true,
  })
  expect(body).toEqual({ kind: 'whole', bytes: Buffer.from('onetwo') })
  expect(pieces.map(({ length }) => length)).toEqual([0, 0])
})
