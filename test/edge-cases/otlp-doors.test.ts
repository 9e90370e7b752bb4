import { gzipSync } from 'node:zlib'
import { Client, credentials, Metadata } from '@grpc/grpc-js'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BODY_BYTES_MAX } from '../../src/receive/body.ts'
import { messageOf, metric, resource } from '../otlp/drawn.ts'
import type { TestGateway } from '../support/gateway.ts'
import { gaugeOf, type Message, otlpOf, pointAt, requestOf } from '../support/otlp.ts'
import { DOORS, type Door, encodedFor, type Told, withDoors } from '../support/otlp-doors.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 60)
const SLOW = { timeout: 60_000 }
const now = Date.now()

/** What is to be told of a request that is taken, that makes no sense, that is too large. */
const TOLD: Record<Door, { taken: number; malformed: number; tooLarge: number; overload: number }> =
  {
    protobuf: { taken: 200, malformed: 400, tooLarge: 413, overload: 503 },
    JSON: { taken: 200, malformed: 400, tooLarge: 413, overload: 503 },
    gRPC: { taken: 0, malformed: 3, tooLarge: 8, overload: 14 },
  }

async function balanceOf(gateway: TestGateway): Promise<number> {
  return JSON.parse(await gateway.admin('/api/v1/balance')).difference
}

/** Cumulative values, deltas, and what does not say which it is. */
const drawn: fc.Arbitrary<Message> = fc
  .tuple(fc.array(metric, { maxLength: 3 }), resource, fc.nat(1e6), fc.nat(2))
  .map(([metrics, from, number, temporality]) => {
    const message = messageOf(metrics, from, number, now - number)
    for (const each of metricsOf(message)) {
      for (const data of [each.sum, each.histogram, each.exponentialHistogram]) {
        if (data !== undefined) data['aggregationTemporality'] = temporality
      }
    }
    return message
  })

type Data = { sum?: Message; histogram?: Message; exponentialHistogram?: Message }

function metricsOf(message: Message): Data[] {
  const { resourceMetrics } = message as {
    resourceMetrics: { scopeMetrics: { metrics: Data[] }[] }[]
  }
  return resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((one) => one.metrics))
}

const flips = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 })

function damaged(body: Uint8Array, changes: [number, number][]): Uint8Array {
  const bytes = Uint8Array.from(body)
  for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte
  return bytes
}

/** Also what is of the form of a request and of no sense. */
function bodiesFor(door: Door): fc.Arbitrary<Uint8Array> {
  const whole = drawn.map((message) => encodedFor(door, message))
  const cut = fc
    .tuple(whole, fc.nat())
    .map(([body, at]) => body.subarray(0, at % (body.length + 1)))
  const changed = fc.tuple(whole, flips).map(([body, changes]) => damaged(body, changes))
  const bytes = fc.uint8Array({ maxLength: 60 })
  if (door !== 'JSON') return fc.oneof(whole, cut, changed, bytes)
  const keys = ['resourceMetrics', 'scopeMetrics', 'metrics', 'gauge', 'dataPoints', 'asInt', 'x']
  const json = fc.object({ key: fc.constantFrom(...keys), maxDepth: 6 })
  return fc.oneof(
    whole,
    cut,
    changed,
    bytes,
    json.map((one) => Buffer.from(JSON.stringify(one))),
  )
}

test.for(DOORS)('by %s, random bytes and messages get documented answers only', SLOW, (door) =>
  withDoors(
    async (doors, gateway) => {
      const { taken, malformed } = TOLD[door]
      const property = fc.asyncProperty(bodiesFor(door), async (body) => {
        const told = await doors.bytes(door, body)
        expect([taken, malformed], JSON.stringify(told)).toContain(told.status)
        expect(told).toMatchObject({ isWellFormed: true, retrySeconds: null })
        if (told.status === malformed) expect(told.message).not.toBe('')
        expect(told.message.length).toBeLessThan(4096)
      })
      await fc.assert(property, { numRuns })
      expect(await balanceOf(gateway)).toBe(0)
    },
    { yaml: 'otlp: { delta: cumulative }' },
  ),
)

