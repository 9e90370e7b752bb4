import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import type { TlsFiles } from '../../src/base/tls-files.ts'
import type { Handler } from '../../src/receive/server.ts'
import { type Certificate, makeCertificate } from '../support/certificates.ts'
import { statusesOf, withServer } from './parts.ts'

const hello: Handler = async (request, response) => {
  for await (const _ of request);
  response.end('hello')
}

/** Looks often, so that nobody waits. */
const hasty: Clock = { ...systemClock, sleep: (_ms, signal) => systemClock.sleep(10, signal) }

type Named = { [name: string]: Certificate }

async function withCertificates(
  names: readonly string[],
  body: (certificates: Named, directory: string) => Promise<void>,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-test-'))
  try {
    const made = await Promise.all(names.map((name) => makeCertificate(directory, name)))
    await body(Object.fromEntries(names.map((name, i) => [name, made[i]!])), directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

function filesOf({ certFile, keyFile }: Certificate, clients: Certificate | null = null): TlsFiles {
  return { certFile, keyFile, clientCaFile: clients?.certFile ?? null }
}

/** The answer, or the code of the error; each time by a connection of its own. */
function get(port: number, trusted: Certificate, shown?: Certificate): Promise<string> {
  const own = shown === undefined ? {} : { cert: shown.cert, key: shown.key }
  const options = { host: '127.0.0.1', port, path: '/hello', servername: 'localhost', agent: false }
  return new Promise((resolve) => {
    const sent = request({ ...options, ca: trusted.cert, ...own }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      response.on('end', () => resolve(text))
      response.on('error', ({ message }) => resolve(message))
    })
    sent.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    sent.end()
  })
}

test('a listener with a certificate takes HTTPS, and closes on everything else', () =>
  withCertificates(['own', 'other'], ({ own, other }) =>
    withServer(
      { '/hello': hello },
      async ({ port, connect }) => {
        expect(await get(port, own!)).toBe('hello')
        expect(await get(port, other!)).toMatch(/SELF_SIGNED/)
        const plain = await connect()
        plain.send('GET /hello HTTP/1.1\r\nHost: sluice\r\n\r\n')
        await plain.closed
        expect(statusesOf(plain.received())).toEqual([])
        expect(await get(port, own!)).toBe('hello')
      },
      { tls: filesOf(own!) },
    ),
  ))

test('where senders must show a certificate, it must be one of those that are known', () =>
  withCertificates(['own', 'sender', 'stranger'], ({ own, sender, stranger }) =>
    withServer(
      { '/hello': hello },
      async ({ port }) => {
        expect(await get(port, own!, sender!)).toBe('hello')
        expect(await get(port, own!)).toMatch(/^E/)
        expect(await get(port, own!, stranger!)).toMatch(/^E/)
        expect(await get(port, own!, sender!)).toBe('hello')
      },
      { tls: filesOf(own!, sender!) },
    ),
  ))

test('a certificate that is exchanged serves new connections; half an exchange changes nothing', () =>
  withCertificates(['first', 'second'], async ({ first, second }, directory) => {
    const certFile = join(directory, 'used.crt')
    const keyFile = join(directory, 'used.key')
    await copyFile(first!.certFile, certFile)
    await copyFile(first!.keyFile, keyFile)
    await withServer(
      { '/hello': hello },
      async ({ port }) => {
        expect(await get(port, first!)).toBe('hello')
        await copyFile(second!.certFile, certFile)
        await delay(50)
        expect(await get(port, first!)).toBe('hello')
        await copyFile(second!.keyFile, keyFile)
        await expect.poll(() => get(port, second!), { timeout: 5_000 }).toBe('hello')
        expect(await get(port, first!)).not.toBe('hello')
      },
      { tls: { certFile, keyFile, clientCaFile: null }, clock: hasty },
    )
  }))

test('files that cannot be used are LISTEN_FAILED, and the message says which and why', () =>
  withCertificates(['one', 'other'], async ({ one, other }, directory) => {
    const started = (tls: TlsFiles) => withServer({}, async () => {}, { tls })
    const missing = join(directory, 'missing.pem')
    await expect(started({ ...filesOf(one!), keyFile: missing })).rejects.toMatchObject({
      code: 'LISTEN_FAILED',
      message: `listen.tls.key_file: ${missing} cannot be read (ENOENT)`,
    })
    await expect(started({ ...filesOf(one!), keyFile: other!.keyFile })).rejects.toMatchObject({
      code: 'LISTEN_FAILED',
      message: expect.stringContaining('the key must belong to the certificate'),
    })
    await writeFile(missing, 'no certificate')
    await expect(started({ ...filesOf(one!), certFile: missing })).rejects.toMatchObject({
      code: 'LISTEN_FAILED',
      message: expect.stringContaining('must be PEM'),
    })
  }))
