import { gzipSync, zstdCompressSync } from 'node:zlib'
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js'
import { expect, test, vi } from 'vitest'
import { post, type TestGateway, withGateway } from '../support/gateway.ts'
import {
  DELTA,
  decodeOtlpResponse,
  encodeOtlp,
  encodeOtlpResponse,
  gaugeOf,
  type Message,
  nanos,
  otlpOf,
  pointAt,
  requestOf,
  sumOf,
} from '../support/otlp.ts'

/** Threads and gRPC take their time to start. */
vi.setConfig({ testTimeout: 30_000 })

const PROTOBUF = { 'Content-Type': 'application/x-protobuf' }
const JSON_TYPE = { 'Content-Type': 'application/json' }
const RESOURCE = { 'service.name': 'shop', 'host.name': 'web-1' }
const now = Date.now()

const metrics = [
  gaugeOf('queue.length', [pointAt(now, { asInt: '7' }, { queue: 'mail' })], { unit: '1' }),
  sumOf('http.requests', [pointAt(now, { asDouble: 12 }, { 'http.method': 'GET' })]),
]
const expected = [
  '__name__=http_requests_total http_method=GET job=shop',
  '__name__=queue_length_ratio job=shop queue=mail',
  '__name__=target_info host_name=web-1 job=shop',
]

/** What the receiver has, as sorted text. */
function seriesAt({ receiver }: TestGateway): string[] {
  const shown = Array.from(receiver.series.keys(), (labels) =>
    [...new Map(JSON.parse(labels) as [string, string][])].map(([k, v]) => `${k}=${v}`).join(' '),
  )
  return shown.sort()
}

const send = (
  gateway: TestGateway,
  body: Uint8Array,
  headers: { [name: string]: string },
  path = '/v1/metrics',
) => post(gateway.gateway.otlpHttpPort!, body, headers, path)

/** The message, or what went wrong. */
function call(gateway: TestGateway, body: Uint8Array): Promise<Buffer | ServiceError> {
  const client = new Client(
    `127.0.0.1:${gateway.gateway.otlpGrpcPort}`,
    credentials.createInsecure(),
  )
  const asIs = (bytes: Buffer) => bytes
  const path = '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export'
  return new Promise((resolve) => {
    const deadline = Date.now() + 10_000
    const bytes = Buffer.from(body)
    client.makeUnaryRequest(path, asIs, asIs, bytes, new Metadata(), { deadline }, (error, got) => {
      client.close()
      resolve(error ?? got!)
    })
  })
}

const encodings: [string, { [name: string]: string }, (message: Message) => Uint8Array][] = [
  ['protobuf', PROTOBUF, encodeOtlp],
  ['protobuf in gzip', { ...PROTOBUF, 'Content-Encoding': 'gzip' }, (m) => gzipSync(encodeOtlp(m))],
  [
    'protobuf in zstd',
    { ...PROTOBUF, 'Content-Encoding': 'zstd' },
    (m) => zstdCompressSync(encodeOtlp(m)),
  ],
  [
    'JSON',
    { 'Content-Type': 'application/json; charset=utf-8' },
    (m) => Buffer.from(JSON.stringify(m)),
  ],
  [
    'JSON in gzip',
    { ...JSON_TYPE, 'Content-Encoding': 'gzip' },
    (m) => gzipSync(JSON.stringify(m)),
  ],
]

test.for(encodings)(
  'G82, G83: metrics in %s arrive under their names in Prometheus',
  ([, headers, of]) =>
    withGateway(async (gateway) => {
      const answer = await send(gateway, of(requestOf(metrics, RESOURCE)), headers)
      expect(answer.status, answer.text).toBe(200)
      expect(answer.text).toBe(headers['Content-Type']!.includes('json') ? '{}' : '')
      expect(answer.headers['content-type']).toBe(headers['Content-Type']!.split(';')[0])
      await expect.poll(() => seriesAt(gateway)).toEqual(expected)
    }),
)

test('metrics by gRPC arrive as well, and a repetition is dropped', () =>
  withGateway(
    async (gateway) => {
      const body = otlpOf(metrics, RESOURCE)
      expect(await call(gateway, body)).toEqual(Buffer.alloc(0))
      expect(await call(gateway, body)).toEqual(Buffer.alloc(0))
      await expect.poll(() => seriesAt(gateway)).toEqual(expected)
      const page = await gateway.admin('/metrics')
      expect(page).toContain('sluice_receive_requests_total{protocol="otlp-grpc",status="0"} 2')
    },
    { grpc: true },
  ))

test.for(['/v1/metrics', '/api/v1/otlp/v1/metrics'])('%s is on both ports', (path) =>
  withGateway(async ({ gateway }) => {
    for (const port of [gateway.writePort, gateway.otlpHttpPort!]) {
      const answer = await post(port, otlpOf(metrics, RESOURCE), PROTOBUF, path)
      expect(answer.status, answer.text).toBe(200)
    }
  }),
)

