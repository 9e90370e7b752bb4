import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { snappy } from '../../src/wire/snappy.ts'
import { makeCertificate } from '../support/certificates.ts'
import { RW2_TYPE, withGateway } from '../support/gateway.ts'
import { rw2Of } from '../support/remote-write.ts'

test.for([1, 2])('a push over TLS arrives, with %i intake threads', async (threads) => {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-test-'))
  try {
    const { certFile, keyFile, cert } = await makeCertificate(directory, 'own')
    const listen = `listen:
  write: 127.0.0.1:0
  admin: 127.0.0.1:0
  otlp_http: off
  otlp_grpc: off
  tls: { cert_file: ${certFile}, key_file: ${keyFile} }`
    await withGateway(
      async ({ gateway, receiver }) => {
        const pushes = Array.from({ length: 10 }, (_, i) => pushOf(gateway.writePort, cert, i))
        expect(await Promise.all(pushes)).toEqual(Array(10).fill(204))
        await expect.poll(() => receiver.series.size).toBe(10)
      },
      { listen, threads },
    )
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})

/** The status of one push, by a connection of its own. */
function pushOf(port: number, ca: string, number: number): Promise<number> {
  const labels = { __name__: 'up', instance: `host-${number}` }
  const body = rw2Of([{ labels, samples: [{ value: 1, timestamp: Date.now() }] }])
  const headers = { 'Content-Type': RW2_TYPE }
  const own = { ca, servername: 'localhost', agent: false, headers }
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: '127.0.0.1', port, path: '/api/v1/write', method: 'POST', ...own },
      (response) => {
        response.resume().on('end', () => resolve(response.statusCode!))
      },
    )
    sent.on('error', reject)
    sent.end(snappy.compress(body))
  })
}