test('G93: what is over the limit is refused at each door, and is not to be repeated', SLOW, () =>
  withDoors(async (doors) => {
    for (const door of DOORS) {
      const told = await doors.bytes(door, Buffer.alloc(BODY_BYTES_MAX + 1, 0x20))
      expect(told, door).toMatchObject({ status: TOLD[door].tooLarge, retrySeconds: null })
      const after = await doors.message(door, requestOf([gaugeOf('g', [pointAt(now)])]))
      expect(after.status).toBe(TOLD[door].taken)
    }
  }),
)

test('G94: a full log is an overload at each door, with the time to come back', SLOW, () =>
  withDoors(
    async (doors, gateway) => {
      gateway.receiver.respond = () => ({ status: 503 })
      const pushOf = (i: number) => {
        const points = Array.from({ length: 500 }, (_, k) =>
          pointAt(now + i, { asDouble: i + k }, { k: `${k}-${'x'.repeat(200)}` }),
        )
        return requestOf([gaugeOf('g', points)])
      }
      let told: Told = await doors.message('protobuf', pushOf(0))
      for (let i = 1; i < 3_000 && told.status === 200; i++) {
        told = await doors.message('protobuf', pushOf(i))
      }
      for (const door of DOORS) {
        const refused = await doors.message(door, requestOf([gaugeOf('g', [pointAt(now)])]))
        expect(refused).toMatchObject({ status: TOLD[door].overload, isWellFormed: true })
        expect(refused.message).toContain('full')
        expect(refused.retrySeconds).toBeGreaterThanOrEqual(1)
        expect(refused.retrySeconds).toBeLessThanOrEqual(60)
      }
    },
    { quota: '1MiB' },
  ),
)

test('G95: a call whose message is in gzip is taken', SLOW, () =>
  withDoors(async (_, { gateway, receiver }) => {
    const inGzip = { 'grpc.default_compression_algorithm': 2 } as const
    const address = `127.0.0.1:${gateway.otlpGrpcPort}`
    const client = new Client(address, credentials.createInsecure(), inGzip)
    const points = Array.from({ length: 200 }, (_each, i) => pointAt(now, {}, { i: `${i}` }))
    const body = Buffer.from(otlpOf([gaugeOf('g95', points)]))
    expect(gzipSync(body).length).toBeLessThan(body.length / 2)
    const asIs = (bytes: Buffer) => bytes
    const path = '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export'
    try {
      const answer = await new Promise((resolve) => {
        client.makeUnaryRequest(path, asIs, asIs, body, new Metadata(), (error, got) =>
          resolve(error ?? got),
        )
      })
      expect(answer).toEqual(Buffer.alloc(0))
    } finally {
      client.close()
    }
    await expect.poll(() => receiver.series.size).toBe(200)
  }),
)

test('a thousand small pushes at once become a few requests to the central', SLOW, () =>
  withDoors(async (doors, gateway) => {
    const pushes = Array.from({ length: 1_000 }, (_, sender) => {
      const points = Array.from({ length: 30 }, (_each, i) =>
        pointAt(now, { asDouble: i }, { i: `${i}` }),
      )
      const from = { 'service.name': 'shop', 'service.instance.id': `${sender}` }
      const door = DOORS[sender % DOORS.length]!
      return doors.message(door, requestOf([gaugeOf('g', points)], from))
    })
    for (const told of await Promise.all(pushes)) expect(told).toMatchObject({ rejected: 0 })
    await expect.poll(() => gateway.receiver.series.size, { timeout: 20_000 }).toBe(30_000)
    // As many as there are commits while they come in, on a machine that is busy, and no more.
    expect(gateway.receiver.requests.length).toBeLessThan(500)
    expect(await balanceOf(gateway)).toBe(0)
  }),
)
