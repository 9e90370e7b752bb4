import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, credentials, status } from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import { BODY_BYTES_MAX } from '../../src/receive/body.ts'
import type { GrpcHandler } from '../../src/receive/grpc.ts'
import { Permits } from '../../src/receive/permit.ts'
import { makeCertificate } from '../support/certificates.ts'
import { callOf, echo, SERVICE, withGrpc } from './grpc-parts.ts'

test('a message is handed over as it came, and the answer goes back', () =>
  withGrpc(echo, async ({ call, server }) => {
    const message = Buffer.from([0, 1, 2, 0xff])
    expect(await call(message)).toEqual(message)
    expect(await call(Buffer.alloc(0))).toEqual(Buffer.alloc(0))
    expect(server.counters.answers).toEqual(new Map([[status.OK, 2]]))
  }))

test('a message in gzip is handed over decompressed', () =>
  withGrpc(
    echo,
    async ({ call }) => {
      const message = Buffer.alloc(1_000_000, 'metrics')
      expect(message.equals((await call(message)) as Buffer)).toBe(true)
    },
    { options: { 'grpc.default_compression_algorithm': 2 } },
  ))

test('an error carries a Status, and a RetryInfo only when the sender may come back', async () => {
  const errors: Awaited<ReturnType<GrpcHandler>>[] = [
    { code: status.INVALID_ARGUMENT, reason: 'no such field' },
    { code: status.UNAVAILABLE, reason: 'the log is full', retrySeconds: 7 },
  ]
  await withGrpc(
    async () => errors.shift()!,
    async ({ call, server }) => {
      expect(await call(Buffer.alloc(1))).toEqual({
        ...{ code: status.INVALID_ARGUMENT, message: 'no such field', details: [] },
      })
      expect(await call(Buffer.alloc(1))).toEqual({
        ...{ code: status.UNAVAILABLE, message: 'the log is full' },
        ...{ details: ['type.googleapis.com/google.rpc.RetryInfo'], retrySeconds: 7 },
      })
      expect([...server.counters.answers.keys()]).toEqual([3, 14])
    },
  )
})

test.for([
  ['plain', 0, Buffer.alloc(BODY_BYTES_MAX + 1)],
  ['in gzip, small on the wire', 2, Buffer.alloc(BODY_BYTES_MAX + 1)],
] as const)('G93: a message over the limit, %s, is not to be repeated', ([, algorithm, message]) =>
  withGrpc(
    echo,
    async ({ call }) => {
      expect(await call(message)).toMatchObject({ code: status.RESOURCE_EXHAUSTED, details: [] })
      expect(await call(Buffer.alloc(3))).toEqual(Buffer.alloc(3))
    },
    {
      options: {
        'grpc.default_compression_algorithm': algorithm,
        'grpc.max_send_message_length': -1,
      },
    },
  ),
)

test('G94: a message that finds no room is UNAVAILABLE, with the time to come back', async () => {
  const permits = new Permits(100_000)
  await withGrpc(
    echo,
    async ({ call }) => {
      expect(await call(Buffer.alloc(90_000))).toMatchObject({
        code: status.UNAVAILABLE,
        retrySeconds: 6,
      })
      expect(await call(Buffer.alloc(80_000))).toHaveLength(80_000)
      expect(permits.inUseBytes).toBe(0)
    },
    { permits },
  )
})

test('a fault of the handler is UNAVAILABLE: the sender keeps its data', () =>
  withGrpc(
    async () => {
      throw new Error('broken')
    },
    async ({ call }) => {
      const answer = await call(Buffer.alloc(1))
      expect(answer).toMatchObject({ code: status.UNAVAILABLE, retrySeconds: 6 })
      expect(JSON.stringify(answer)).not.toContain('broken')
    },
  ))

test('a method or a service that is not there is UNIMPLEMENTED', () =>
  withGrpc(echo, async ({ call, client }) => {
    expect(await call(Buffer.alloc(1), 'Shout')).toMatchObject({ code: status.UNIMPLEMENTED })
    const reflection = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo'
    expect(await callOf(client, Buffer.alloc(1), reflection)).toMatchObject({
      code: status.UNIMPLEMENTED,
    })
  }))

test('the health service says that it serves, as a whole and by name', () =>
  withGrpc(echo, async ({ client }) => {
    const path = '/grpc.health.v1.Health/Check'
    const named = Buffer.concat([Buffer.from([0x0a, SERVICE.length]), Buffer.from(SERVICE)])
    // HealthCheckResponse { status: SERVING }
    expect(await callOf(client, Buffer.alloc(0), path)).toEqual(Buffer.from([8, 1]))
    expect(await callOf(client, named, path)).toEqual(Buffer.from([8, 1]))
  }))

test('a stop lets an open call finish, and takes no more', async () => {
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
  await withGrpc(slow, async ({ call, server, port }) => {
    const answer = call(Buffer.from('last'))
    await expect.poll(() => isOpen).toBe(true)
    const stopped = server.stop(5_000)
    const refused = new Promise((resolve) => connect(port, '127.0.0.1').once('error', resolve))
    expect(await refused).toMatchObject({ code: 'ECONNREFUSED' })
    finish(undefined)
    expect(await answer).toEqual(Buffer.from('last'))
    await stopped
  })
})

test('with TLS, senders show a certificate where one is asked for', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-test-'))
  try {
    const [own, sender] = await Promise.all([
      makeCertificate(directory, 'own'),
      makeCertificate(directory, 'sender'),
    ])
    const pem = (text: string) => Buffer.from(text)
    const { certFile, keyFile } = own
    const tls = { certFile, keyFile, clientCaFile: sender.certFile }
    await withGrpc(
      echo,
      async ({ port, call }) => {
        const asked = async (known: ReturnType<typeof credentials.createSsl>) => {
          const client = new Client(`localhost:${port}`, known)
          const answer = await callOf(client, Buffer.from('secret'), `/${SERVICE}/Say`)
          client.close()
          return answer
        }
        const [key, cert] = [pem(sender.key), pem(sender.cert)]
        const shown = credentials.createSsl(pem(own.cert), key, cert)
        expect(await asked(shown)).toEqual(Buffer.from('secret'))
        const refused = { code: status.UNAVAILABLE, details: [] }
        expect(await asked(credentials.createSsl(pem(own.cert)))).toMatchObject(refused)
        expect(await call(Buffer.from('secret'))).toMatchObject(refused)
      },
      { tls },
    )
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})

test('an address that is taken is LISTEN_FAILED', () =>
  withGrpc(echo, async ({ port }) => {
    const second = withGrpc(echo, async () => {}, { address: { host: '127.0.0.1', port } })
    await expect(second).rejects.toMatchObject({ code: 'LISTEN_FAILED' })
  }))
