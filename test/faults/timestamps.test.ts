import { expect, test, vi } from 'vitest'
import { valuesOf } from '../status/parts.ts'
import { expectGatewayBalanced, type TestGateway, withGateway } from '../support/gateway.ts'
import {
  decodeOtlpResponse,
  gaugeOf,
  type Message,
  otlpOf,
  pointAt,
  requestOf,
} from '../support/otlp.ts'
import type { SeriesLiteral } from '../support/remote-write.ts'
import { VALID_HISTOGRAM } from '../support/requests.ts'

vi.setConfig({ testTimeout: 30_000 })

const MINUTE_MS = 60_000
const nowMs = Date.now()

const good = { labels: { __name__: 'good' }, samples: [{ value: 1, timestamp: nowMs }] }
const ahead = {
  labels: { __name__: 'ahead' },
  samples: [{ value: 1, timestamp: nowMs + 11 * MINUTE_MS }],
}
const farAhead = { labels: { __name__: 'far' }, samples: [{ value: 1, timestamp: 2 ** 45 }] }
const aheadHistogram = {
  labels: { __name__: 'histogram' },
  histograms: [{ ...VALID_HISTOGRAM, timestamp: nowMs + 11 * MINUTE_MS }],
}
const late = { labels: { __name__: 'late' }, samples: [{ value: 1, timestamp: nowMs - MINUTE_MS }] }
/** One that is in time, and one that is not. */
const mixed = {
  labels: { __name__: 'mixed' },
  samples: [
    { value: 1, timestamp: nowMs },
    { value: 2, timestamp: nowMs + 11 * MINUTE_MS },
  ],
}
const impossible = {
  labels: { __name__: 'impossible' },
  samples: [{ value: 1, timestamp: 2n ** 60n }],
}
const bad: SeriesLiteral[] = [ahead, farAhead, aheadHistogram, late, impossible]
const newest = { labels: { __name__: 'late' }, samples: [{ value: 9, timestamp: nowMs }] }

const timesOf = ({ receiver }: TestGateway, name: string) =>
  receiver.samplesOf({ __name__: name }).map(({ timestampMs }) => timestampMs - nowMs)

/** The good part is there and nothing else, and all of it is in the books. */
async function expectGoodPart(own: TestGateway, rejected: object): Promise<void> {
  for (const name of ['good', 'mixed', 'late']) {
    await expect.poll(() => timesOf(own, name)).toEqual([0])
  }
  for (const name of ['ahead', 'far', 'histogram', 'impossible']) {
    expect(timesOf(own, name)).toEqual([])
  }
  const values = await valuesOf(own)
  const reasons = Object.fromEntries(
    ['too-far-ahead', 'late', 'timestamp-invalid'].map((reason) => [
      reason,
      values.get(`sluice_admit_rejected_elements_total{reason="${reason}"}`) ?? 0,
    ]),
  )
  expect(reasons).toEqual(rejected)
  await expectGatewayBalanced(own)
  // It is final: the same request again has the same answer, and moves nothing.
  expect(own.receiver.requests.flatMap(({ series }) => series)).toHaveLength(3)
}

const REJECTED = { 'too-far-ahead': 4, late: 1, 'timestamp-invalid': 1 }

test('F37: Remote Write 1.0 with times that cannot be is 400, and its good part is stored', () =>
  withGateway(async (own) => {
    expect((await own.push1([newest])).status).toBe(204)
    const answer = await own.push1([good, ...bad, mixed])
    expect(answer).toMatchObject({ status: 400, written: null })
    expect(answer.text).toContain('4 too-far-ahead')
    expect(answer.text).toContain('1 late')
    expect(await own.push1([good, ...bad, mixed])).toMatchObject({ status: 400, written: null })
    await expectGoodPart(own, REJECTED)
  }))

test('F37: Remote Write 2.0 is told besides how much of it was stored', () =>
  withGateway(async (own) => {
    expect((await own.push2([newest])).status).toBe(204)
    const answer = await own.push2([good, ...bad, mixed])
    expect(answer).toMatchObject({ status: 400, written: [2, 0, 0] })
    expect(answer.text).toContain('4 too-far-ahead')
    expect(await own.push2([good, ...bad, mixed])).toMatchObject({
      status: 400,
      written: [2, 0, 0],
    })
    await expectGoodPart(own, REJECTED)
  }))

test('F37: a push of nothing else is 400 with nothing stored', () =>
  withGateway(async (own) => {
    expect((await own.push2([newest])).status).toBe(204)
    expect(await own.push2(bad)).toMatchObject({ status: 400, written: [0, 0, 0] })
    expect(await own.push1(bad)).toMatchObject({ status: 400, written: null })
    await expect.poll(() => timesOf(own, 'late')).toEqual([0])
    await expectGatewayBalanced(own)
    expect(own.receiver.requests).toHaveLength(1)
  }))

test.for(['protobuf', 'JSON'])('F37: OTLP in %s is 200 and tells how many points are lost', (how) =>
  withGateway(async (own) => {
    const point = (ms: number) => pointAt(ms, { asDouble: 1 })
    const metrics = [
      gaugeOf('good', [point(nowMs)]),
      gaugeOf('mixed', [point(nowMs), point(nowMs + 11 * MINUTE_MS)]),
      gaugeOf('late', [point(nowMs - MINUTE_MS)]),
      gaugeOf('ahead', [point(nowMs + 11 * MINUTE_MS)]),
    ]
    const send = async (list: Message[]) => {
      const isJson = how === 'JSON'
      const body = isJson ? JSON.stringify(requestOf(list)) : Buffer.from(otlpOf(list))
      const type = isJson ? 'application/json' : 'application/x-protobuf'
      const url = `http://127.0.0.1:${own.gateway.writePort}/v1/metrics`
      const answer = await fetch(url, { method: 'POST', body, headers: { 'Content-Type': type } })
      const bytes = Buffer.from(await answer.arrayBuffer())
      const told = isJson ? JSON.parse(bytes.toString()) : decodeOtlpResponse(bytes)
      return { status: answer.status, ...told }
    }
    expect((await send([gaugeOf('late', [point(nowMs)])])).status).toBe(200)
    const { status, partialSuccess } = await send(metrics)
    expect(status).toBe(200)
    expect(Number(partialSuccess?.rejectedDataPoints)).toBe(3)
    expect(partialSuccess?.errorMessage).toContain('too-far-ahead')
    await expectGoodPart(own, { 'too-far-ahead': 2, late: 1, 'timestamp-invalid': 0 })
  }),
)

test('F37: where the destination takes late samples, what its window covers passes', () =>
  withGateway(
    async (own) => {
      own.receiver.respond = () => ({ status: 204 })
      const at = (name: string, ms: number) => ({
        labels: { __name__: name },
        samples: [{ value: 1, timestamp: ms }],
      })
      await own.push2([at('a', nowMs), at('b', nowMs)])
      const answer = await own.push2([
        at('a', nowMs - 29 * MINUTE_MS),
        at('b', nowMs - 31 * MINUTE_MS),
      ])
      expect(answer).toMatchObject({ status: 400, written: [1, 0, 0] })
      await expectGatewayBalanced(own)
    },
    { window: '30m' },
  ))
