import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { uncompressSync } from 'snappy'
import { obey } from './helper.ts'
import { Tally } from './tally.ts'

/** What has arrived since the start. */
export type Arrived = {
  samples: number
  requests: number
  /** As on the wire, compressed. */
  bytes: number
  /** Since the start or the end of the last outage. */
  firstMs: number
  lastMs: number
}

/**
 * The central Prometheus of every target: takes Remote Write 1.0 and 2.0, counts what
 * arrives, and keeps nothing.
 */
const tally = new Tally()
let requests = 0
let bytes = 0
let firstMs = 0
let lastMs = 0
let isDown = false

const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => take(request, Buffer.concat(chunks), response))
})

function take(request: IncomingMessage, body: Buffer, response: ServerResponse): void {
  if (isDown) {
    response.writeHead(503).end()
    return
  }
  const isVersion2 = request.headers['content-type']?.includes('write.v2.Request') === true
  const raw = uncompressSync(body) as Buffer
  lastMs = Date.now()
  if (firstMs === 0) firstMs = lastMs
  requests += 1
  bytes += body.length
  const samples = tally.add(raw, isVersion2, lastMs)
  if (isVersion2) {
    response.setHeader('X-Prometheus-Remote-Write-Samples-Written', samples)
    response.setHeader('X-Prometheus-Remote-Write-Histograms-Written', 0)
    response.setHeader('X-Prometheus-Remote-Write-Exemplars-Written', 0)
  }
  response.writeHead(204).end()
}

const orders = {
  /** Resolves with the port. */
  listen: async (): Promise<number> => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return (server.address() as AddressInfo).port
  },
  /** An outage: everything is answered 503 until `up`. */
  down: (): void => {
    isDown = true
  },
  up: (): void => {
    isDown = false
    firstMs = 0
  },
  forgetLags: (): void => tally.forgetLags(),
  arrived: (): Arrived => ({ samples: tally.samples, requests, bytes, firstMs, lastMs }),
  /** How long samples took, from the time that they bear. */
  lagMs: () => ({ p50: tally.lagMs(0.5), p99: tally.lagMs(0.99) }),
}
export type SinkOrders = typeof orders

obey(orders)
