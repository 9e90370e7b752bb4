import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { createLogger } from '../../src/base/log.ts'
import { createServer, type Handler } from '../../src/receive/server.ts'
import { connectTo, pushHead, statusesOf, withServer, withWriting } from './parts.ts'

const hello: Handler = async (request, response) => {
  for await (const _ of request);
  response.end('hello')
}
const get = (path: string, ...headers: string[]) =>
  `${[`GET ${path} HTTP/1.1`, 'Host: sluice', ...headers].join('\r\n')}\r\n\r\n`
const QUICK = { headersMs: 200, requestMs: 400, keepAliveMs: 100 }

test('a connection serves one request after the other, also when they come at once', () =>
  withServer({ '/hello': hello }, async ({ connect }) => {
    const client = await connect()
    client.send(get('/hello'))
    await client.until('hello')
    client.send(get('/hello').repeat(3))
    await client.until('hello', 4)
    expect(statusesOf(client.received())).toEqual([200, 200, 200, 200])
  }))

test('an idle connection is kept longer than the five minutes for which senders keep theirs', () =>
  withServer({ '/hello': hello }, async ({ connect }) => {
    const client = await connect()
    client.send(get('/hello'))
    await client.until('hello')
    const [, seconds] = /Keep-Alive: timeout=(\d+)/.exec(client.received())!
    expect(Number(seconds)).toBeGreaterThan(300)
  }))

test('an idle connection is closed when its time is over', () =>
  withServer(
    { '/hello': hello },
    async ({ connect }) => {
      const client = await connect()
      client.send(get('/hello'))
      await client.closed
      expect(statusesOf(client.received())).toEqual([200])
    },
    { timeouts: QUICK },
  ))

test('a head that comes byte by byte is cut off in time, and not answered', () =>
  withServer(
    { '/hello': hello },
    async ({ connect }) => {
      const client = await connect()
      const startMs = performance.now()
      const dripping = setInterval(() => client.send('x'), 20)
      client.send('GET /hello HTTP/1.1\r\nHost: ')
      await client.closed
      clearInterval(dripping)
      expect(performance.now() - startMs).toBeLessThan(2_000)
      expect(client.received()).toBe('')
    },
    { timeouts: { ...QUICK, requestMs: 60_000, keepAliveMs: 60_000 } },
  ))

test('a body that comes byte by byte is cut off in time, not answered, and its memory given back', () =>
  withWriting(
    async ({ connect, permits, pushes, counters }) => {
      const sender = await connect()
      const startMs = performance.now()
      sender.send(pushHead('Content-Length: 1000'))
      const dripping = setInterval(() => sender.send('x'), 20)
      await expect.poll(() => permits.inUseBytes).toBeGreaterThan(0)
      await sender.closed
      clearInterval(dripping)
      expect(performance.now() - startMs).toBeLessThan(2_000)
      expect(sender.received()).toBe('')
      await expect.poll(() => permits.inUseBytes).toBe(0)
      expect(counters.gone).toBe(1)
      expect(pushes).toEqual([])
    },
    { timeouts: { ...QUICK, keepAliveMs: 60_000 } },
  ))

test('a path is looked up without its query, and what every object has is no path', () =>
  withServer({ '/hello': hello }, async ({ port }) => {
    const url = `http://127.0.0.1:${port}`
    expect((await fetch(`${url}/hello?a=/b`)).status).toBe(200)
    for (const path of ['/', '/hello/', '/Hello', 'toString', '/__proto__', '/constructor']) {
      expect((await fetch(`${url}/${path.slice(1)}`)).status).toBe(404)
    }
    const answer = await fetch(`${url}/api/v1/wirte`, { method: 'POST', body: 'push' })
    expect(answer.status).toBe(404)
    expect(await answer.text()).toBe(
      'nothing is at "/api/v1/wirte": correct the URL. Here are\n  /hello\n',
    )
  }))

test('a handler that fails is a 503 and a line in the log, and the server goes on', async () => {
  const lines: string[] = []
  const log = createLogger({ level: 'error', destination: { write: (line) => lines.push(line) } })
  const fail = async () => {
    throw new Error('a bug')
  }
  await withServer(
    {
      '/hello': hello,
      '/early': fail,
      '/late': async (_request, response) => {
        response.writeHead(200).write('half')
        await fail()
      },
    },
    async ({ port, connect }) => {
      const early = await fetch(`http://127.0.0.1:${port}/early`)
      expect(early.status).toBe(503)
      expect(await early.text()).toBe('internal error: try again later\n')
      const client = await connect()
      client.send(get('/late'))
      await client.closed
      // Not ended as it should be, so that nobody takes the half for the whole.
      expect(client.received()).not.toContain('\r\n0\r\n')
      expect(await (await fetch(`http://127.0.0.1:${port}/hello`)).text()).toBe('hello')
      expect(lines[0]).toContain('a bug')
    },
    { log },
  )
})

