import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { snappy } from '../../src/wire/snappy.ts'
import { RW1_TYPE, RW2_TYPE, withGateway } from '../support/gateway.ts'
import { encodeRw2, rw1Of, rw2Of } from '../support/remote-write.ts'

const T = Date.now()
const labels = { __name__: 'm', job: 'j' }
const oneSample = [{ labels, samples: [{ value: 1, timestamp: T }] }]
const body2 = snappy.compress(rw2Of(oneSample))

test('G1: one sample by 2.0 is answered 204 with its counts and forwarded', () =>
  withGateway(async ({ push2, receiver }) => {
    const answer = await push2(oneSample)
    expect(answer).toMatchObject({ status: 204, written: [1, 0, 0], text: '' })
    await expect.poll(() => receiver.samplesOf(labels)).toHaveLength(1)
    expect(receiver.samplesOf(labels)[0]).toMatchObject({ timestampMs: T })
  }))

test('G2: labels in reverse order are taken and forwarded sorted', () =>
  withGateway(async ({ push2, receiver }) => {
    const reversed = Object.entries(labels).reverse() as [string, string][]
    const answer = await push2([{ labels: reversed, samples: [{ value: 1, timestamp: T }] }])
    expect(answer).toMatchObject({ status: 204, written: [1, 0, 0] })
    await expect.poll(() => receiver.requests).toHaveLength(1)
    expect(receiver.requests[0]!.series[0]!.labels).toEqual(Object.entries(labels))
  }))

test('G3: the same bytes twice are answered alike and forwarded once', () =>
  withGateway(async ({ post, push2, receiver }) => {
    const headers = { 'Content-Type': RW2_TYPE }
    expect(await post(body2, headers)).toMatchObject({ status: 204, written: [1, 0, 0] })
    expect(await post(body2, headers)).toMatchObject({ status: 204, written: [1, 0, 0] })
    const marker = { __name__: 'marker' }
    await push2([{ labels: marker, samples: [{ value: 1, timestamp: T }] }])
    await expect.poll(() => receiver.samplesOf(marker)).toHaveLength(1)
    const forwarded = receiver.requests.flatMap(({ series }) => series)
    expect(forwarded).toHaveLength(2)
  }))

test('G4: of two values at one time the first stays, and both count as written', () =>
  withGateway(async ({ push2, receiver, admin }) => {
    expect(await push2(oneSample)).toMatchObject({ status: 204, written: [1, 0, 0] })
    const other = [{ labels, samples: [{ value: 2, timestamp: T }] }]
    expect(await push2(other)).toMatchObject({ status: 204, written: [1, 0, 0] })
    await expect.poll(() => receiver.samplesOf(labels)).toHaveLength(1)
    expect(receiver.samplesOf(labels)[0]!.bits).toBe(0x3ff0_0000_0000_0000n)
    expect(await admin('/metrics')).toMatch(/sluice_\w*duplicate\w*\{[^}]*conflict[^}]*\} 1/)
  }))

test('G5: a space before the proto parameter does not hide it', () =>
  withGateway(async ({ post, receiver }) => {
    const type = 'application/x-protobuf; proto=io.prometheus.write.v2.Request'
    const answer = await post(body2, { 'Content-Type': type })
    expect(answer).toMatchObject({ status: 204, written: [1, 0, 0] })
    await expect.poll(() => receiver.samplesOf(labels)).toHaveLength(1)
  }))

test('G6: a 2.0 body that calls itself 1.0 is an empty 1.0 request', () =>
  withGateway(async ({ post, receiver, admin }) => {
    const answer = await post(body2, { 'Content-Type': RW1_TYPE })
    expect(answer).toMatchObject({ status: 204, written: null })
    expect(receiver.requests).toEqual([])
    expect(JSON.parse(await admin('/api/v1/status'))).toMatchObject({ misnamedPushes: 1 })
  }))

