import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { createPost } from '../../src/forward/post.ts'
import { snappy } from '../../src/wire/snappy.ts'
import { startReceiver } from '../support/receiver.ts'
import { rw1Of, rw2Of } from '../support/remote-write.ts'

const SERIES = [{ labels: { __name__: 'up' }, samples: [{ value: 1, timestamp: 1000 }] }]
const RW1 = { body: snappy.compress(rw1Of(SERIES)), protocol: 'rw1', attempt: 0 } as const
const RW2 = { body: snappy.compress(rw2Of(SERIES)), protocol: 'rw2', attempt: 0 } as const

test('every request says what the specifications ask for, and never more than that', async () => {
  const receiver = await startReceiver()
  const headers = { 'X-Scope-OrgID': 'team', 'user-agent': 'mine', 'Content-Type': 'text/plain' }
  const post = createPost({ url: receiver.url, version: '1.2.3', headers })
  await post.post(RW1)
  await post.post({ ...RW2, attempt: 3 })
  await post.close()
  await receiver.close()

  const common = {
    'content-encoding': 'snappy',
    'user-agent': 'sluice/1.2.3',
    'x-scope-orgid': 'team',
  }
  const [one, two] = receiver.requests
  expect(one!.method).toBe('POST')
  expect(one!.path).toBe('/api/v1/write')
  expect(one!.headers).toMatchObject({
    ...common,
    'content-type': 'application/x-protobuf',
    'x-prometheus-remote-write-version': '0.1.0',
  })
  expect(one!.headers).not.toHaveProperty('retry-attempt')
  expect(two!.headers).toMatchObject({
    ...common,
    'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
    'x-prometheus-remote-write-version': '2.0.0',
    'retry-attempt': '3',
  })
})

test('a user and a password in the address become basic authentication', async () => {
  const receiver = await startReceiver()
  const url = receiver.url.replace('http://', 'http://me:p%40ss@')
  const post = createPost({ url, version: '1' })
  await post.post(RW1)
  await post.close()
  await receiver.close()
  const expected = `Basic ${Buffer.from('me:p@ss').toString('base64')}`
  expect(receiver.requests[0]!.headers.authorization).toBe(expected)
})

test('an answer is handed back with its counts, its Retry-After and its words', async () => {
  const receiver = await startReceiver()
  const post = createPost({ url: receiver.url, version: '1' })
  expect(await post.post(RW2)).toEqual({
    kind: 'response',
    status: 204,
    written: { samples: 1, histograms: 0, exemplars: 0 },
    retryAfter: null,
    text: '',
  })
  const headers = { 'Retry-After': '7', 'X-Prometheus-Remote-Write-Exemplars-Written': '4' }
  receiver.respond = () => ({ status: 503, headers, body: 'busy' })
  expect(await post.post(RW2)).toEqual({
    kind: 'response',
    status: 503,
    written: { samples: 0, histograms: 0, exemplars: 4 },
    retryAfter: '7',
    text: 'busy',
  })
  receiver.respond = () => ({ status: 204 })
  expect(await post.post(RW2)).toMatchObject({ written: null })
  await post.close()
  await receiver.close()
})

test('F29: no more than 64 KiB of an answer are read, and the next request is not harmed', async () => {
  let bytesWritten = 0
  const server = createServer((request, response) => {
    request.resume()
    response.writeHead(400)
    const chunk = Buffer.alloc(16 * 1024, 'x')
    const pump = () => {
      while (!response.destroyed && bytesWritten < 2 ** 30) {
        bytesWritten += chunk.length
        if (!response.write(chunk)) {
          response.once('drain', pump)
          return
        }
      }
    }
    pump()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const post = createPost({ url: `http://127.0.0.1:${port}/`, version: '1' })
  for (let i = 0; i < 2; i++) {
    const answer = await post.post(RW1)
    expect(answer).toMatchObject({ kind: 'response', status: 400 })
    expect('text' in answer && answer.text.length).toBe(64 * 1024)
  }
  // What the kernel buffers goes beyond what is read; an endless answer would be a gigabyte.
  expect(bytesWritten).toBeLessThan(64 * 2 ** 20)
  await post.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

test('a redirect is an answer and is not followed', async () => {
  const elsewhere = await startReceiver()
  const headers = { Location: elsewhere.url }
  const receiver = await startReceiver({ respond: () => ({ status: 307, headers }) })
  const post = createPost({ url: receiver.url, version: '1' })
  expect(await post.post(RW1)).toMatchObject({ kind: 'response', status: 307 })
  expect(elsewhere.requests.length).toBe(0)
  await post.close()
  await receiver.close()
  await elsewhere.close()
})

test('every way of not answering is a value: nothing is thrown', async () => {
  const receiver = await startReceiver()
  const post = createPost({ url: receiver.url, version: '1', timeoutMs: 300 })
  const maybe = { kind: 'failed', maybeStored: true }

  receiver.respond = () => ({ reset: 'before' })
  expect(await post.post(RW1)).toMatchObject(maybe)
  receiver.respond = () => ({ delayMs: 2_000 })
  const late = { ...maybe, reason: 'no answer within 300 ms' }
  expect(await post.post(RW1)).toMatchObject(late)

  const giveUp = new AbortController()
  receiver.respond = () => {
    giveUp.abort()
    return { delayMs: 2_000 }
  }
  expect(await post.post({ ...RW1, signal: giveUp.signal })).toMatchObject(maybe)
  await receiver.close()
  expect(await post.post(RW1)).toMatchObject({ kind: 'failed', maybeStored: false })
  await post.close()
})

test('F31: a connection older than its age is replaced by a new one', async () => {
  const ageMs = 500
  const ports = new Set<number | undefined>()
  const server = createServer((request, response) => {
    ports.add(request.socket.remotePort)
    request.resume()
    response.writeHead(204).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const post = createPost({ url, version: '1', connectionAgeMsMax: ageMs })
  const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
  await post.post(RW1)
  // A connection is free again a moment after its answer has been read.
  await wait(5)
  await post.post(RW1)
  expect(ports.size).toBe(1)
  await wait(ageMs + 5)
  await post.post(RW1)
  expect(ports.size).toBe(2)
  await post.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})