test.for([
  ['no HTTP at all', '\u0016\u0003\u0001 this is TLS\r\n\r\n', 400],
  ['a head without end', get('/hello', `X: ${'x'.repeat(20_000)}`), 431],
  ['two lengths', 'POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 400],
  ['a length and chunks', pushHead('Content-Length: 3', 'Transfer-Encoding: chunked'), 400],
  ['no host', 'GET /hello HTTP/1.1\r\n\r\n', 400],
] as const)('%s is answered once, and the connection is closed', ([, bytes, status]) =>
  withServer({ '/hello': hello }, async ({ connect }) => {
    const client = await connect()
    client.send(bytes)
    await client.closed
    expect(statusesOf(client.received())).toEqual([status])
    expect(client.received()).toContain('Connection: close')
  }),
)

test('a second request that is no HTTP does not answer the first one', async () => {
  const gate = Promise.withResolvers<void>()
  const slow: Handler = async (_request, response) => {
    await gate.promise
    response.end('hello')
  }
  await withServer({ '/slow': slow }, async ({ connect }) => {
    const client = await connect()
    client.send(get('/slow'))
    client.send('no HTTP\r\n\r\n')
    await client.closed
    expect(statusesOf(client.received())).not.toContain(400)
    gate.resolve()
  })
})

test.for(['Content-Length: 100', 'Transfer-Encoding: chunked'])(
  'a body with %s whose sender says that no more comes is not answered: the sender repeats it',
  (length) =>
    withWriting(async ({ connect, counters, pushes }) => {
      const sender = await connect()
      sender.send(`${pushHead(length)}3\r\nabc\r\n`)
      sender.socket.end()
      await sender.closed
      expect(sender.received()).toBe('')
      await expect.poll(() => counters.gone).toBe(1)
      expect(pushes).toEqual([])
    }),
)

test('stopping closes idle connections at once and refuses new ones', () =>
  withServer({ '/hello': hello }, async ({ server, port, connect }) => {
    const [idle, silent] = [await connect(), await connect()]
    idle.send(get('/hello'))
    await idle.until('hello')
    const startMs = performance.now()
    await server.stop(5_000)
    expect(performance.now() - startMs).toBeLessThan(1_000)
    await Promise.all([idle.closed, silent.closed])
    await expect(connectTo(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  }))

test('stopping waits for requests that are open, answers them, and ends their connections', async () => {
  const gate = Promise.withResolvers<void>()
  const slow: Handler = async (_request, response) => {
    await gate.promise
    response.end('hello')
  }
  await withServer({ '/slow': slow }, async ({ server, connect }) => {
    const client = await connect()
    client.send(get('/slow'))
    await delay(20)
    let isStopped = false
    const stopped = server.stop(5_000).then(() => {
      isStopped = true
    })
    await delay(50)
    expect(isStopped).toBe(false)
    gate.resolve()
    await stopped
    await client.closed
    expect(client.received()).toContain('Connection: close')
    expect(client.received()).toContain('hello')
  })
})

test('a request whose head was on its way when the server stopped is the last one', async () => {
  const gate = Promise.withResolvers<void>()
  const slow: Handler = async (_request, response) => {
    await gate.promise
    response.end('slow')
  }
  await withServer({ '/slow': slow, '/hello': hello }, async ({ server, connect }) => {
    const [open, late] = [await connect(), await connect()]
    open.send(get('/slow'))
    late.send('GET /hello HTTP/1.1\r\n')
    await delay(20)
    const stopped = server.stop(5_000)
    late.send('Host: sluice\r\n\r\n')
    await late.closed
    expect(late.received()).toContain('Connection: close')
    expect(late.received()).toContain('hello')
    gate.resolve()
    await stopped
  })
})

test('stopping waits for a request that never ends until the deadline, and no longer', () =>
  withServer({ '/never': () => new Promise(() => {}) }, async ({ server, connect }) => {
    const client = await connect()
    client.send(get('/never'))
    await delay(20)
    const startMs = performance.now()
    await server.stop(100)
    expect(performance.now() - startMs).toBeGreaterThan(90)
    expect(performance.now() - startMs).toBeLessThan(1_000)
    await client.closed
    expect(client.received()).toBe('')
  }))

test('a port that is in use is LISTEN_FAILED with the address and the remedy', () =>
  withServer({}, async ({ port }) => {
    const parts = { routes: {}, clock: systemClock, log: createLogger({ level: 'silent' }) }
    const second = createServer({ host: '127.0.0.1', port, ...parts })
    await expect(second.start()).rejects.toMatchObject({
      code: 'LISTEN_FAILED',
      message: expect.stringMatching(`^cannot listen on 127.0.0.1:${port} .*another process`),
    })
    const foreign = createServer({ host: '192.0.2.1', port: 0, ...parts })
    await expect(foreign.start()).rejects.toMatchObject({
      code: 'LISTEN_FAILED',
      message: expect.stringContaining('no such address'),
    })
  }))