test('G7: a 1.0 body that calls itself 2.0 is answered with explicit zeros', () =>
  withGateway(async ({ post }) => {
    const body = snappy.compress(rw1Of(oneSample))
    const answer = await post(body, { 'Content-Type': RW2_TYPE })
    expect(answer).toMatchObject({ status: 204, written: [0, 0, 0] })
  }))

test.for([
  ['G8', { 'Content-Type': 'application/json' }],
  ['G9', { 'Content-Type': 'application/x-protobuf;proto=foo.Bar' }],
  ['G10', { 'Content-Type': RW2_TYPE, 'Content-Encoding': 'gzip' }],
] as const)('%s: garbage of a type that is not taken is 415, not 400', ([, headers]) =>
  withGateway(async ({ post }) => {
    const answer = await post(Buffer.from('garbage'), headers)
    expect(answer).toMatchObject({ status: 415, written: null })
    expect(answer.text).not.toBe('')
  }),
)

test('G10: a body that really is gzip is 415 all the same', () =>
  withGateway(async ({ post, receiver }) => {
    const headers = { 'Content-Type': RW2_TYPE, 'Content-Encoding': 'gzip' }
    expect(await post(gzipSync(rw2Of(oneSample)), headers)).toMatchObject({ status: 415 })
    expect(receiver.requests).toEqual([])
  }))

test('G11: without content headers a body is snappy and 1.0', () =>
  withGateway(async ({ post, receiver }) => {
    expect(await post(snappy.compress(rw1Of(oneSample)))).toMatchObject({
      status: 204,
      written: null,
    })
    await expect.poll(() => receiver.samplesOf(labels)).toHaveLength(1)
  }))

test('G12: a snappy body whose first byte was changed is 400', () =>
  withGateway(async ({ post }) => {
    const damaged = Uint8Array.from(body2)
    damaged[0]! ^= 0x01
    expect(await post(damaged, { 'Content-Type': RW2_TYPE })).toMatchObject({ status: 400 })
  }))

test('G13: ten bytes that declare 4 GiB are 400 and allocate nothing', () =>
  withGateway(async ({ post }) => {
    const bomb = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0, 0)
    const before = process.memoryUsage().rss
    const answer = await post(bomb, { 'Content-Type': RW2_TYPE })
    expect(answer).toMatchObject({ status: 400, written: [0, 0, 0] })
    expect(answer.text).toMatch(/limit/)
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024)
  }))

test('G14: 33 MiB decoded are over the limit, however well they are packed', () =>
  withGateway(async ({ post }) => {
    const large = snappy.compress(new Uint8Array(33 * 1024 * 1024))
    const answer = await post(large, { 'Content-Type': RW2_TYPE })
    expect(answer).toMatchObject({ status: 400 })
    expect(answer.text).toMatch(/exceeds limit/)
  }))

test('G16: the framed format of snappy is 400', () =>
  withGateway(async ({ post }) => {
    const framed = Buffer.concat([
      Buffer.from('ff060000734e61507059', 'hex'),
      Buffer.from([0x00, body2.length + 4, 0, 0, 1, 2, 3, 4]),
      body2,
    ])
    expect(await post(framed, { 'Content-Type': RW2_TYPE })).toMatchObject({ status: 400 })
  }))

test('G17: an empty 1.0 body is a probe and answered 204; an empty 2.0 body is 400', () =>
  withGateway(async ({ post }) => {
    const nothing = new Uint8Array(0)
    expect(await post(nothing, { 'Content-Type': RW1_TYPE })).toMatchObject({
      status: 204,
      written: null,
    })
    expect(await post(nothing, { 'Content-Type': RW2_TYPE })).toMatchObject({ status: 400 })
  }))