test('what cannot be taken is rejected point by point, and the rest arrives', () =>
  withGateway(
    async (gateway) => {
      const delta = { aggregationTemporality: DELTA, isMonotonic: true }
      const points = [1, 2, 3].map((i) => pointAt(now, { asDouble: i }, { i: `${i}` }))
      const some = [...metrics, { name: 'x', sum: { dataPoints: points, ...delta } }]
      const inProtobuf = await send(gateway, otlpOf(some, RESOURCE), PROTOBUF)
      expect(inProtobuf.status).toBe(200)
      const json = Buffer.from(JSON.stringify(requestOf(some, RESOURCE)))
      const inJson = await send(gateway, json, JSON_TYPE)
      expect(JSON.parse(inJson.text).partialSuccess).toMatchObject({
        rejectedDataPoints: '3',
        errorMessage: expect.stringMatching(/delta temporality.*cumulative/),
      })
      const byCall = decodeOtlpResponse((await call(gateway, otlpOf(some, RESOURCE))) as Buffer)
      expect(byCall.partialSuccess?.rejectedDataPoints).toBe(3)
      await expect.poll(() => seriesAt(gateway)).toEqual(expected)
    },
    { grpc: true },
  ))

test('a histogram that comes too late is one rejected point, however many samples it makes', () =>
  withGateway(async (gateway) => {
    const histogramAt = (ms: number) => {
      const more = { count: '6', sum: 9, bucketCounts: ['1', '2', '3'], explicitBounds: [0.5, 1] }
      const data = { dataPoints: [pointAt(ms, more)], aggregationTemporality: 2 }
      return [{ name: 'h', histogram: data }]
    }
    await send(gateway, otlpOf(histogramAt(now), RESOURCE), PROTOBUF)
    const json = Buffer.from(JSON.stringify(requestOf(histogramAt(now - 1000), RESOURCE)))
    const late = await send(gateway, json, JSON_TYPE)
    expect(JSON.parse(late.text).partialSuccess.rejectedDataPoints).toBe('1')
    // And target_info, which was derived and is late as well, is not spoken of.
    expect(late.text).not.toContain('target_info')
    const balance = JSON.parse(await gateway.admin('/api/v1/balance'))
    expect(balance.difference).toBe(0)
  }))

test('undecodable bodies are 400 with a Status in the encoding of the request', () =>
  withGateway(
    async (gateway) => {
      const inProtobuf = await send(gateway, Buffer.from([0x0a, 0x05, 1]), PROTOBUF)
      expect(inProtobuf).toMatchObject({
        status: 400,
        headers: { 'content-type': 'application/x-protobuf' },
      })
      expect(inProtobuf.text).toContain('longer than its message')
      const inJson = await send(gateway, Buffer.from('{"resourceMetrics": 3}'), JSON_TYPE)
      expect(inJson.status).toBe(400)
      expect(JSON.parse(inJson.text)).toEqual({
        code: 3,
        message: 'resourceMetrics must be a list',
      })
      expect(await call(gateway, Buffer.from([0x0a, 0x05, 1]))).toMatchObject({ code: 3 })
      const damaged = { ...PROTOBUF, 'Content-Encoding': 'gzip' }
      expect((await send(gateway, Buffer.from('no gzip'), damaged)).text).toContain('no whole gzip')
    },
    { grpc: true },
  ))

test('wrong methods, types and encodings are told apart', () =>
  withGateway(async (gateway) => {
    const { otlpHttpPort } = gateway.gateway
    const got = await post(otlpHttpPort!, Buffer.alloc(0), PROTOBUF, '/v1/metrics', 'GET')
    expect(got).toMatchObject({ status: 405, headers: { allow: 'POST' } })
    expect((await send(gateway, Buffer.alloc(0), { 'Content-Type': 'text/xml' })).status).toBe(415)
    const brotli = { ...JSON_TYPE, 'Content-Encoding': 'br' }
    expect((await send(gateway, Buffer.from('{}'), brotli)).status).toBe(415)
    expect((await send(gateway, Buffer.from('{}'), JSON_TYPE, '/v1/traces')).status).toBe(404)
    expect((await send(gateway, Buffer.alloc(0), PROTOBUF)).status).toBe(200)
  }))

test('bodies over the limit are 413, before and after decompression', () =>
  withGateway(async (gateway) => {
    const bomb = gzipSync(Buffer.alloc(33 * 1024 * 1024))
    const packed = await send(gateway, bomb, { ...JSON_TYPE, 'Content-Encoding': 'gzip' })
    expect(packed.status).toBe(413)
    expect(JSON.parse(packed.text).code).toBe(8)
    expect((await send(gateway, Buffer.alloc(33 * 1024 * 1024), JSON_TYPE)).status).toBe(413)
  }))

test('the times and the values are those that were sent', () =>
  withGateway(async (gateway) => {
    const start = nanos(now - 60_000)
    const point = pointAt(now, { asInt: '-9007199254740993', startTimeUnixNano: start })
    await send(gateway, otlpOf([sumOf('n', [point])]), PROTOBUF)
    await expect.poll(() => gateway.receiver.series.size).toBe(1)
    const [series] = gateway.receiver.series.values()
    // As a double, which cannot be odd up there.
    const bits = new BigUint64Array(Float64Array.of(-9007199254740992).buffer)[0]
    expect(series!.samples).toMatchObject([{ timestampMs: now, bits }])
  }))

test('an empty partial success is none', () => {
  expect(decodeOtlpResponse(encodeOtlpResponse({}))).toEqual({})
})
