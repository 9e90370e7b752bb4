import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TlsSettings } from '../../src/forward/connections.ts'
import type { Credentials } from '../../src/forward/credentials.ts'
import { createPost } from '../../src/forward/post.ts'
import { makeCertificate } from '../support/certificates.ts'
import { fakeClock } from './parts.ts'

const REQUEST = { body: Buffer.from('a'), protocol: 'rw2', attempt: 0 } as const

let directory = ''
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sluice-credentials-'))
})
afterAll(() => rm(directory, { recursive: true }))

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** A receiver that says of each request what `Authorization` it had; `statuses` come first. */
async function withReceiver(
  credentials: Credentials,
  body: (
    send: () => Promise<string>,
    clock: ReturnType<typeof fakeClock>,
    statuses: number[],
  ) => Promise<void>,
): Promise<void> {
  const statuses: number[] = []
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      response.statusCode = statuses.shift() ?? 200
      response.end(request.headers.authorization)
    })
  })
  const url = `http://127.0.0.1:${await listening(server)}/`
  const clock = fakeClock()
  const post = createPost({ url, version: '1', credentials, clock })
  const send = async () => {
    const answer = await post.post(REQUEST)
    return answer.kind === 'response' ? answer.text : `${answer.maybeStored}: ${answer.reason}`
  }
  try {
    await body(send, clock, statuses)
  } finally {
    await post.close()
    server.close()
  }
}

const base64 = (text: string) => Buffer.from(text).toString('base64')

test('user and password are sent as basic authentication, in UTF-8', () =>
  withReceiver(
    { kind: 'basic', username: { text: 'me' }, password: { text: 'pä:ss' } },
    async (send) => {
      expect(await send()).toBe(`Basic ${base64('me:pä:ss')}`)
    },
  ))

test('F27: a secret in a file may be exchanged, and holds while the file is gone', async () => {
  const file = join(directory, 'token')
  await withReceiver(
    { kind: 'scheme', scheme: 'Bearer', credentials: { file } },
    async (send, clock) => {
      // Nothing left: it can be sent again without a doubt.
      expect(await send()).toBe(`false: ${file} cannot be read (ENOENT)`)
      await writeFile(file, 'first\n')
      expect(await send()).toBe('Bearer first')
      await writeFile(file, 'second')
      expect(await send()).toBe('Bearer first')
      await clock.sleep(5_000)
      expect(await send()).toBe('Bearer second')
      await rm(file)
      await clock.sleep(5_000)
      expect(await send()).toBe('Bearer second')
    },
  )
})

test('a token is fetched once, renewed before it expires, and given up when it is refused', async () => {
  const asked: { authorization: string | undefined; fields: string }[] = []
  const issuer = createServer(async (request, response) => {
    const fields = await textOf(request)
    asked.push({ authorization: request.headers.authorization, fields })
    const isKnown = fields.includes('client_secret=s%26t') || asked.length > 2
    response.statusCode = isKnown ? 200 : 401
    const token = { access_token: `token-${asked.length}`, expires_in: 60 }
    response.end(isKnown ? JSON.stringify(token) : 'no')
  })
  const credentials: Credentials = {
    kind: 'oauth2',
    clientId: 'me',
    clientSecret: { text: 's&t' },
    tokenUrl: `http://127.0.0.1:${await listening(issuer)}/token`,
    scopes: ['read', 'write'],
    params: { audience: 'metrics' },
  }
  await withReceiver(credentials, async (send, clock, statuses) => {
    // This issuer does not look at the header, so the second request has it in its fields.
    expect(await Promise.all([send(), send()])).toEqual(['Bearer token-2', 'Bearer token-2'])
    expect(asked[0]).toEqual({
      authorization: `Basic ${base64('me:s%26t')}`,
      fields: 'grant_type=client_credentials&audience=metrics&scope=read+write',
    })
    await clock.sleep(49_000)
    expect(await send()).toBe('Bearer token-2')
    await clock.sleep(1_000)
    expect(await send()).toBe('Bearer token-3')
    statuses.push(401)
    expect(await send()).toBe('Bearer token-3')
    expect(await send()).toBe('Bearer token-4')
  })
  issuer.close()
})

test('an issuer that gives no token is a reason to try again, and is named', async () => {
  const tokenUrl = 'http://127.0.0.1:1/token'
  const settings = { clientId: 'me', clientSecret: { text: 's' }, scopes: [], params: {} }
  await withReceiver({ kind: 'oauth2', tokenUrl, ...settings }, async (send) => {
    expect(await send()).toMatch(`false: no token from ${tokenUrl}: `)
  })
})

test('F33: certificates are shown and checked, and new files are used without a restart', async () => {
  const receiver = await makeCertificate(directory, 'receiver')
  const ours = await makeCertificate(directory, 'ours')
  const server = createTlsServer(
    { cert: receiver.cert, key: receiver.key, requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      const { subject } = (request.socket as TLSSocket).getPeerCertificate()
      request.resume().on('end', () => response.end(subject?.CN))
    },
  )
  const url = `https://127.0.0.1:${await listening(server)}/`
  const clock = fakeClock()
  const tls: TlsSettings = {
    ca: { file: receiver.certFile },
    certificate: { file: ours.certFile },
    key: { file: ours.keyFile },
    serverName: 'localhost',
    isVerified: true,
    minVersion: 'TLSv1.3',
  }
  const answerWith = async (settings: TlsSettings, between = async () => {}) => {
    const post = createPost({ url, version: '1', tls: settings, clock })
    const texts: string[] = []
    for (const wait of [async () => {}, between]) {
      await wait()
      const answer = await post.post(REQUEST)
      texts.push(answer.kind === 'response' ? answer.text : answer.reason)
    }
    await post.close()
    return texts
  }

  const exchange = async () => {
    const next = await makeCertificate(directory, 'next')
    await writeFile(ours.certFile, next.cert)
    await writeFile(ours.keyFile, next.key)
    await clock.sleep(5_000)
  }
  expect(await answerWith(tls, exchange)).toEqual(['ours', 'next'])
  expect((await answerWith({ ...tls, ca: null }))[0]).toContain('self-signed certificate')
  expect((await answerWith({ ...tls, serverName: 'other' }))[0]).toContain('Host: other. is not')
  expect((await answerWith({ ...tls, ca: null, isVerified: false }))[0]).toBe('next')
  server.close()
})

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}