test.for([
  ['G18', { symbols: [''] }, 204],
  ['G19', { timeseries: [{ labelsRefs: [], samples: [{ value: 1, timestamp: T }] }] }, 400],
  ['G20', { symbols: ['x', 'a'], timeseries: [{ labelsRefs: [0, 1] }] }, 400],
] as const)('%s: the symbol table of a request decides for all of it', ([, message, status]) =>
  withGateway(async ({ post, receiver }) => {
    const body = snappy.compress(encodeRw2(message as never))
    const answer = await post(body, { 'Content-Type': RW2_TYPE })
    expect(answer).toMatchObject({ status, written: [0, 0, 0] })
    expect(receiver.requests).toEqual([])
  }),
)

test('G66: metadata by 1.0 is kept and attached to series that come later', () =>
  withGateway(async ({ push1, push2, receiver }) => {
    const family = { type: 1, metricFamilyName: 'm', help: 'What m is.', unit: 'bytes' }
    expect(await push1([], [family])).toMatchObject({ status: 204, written: null })
    const series = { __name__: 'm_total', job: 'j' }
    await push2([{ labels: series, samples: [{ value: 1, timestamp: T }] }])
    await expect.poll(() => receiver.requests).toHaveLength(1)
    const raw = Buffer.from(snappy.decompress(receiver.requests[0]!.body)!)
    expect(raw.includes('What m is.')).toBe(true)
    expect(raw.includes('bytes')).toBe(true)
  }))

test('G67: of three 1.0 series with one invalid the two others are kept, and the answer is 400', () =>
  withGateway(async ({ push1, receiver }) => {
    const samples = [{ value: 1, timestamp: T }]
    const answer = await push1([
      { labels: { __name__: 'a' }, samples },
      { labels: { job: 'nameless' }, samples },
      { labels: { __name__: 'b' }, samples },
    ])
    expect(answer).toMatchObject({ status: 400, written: null })
    await expect.poll(() => receiver.series.size).toBe(2)
  }))

test('G68: a valid 1.0 request is answered without Written headers', () =>
  withGateway(async ({ push1, receiver }) => {
    expect(await push1(oneSample)).toMatchObject({ status: 204, written: null })
    await expect.poll(() => receiver.samplesOf(labels)).toHaveLength(1)
  }))

test(
  'G69: a full log is 503 with Retry-After, and the same push passes once there is room',
  { timeout: 30_000 },
  () =>
    withGateway(
      async ({ push2, receiver }) => {
        // The receiver is down, so the log fills up to its quota.
        receiver.respond = () => ({ status: 503 })
        const filler = 'x'.repeat(2000)
        const seriesOf = (n: number) =>
          Array.from({ length: 50 }, (_, i) => ({
            labels: {
              __name__: 'm',
              n: String(n),
              i: String(i),
              filler: `${filler}${Math.random()}`,
            },
            samples: [{ value: 1, timestamp: T }],
          }))
        let refused = seriesOf(0)
        let answer = await push2(refused)
        for (let n = 1; n < 400 && answer.status === 204; n++) {
          refused = seriesOf(n)
          answer = await push2(refused)
        }
        expect(answer).toMatchObject({ status: 503, written: [0, 0, 0] })
        expect(answer.headers['retry-after']).toMatch(/^\d+$/)

        receiver.respond = undefined
        await expect.poll(async () => (await push2(refused)).status, { timeout: 20_000 }).toBe(204)
        await expect.poll(() => receiver.samplesOf(refused[0]!.labels)).toHaveLength(1)
      },
      { quota: '1MiB' },
    ),
)

test('a destination with protobuf_message prometheus.WriteRequest is only ever sent 1.0', () =>
  withGateway(
    async ({ push2, receiver }) => {
      expect(await push2(oneSample)).toMatchObject({ status: 204 })
      await expect.poll(() => receiver.samplesOf(labels)).toHaveLength(1)
      expect(receiver.requests.map(({ protocol }) => protocol)).toEqual(['rw1'])
    },
    { yaml: '    protobuf_message: prometheus.WriteRequest' },
  ))
