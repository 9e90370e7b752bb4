import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPost } from '../../src/forward/post.ts'
import {
  type Certificate,
  makeCertificate,
  makeExpiredCertificate,
} from '../support/certificates.ts'
import { writtenHeaders } from '../support/receiver-store.ts'
import { blockOf, delivered, destinationOf, fakeClock, manySeries } from './parts.ts'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sluice-certificates-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

type Tls = { server: Server; url: string }

/** A receiver that shows `own` and is trusted by the file of `trusted`. */
async function withTls(
  own: Certificate,
  trusted: Certificate,
  body: (tls: Tls, parts: ReturnType<typeof destinationOf>) => Promise<void>,
): Promise<void> {
  const server = createServer({ key: own.key, cert: own.cert }, (request, response) => {
    request.resume()
    response.writeHead(204, writtenHeaders({ samples: 1 })).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const clock = fakeClock()
  const settings = { certificate: null, key: null, isVerified: true, minVersion: null }
  const ca = { file: trusted.certFile }
  const tls = { ...settings, ca, serverName: 'localhost' }
  const post = createPost({ url, version: '1', tls, clock, connectionAgeMsMax: 1 })
  const parts = destinationOf(url, clock, post)
  try {
    await body({ server, url }, parts)
  } finally {
    await post.close()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}

const fresh = (name: string, host?: string) => makeCertificate(directory, name, host)

describe('F33', () => {
  test.each([
    ['has expired', 'certificate has expired', () => makeExpiredCertificate(directory)],
    ['has another name', 'Host: localhost. is not', () => fresh('other', 'elsewhere')],
    ['nobody vouches for', 'self-signed certificate', () => fresh('unknown')],
  ])('a receiver whose certificate %s is waited for, and it is told', async (_, words, make) => {
    const bad = await make()
    const trusted = words.startsWith('self') ? await fresh('trusted') : bad
    await withTls(bad, trusted, async ({ server }, { destination, deliver, events, kept }) => {
      const delivery = deliver(blockOf(manySeries(1)))
      await expect.poll(() => destination.state).toBe('paused')
      expect(destination.reason).toContain(words)
      expect(events).toMatchObject([{ level: 'error' }])
      // The receiver gets one that is good, and nothing else has to happen.
      const good = await fresh('good')
      await writeFile(trusted.certFile, good.cert)
      server.setSecureContext({ key: good.key, cert: good.cert })
      expect(await delivery).toEqual(delivered(1))
      expect(kept).toEqual([])
      expect(destination.state).toBe('ok')
    })
  })

  test('no connection is made without looking at the certificate anew', async () => {
    const good = await fresh('first')
    await withTls(good, good, async ({ server }, { destination, deliver }) => {
      expect(await deliver(blockOf(manySeries(1, 1), 1))).toEqual(delivered(1))
      const other = await fresh('second')
      // Sessions of before may be resumed, as far as the receiver is concerned.
      const ticketKeys = server.getTicketKeys()
      server.setSecureContext({ key: other.key, cert: other.cert })
      server.setTicketKeys(ticketKeys)
      server.closeAllConnections()
      const delivery = deliver(blockOf(manySeries(1, 2), 2))
      await expect.poll(() => destination.state).toBe('paused')
      await writeFile(good.certFile, other.cert)
      expect(await delivery).toEqual(delivered(1))
    })
  })

  test('a file that is exchanged half is not used, and what there is goes on', async () => {
    const good = await fresh('whole')
    const clock = fakeClock()
    await withTls(good, good, async ({ url }) => {
      const ours = await fresh('ours')
      const settings = { isVerified: true, minVersion: null, serverName: 'localhost' }
      const files = { certificate: { file: ours.certFile }, key: { file: ours.keyFile } }
      const tls = { ...settings, ...files, ca: { file: good.certFile } }
      const post = createPost({ url, version: '1', tls, clock })
      const { deliver, events } = destinationOf(url, clock, post)
      await deliver(blockOf(manySeries(1, 1), 1))
      const next = await fresh('next')
      await writeFile(ours.certFile, next.cert)
      await clock.sleep(6_000)
      expect(await deliver(blockOf(manySeries(1, 2), 2))).toEqual(delivered(1))
      await writeFile(ours.keyFile, next.key)
      await clock.sleep(6_000)
      expect(await deliver(blockOf(manySeries(1, 3), 3))).toEqual(delivered(1))
      expect(events).toEqual([])
      await post.close()
    })
  })
})
