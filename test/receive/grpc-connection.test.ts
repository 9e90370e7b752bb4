import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { GrpcHandler } from '../../src/receive/grpc.ts'
import { echo, SERVICE, withGrpc } from './grpc-parts.ts'

const SLOW = { timeout: 30_000 }
/** Of a channel. */
const READY = 2
/** How an HTTP/2 connection begins, with settings that set nothing. */
const PREFACE = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
])

test('who does not answer a ping is disconnected, and who does is not', SLOW, () =>
  withGrpc(
    echo,
    async ({ port, call, client }) => {
      await call(Buffer.from('hello'))
      const silent = connect(port, '127.0.0.1')
      silent.on('error', () => {})
      silent.resume()
      silent.write(PREFACE)
      await once(silent, 'close')
      // So much later the other one has been asked many times, and has not had to connect anew.
      await delay(500)
      expect(client.getChannel().getConnectivityState(false)).toBe(READY)
      expect(await call(Buffer.from('again'))).toEqual(Buffer.from('again'))
    },
    { keepAlive: { everyMs: 100, patienceMs: 2_000 } },
  ),
)

test('a stop says GOAWAY at once, and the open call gets its answer after that', SLOW, async () => {
  let finish = (_: unknown) => {}
  const held = new Promise((resolve) => {
    finish = resolve
  })
  let isOpen = false
  const slow: GrpcHandler = async ({ message }) => {
    isOpen = true
    await held
    return { message }
  }
  await withGrpc(slow, async ({ server, port }) => {
    const session = connectHttp2(`http://127.0.0.1:${port}`)
    const goneAway = once(session, 'goaway')
    const stream = session.request({
      ...{ ':method': 'POST', ':path': `/${SERVICE}/Say` },
      ...{ 'content-type': 'application/grpc', te: 'trailers' },
    })
    // A message of two bytes, not compressed.
    stream.end(Buffer.from([0, 0, 0, 0, 2, 1, 2]))
    await expect.poll(() => isOpen).toBe(true)
    const stopped = server.stop(10_000)
    // NO_ERROR
    expect((await goneAway)[0]).toBe(0)
    const received: Buffer[] = []
    stream.on('data', (bytes: Buffer) => received.push(bytes))
    const trailers = once(stream, 'trailers')
    finish(undefined)
    expect((await trailers)[0]).toMatchObject({ 'grpc-status': '0' })
    expect(Buffer.concat(received)).toEqual(Buffer.from([0, 0, 0, 0, 2, 1, 2]))
    await stopped
    session.close()
  })
})

test('an open call that takes too long is ended with the stop', SLOW, async () => {
  let isOpen = false
  const never: GrpcHandler = () => {
    isOpen = true
    return new Promise(() => {})
  }
  await withGrpc(never, async ({ call, server }) => {
    const answer = call(Buffer.from('x'))
    await expect.poll(() => isOpen).toBe(true)
    await server.stop(100)
    expect(await answer).toMatchObject({ code: expect.any(Number) })
  })
})

test('whoever watches its health is told that it stops', SLOW, () =>
  withGrpc(echo, async ({ client, server }) => {
    const asIs = (bytes: Buffer) => bytes
    const path = '/grpc.health.v1.Health/Watch'
    const watch = client.makeServerStreamRequest(path, asIs, asIs, Buffer.alloc(0))
    watch.on('error', () => {})
    const told: Buffer[] = []
    watch.on('data', (bytes: Buffer) => told.push(bytes))
    // HealthCheckResponse { status: SERVING }, and then NOT_SERVING
    await expect.poll(() => told).toEqual([Buffer.from([8, 1])])
    await server.stop(200)
    expect(told).toEqual([Buffer.from([8, 1]), Buffer.from([8, 2])])
  }),
)
