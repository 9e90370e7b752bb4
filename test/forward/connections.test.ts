import { createServer, type Server } from 'node:http'
import { createServer as createTcpServer, type LookupFunction, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { lookupWithMemory } from '../../src/forward/addresses.ts'
import { createPost } from '../../src/forward/post.ts'
import { snappy } from '../../src/wire/snappy.ts'
import { startReceiver } from '../support/receiver.ts'
import { writtenHeaders } from '../support/receiver-store.ts'
import { rw2Of } from '../support/remote-write.ts'
import { blockOf, delivered, destinationOf, fakeClock, manySeries } from './parts.ts'

const SERIES = [{ labels: { __name__: 'up' }, samples: [{ value: 1, timestamp: 1000 }] }]
const RW2 = { body: snappy.compress(rw2Of(SERIES)), protocol: 'rw2', attempt: 0 } as const

async function listening(server: Server, host = '127.0.0.1', port = 0): Promise<number> {
  await new Promise<void>((resolve) => server.listen(port, host, resolve))
  const address = server.address()
  return typeof address === 'object' ? address!.port : 0
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
}

test('F29: an answer whose words drip without an end is its status', async () => {
  const server = createServer((request, response) => {
    request.resume()
    response.writeHead(200, writtenHeaders({ samples: 1 }))
    const drip = setInterval(() => response.write('.'), 20)
    response.on('close', () => clearInterval(drip))
  })
  const url = `http://127.0.0.1:${await listening(server)}/`
  const post = createPost({ url, version: '1', timeoutMs: 300 })
  const written = { samples: 1, histograms: 0, exemplars: 0 }
  for (let i = 0; i < 2; i++) expect(await post.post(RW2)).toMatchObject({ status: 200, written })
  await post.close()
  await close(server)
})

test('F29: headers that drip without an end are no answer', async () => {
  const server = createTcpServer((socket) => {
    socket.write('HTTP/1.1 200 OK\r\n')
    const drip = setInterval(() => socket.write('X: y\r\n'), 20)
    socket.on('close', () => clearInterval(drip)).on('error', () => {})
  }) as unknown as Server
  const url = `http://127.0.0.1:${await listening(server)}/`
  const post = createPost({ url, version: '1', timeoutMs: 300 })
  const late = { kind: 'failed', maybeStored: true, reason: 'no answer within 300 ms' }
  expect(await post.post(RW2)).toEqual(late)
  await post.close()
  await new Promise((resolve) => server.close(resolve))
})

test('F28: an answer whose words break off is its status', async () => {
  const receiver = await startReceiver()
  const post = createPost({ url: receiver.url, version: '1' })
  const headers = writtenHeaders({ samples: 1 })
  for (const status of [200, 400]) {
    receiver.respond = () => ({ status, headers, reset: 'during' })
    const written = { samples: 1, histograms: 0, exemplars: 0 }
    expect(await post.post(RW2)).toMatchObject({ kind: 'response', status, written })
  }
  await post.close()
  await receiver.close()
})

test('hints before an answer are none, however many', async () => {
  const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'.repeat(1_000)
  let answer = 'HTTP/1.1 204 No Content\r\n\r\n'
  const server = createTcpServer((socket) => {
    socket.on('data', () => socket.write(`${hints}${answer}`)).on('error', () => {})
  }) as unknown as Server
  const url = `http://127.0.0.1:${await listening(server)}/`
  const post = createPost({ url, version: '1', timeoutMs: 300 })
  expect(await post.post(RW2)).toMatchObject({ kind: 'response', status: 204 })
  answer = ''
  const late = { kind: 'failed', maybeStored: true, reason: 'no answer within 300 ms' }
  expect(await post.post(RW2)).toEqual(late)
  await post.close()
  await new Promise((resolve) => server.close(resolve))
})

/** A receiver that closes a connection in the moment in which it is used again. */
async function closingOnReuse(answersPerConnection: number) {
  const sockets = new Set<Socket>()
  let requests = 0
  const server = createTcpServer((socket) => {
    sockets.add(socket)
    let answers = 0
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      if (!chunk.includes('POST')) return
      requests += 1
      if (answers === answersPerConnection) {
        socket.resetAndDestroy()
        return
      }
      answers += 1
      const headers = Object.entries(writtenHeaders({ samples: 1 }))
      const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${lines}\r\n`)
    })
  }) as unknown as Server
  const url = `http://127.0.0.1:${await listening(server)}/`
  const end = () => {
    for (const socket of sockets) socket.destroy()
    return new Promise((resolve) => server.close(resolve))
  }
  return { url, requests: () => requests, connections: () => sockets.size, end }
}

test('F30: a connection that is closed as it is used again is no trouble of the receiver', async () => {
  const receiver = await closingOnReuse(1)
  const { destination, post, deliver, events } = destinationOf(receiver.url)
  for (let n = 1; n <= 4; n++) {
    expect(await deliver(blockOf(manySeries(1, n), n))).toEqual(delivered(1))
    // A connection is free again a moment after its answer has been read.
    await delay(5)
  }
  expect(receiver.requests()).toBeGreaterThan(4)
  expect(destination).toMatchObject({ retries: 0, state: 'ok' })
  expect(events).toEqual([])
  await post.close()
  await receiver.end()
})

test('F30: it is tried once more, and not again and again', async () => {
  const receiver = await closingOnReuse(0)
  const post = createPost({ url: receiver.url, version: '1' })
  expect(await post.post(RW2)).toMatchObject({ kind: 'failed', maybeStored: true })
  expect(receiver.requests()).toBe(1)
  await post.close()
  await receiver.end()
})

test('F30: what was stored before the connection broke is known to be in doubt', async () => {
  const receiver = await startReceiver()
  const post = createPost({ url: receiver.url, version: '1' })
  expect(await post.post(RW2)).not.toHaveProperty('wasSentTwice')
  await delay(5)
  receiver.respond = ({ index }) => (index === 1 ? { reset: 'after' } : undefined)
  expect(await post.post(RW2)).toMatchObject({ status: 204, wasSentTwice: true })
  expect(receiver.requests).toHaveLength(3)
  await post.close()
  await receiver.close()
})

/** Answers every name with `address`, or with an error when there is none. */
function names(script: { address: string | null; isSilent?: boolean; asked: number }) {
  const lookup: LookupFunction = (hostname, options, callback) => {
    script.asked += 1
    const { address } = script
    if (script.isSilent === true) return
    const error = Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), {
      code: 'ENOTFOUND',
    })
    setImmediate(() => {
      if (address === null) callback(error, '')
      else if (options.all === true) callback(null, [{ address, family: 4 }])
      else callback(null, address, 4)
    })
  }
  return lookup
}

test.each([
  ['fails', false],
  ['is silent', true],
])('F31: a name is followed, and known when the name server %s', async (_, isSilent) => {
  const heard: string[] = []
  const answering = (who: string) =>
    createServer((request, response) => {
      heard.push(who)
      request.resume()
      response.writeHead(204, writtenHeaders({ samples: 1 })).end()
    })
  const [one, two] = [answering('one'), answering('two')]
  const port = await listening(one)
  await listening(two, '127.0.0.2', port)
  const script = { address: null as string | null, isSilent: false, asked: 0 }
  const lookup = names(script)
  const url = `http://central.test:${port}/`
  const post = createPost({ url, version: '1', lookup, connectionAgeMsMax: 100, timeoutMs: 400 })

  const reason = 'getaddrinfo ENOTFOUND central.test'
  expect(await post.post(RW2)).toEqual({ kind: 'failed', maybeStored: false, reason })
  script.address = '127.0.0.1'
  expect(await post.post(RW2)).toMatchObject({ status: 204 })
  script.address = '127.0.0.2'
  await expect
    .poll(async () => {
      await post.post(RW2)
      return heard.at(-1)
    })
    .toBe('two')
  // The name server is gone, and the receiver is not.
  Object.assign(script, { address: null, isSilent })
  await close(two)
  await listening(two, '127.0.0.2', port)
  await delay(150)
  const asked = script.asked
  await expect.poll(() => post.post(RW2), { timeout: 5_000 }).toMatchObject({ status: 204 })
  expect(script.asked).toBeGreaterThan(asked)
  await post.close()
  await Promise.all([close(one), close(two)])
})

test('F31: a name server that is silent is asked once, and not waited for', async () => {
  const script = { address: '10.0.0.1', isSilent: false, asked: 0 }
  const lookup = lookupWithMemory(fakeClock(), 2_000, names(script))
  const ask = () =>
    new Promise((resolve) => lookup('central.test', {}, (_, address) => resolve(address)))
  expect(await ask()).toBe('10.0.0.1')
  script.isSilent = true
  expect(await Promise.all([ask(), ask(), ask()])).toEqual(Array(3).fill('10.0.0.1'))
  expect(script.asked).toBe(2)
})
