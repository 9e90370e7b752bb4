import { expect, test } from 'vitest'
import { snappy } from '../../src/wire/snappy.ts'
import { withGateway } from '../support/gateway.ts'
import { decodeRw2, ORDINARY_NAN, STALE_NAN } from '../support/remote-write.ts'

const T = Date.now()
const MINUTE_MS = 60_000
const labels = { __name__: 'm', job: 'j' }
const series = (value: number | bigint, timestamp: number) => [
  { labels, samples: [{ value, timestamp }] },
]

test('G34: a stale marker keeps its bits through queue, disk and restart', () =>
  withGateway(async (gateway) => {
    const { push2, receiver } = gateway
    receiver.respond = () => ({ status: 503 })
    expect(await push2(series(STALE_NAN, T))).toMatchObject({ status: 204, written: [1, 0, 0] })
    await gateway.restart()
    receiver.respond = undefined
    await expect.poll(() => receiver.samplesOf(labels), { timeout: 10_000 }).toHaveLength(1)
    expect(receiver.samplesOf(labels)[0]!.bits).toBe(STALE_NAN)
  }))

test('G35: an ordinary NaN equals itself bit for bit', () =>
  withGateway(async ({ push1, push2, receiver }) => {
    expect(await push2(series(ORDINARY_NAN, T))).toMatchObject({ status: 204, written: [1, 0, 0] })
    expect(await push1(series(ORDINARY_NAN, T))).toMatchObject({ status: 204 })
    await expect.poll(() => receiver.samplesOf(labels)).toHaveLength(1)
    expect(receiver.samplesOf(labels)[0]!.bits).toBe(ORDINARY_NAN)
    expect(receiver.requests.flatMap((request) => request.series)).toHaveLength(1)
  }))

test('G36: 0 and -0 differ in their bits, so the first stays', () =>
  withGateway(async ({ push2, receiver }) => {
    expect(await push2(series(0, T))).toMatchObject({ status: 204, written: [1, 0, 0] })
    expect(await push2(series(-0, T))).toMatchObject({ status: 204, written: [1, 0, 0] })
    await expect.poll(() => receiver.samplesOf(labels)).toHaveLength(1)
    expect(receiver.samplesOf(labels)[0]!.bits).toBe(0n)
  }))

test('G37: eleven minutes ahead is refused at the door', () =>
  withGateway(async ({ push2, receiver }) => {
    const answer = await push2(series(1, Date.now() + 11 * MINUTE_MS))
    expect(answer).toMatchObject({ status: 400, written: [0, 0, 0] })
    expect(answer.text).toMatch(/too-far-ahead.*check the sender's clock/)
    expect(receiver.requests).toEqual([])
  }))

test('G38: nine minutes ahead passes', () =>
  withGateway(async ({ push2, receiver }) => {
    const answer = await push2(series(1, Date.now() + 9 * MINUTE_MS))
    expect(answer).toMatchObject({ status: 204, written: [1, 0, 0] })
    await expect.poll(() => receiver.samplesOf(labels)).toHaveLength(1)
  }))

test('G39: samples of one series that are out of order are put in order', () =>
  withGateway(async ({ push2, receiver }) => {
    const samples = [
      { value: 2, timestamp: T },
      { value: 1, timestamp: T - 10 },
    ]
    expect(await push2([{ labels, samples }])).toMatchObject({ status: 204, written: [2, 0, 0] })
    await expect.poll(() => receiver.samplesOf(labels)).toHaveLength(2)
    expect(receiver.samplesOf(labels).map(({ timestampMs }) => timestampMs)).toEqual([T - 10, T])
  }))

test('G40: a late sample is refused with exact counts', () =>
  withGateway(async ({ push2, receiver }) => {
    await push2(series(1, T))
    const answer = await push2([
      ...series(2, T - MINUTE_MS),
      { labels: { __name__: 'other' }, samples: [{ value: 1, timestamp: T }] },
    ])
    expect(answer).toMatchObject({ status: 400, written: [1, 0, 0] })
    expect(answer.text).toContain('out of order')
    await expect.poll(() => receiver.samplesOf({ __name__: 'other' })).toHaveLength(1)
    expect(receiver.samplesOf(labels)).toHaveLength(1)
  }))

test('G41: a late sample that the destination takes is forwarded', () =>
  withGateway(
    async ({ push2, receiver }) => {
      await push2(series(1, T))
      expect(await push2(series(2, T - MINUTE_MS))).toMatchObject({
        status: 204,
        written: [1, 0, 0],
      })
      await expect.poll(() => receiver.samplesOf(labels)).toHaveLength(2)
    },
    { window: '10m', receiver: { oooWindowMs: 10 * MINUTE_MS } },
  ))

/** What the receiver got as the first series of the first request. */
async function forwarded(requests: { body: Uint8Array }[]) {
  await expect.poll(() => requests.length).toBeGreaterThan(0)
  return decodeRw2(snappy.decompress(requests[0]!.body)!).timeseries[0]!
}

test('G42: the created timestamp of a series goes out in both places', () =>
  withGateway(async ({ push2, receiver }) => {
    const createdTimestamp = T - 60 * MINUTE_MS
    const samples = [{ value: 1, timestamp: T }]
    expect(await push2([{ labels, samples, createdTimestamp }])).toMatchObject({ status: 204 })
    const { samples: sent, createdTimestamp: created } = await forwarded(receiver.requests)
    expect(created).toBe(createdTimestamp)
    expect(sent[0]!.startTimestamp).toBe(createdTimestamp)
  }))

test('G43: the start timestamp of a sample goes out in both places, and wins over the series', () =>
  withGateway(async ({ push2, receiver }) => {
    const startTimestamp = T - 30 * MINUTE_MS
    const samples = [{ value: 1, timestamp: T, startTimestamp }]
    await push2([{ labels, samples, createdTimestamp: T - 60 * MINUTE_MS }])
    const { samples: sent, createdTimestamp: created } = await forwarded(receiver.requests)
    expect(created).toBe(startTimestamp)
    expect(sent[0]!.startTimestamp).toBe(startTimestamp)
  }))

test('G44: a start after the sample is dropped, the sample stays', () =>
  withGateway(async ({ push2, receiver }) => {
    const samples = [{ value: 1, timestamp: T, startTimestamp: T + 1 }]
    expect(await push2([{ labels, samples }])).toMatchObject({ status: 204, written: [1, 0, 0] })
    const { samples: sent, createdTimestamp: created } = await forwarded(receiver.requests)
    expect([created, sent[0]!.startTimestamp]).toEqual([0, 0])
  }))

test.for([
  [0, 0],
  [-1, -1],
] as const)('G45: a start of %i is forwarded as %i', ([startTimestamp, expected]) =>
  withGateway(async ({ push2, receiver }) => {
    await push2([{ labels, samples: [{ value: 1, timestamp: T, startTimestamp }] }])
    const { samples: sent } = await forwarded(receiver.requests)
    expect(sent[0]!.startTimestamp).toBe(expected)
  }),
)

const exemplar = { labels: { trace_id: 'abc' }, value: 0.5, timestamp: T }

test('G46: an exemplar in a series of its own travels with the sample of its series', () =>
  withGateway(async ({ push2, receiver }) => {
    const answer = await push2([
      { labels, samples: [{ value: 1, timestamp: T }] },
      { labels, exemplars: [exemplar] },
    ])
    expect(answer).toMatchObject({ status: 204, written: [1, 0, 1] })
    await expect.poll(() => receiver.requests).toHaveLength(1)
    const sent = receiver.requests[0]!.series
    expect(sent).toHaveLength(1)
    expect(sent[0]!.samples).toHaveLength(1)
    expect(sent[0]!.exemplars).toHaveLength(1)
  }))

test('G47: an exemplar without a sample waits for the next one of its series', () =>
  withGateway(async ({ push2, receiver }) => {
    await push2([{ labels, samples: [{ value: 1, timestamp: T - 1000 }] }])
    const answer = await push2([{ labels, exemplars: [exemplar] }])
    expect(answer).toMatchObject({ status: 204, written: [0, 0, 1] })
    await push2([{ labels, samples: [{ value: 2, timestamp: T }] }])
    await expect.poll(() => receiver.samplesOf(labels)).toHaveLength(2)
    const sent = receiver.requests.flatMap((request) => request.series)
    expect(sent.map(({ samples, exemplars }) => [samples.length, exemplars.length])).toEqual([
      [1, 0],
      [1, 1],
    ])
  }))

test('G47: an exemplar of a series never seen is taken, and counted when it is given up', () =>
  withGateway(async ({ push2, receiver }) => {
    const answer = await push2([{ labels, exemplars: [exemplar] }])
    expect(answer).toMatchObject({ status: 204, written: [0, 0, 1] })
    await push2([{ labels, samples: [{ value: 2, timestamp: T }] }])
    await expect.poll(() => receiver.samplesOf(labels)).toHaveLength(1)
  }))

test('G48: an exemplar with too much text is left out, the sample is kept', () =>
  withGateway(async ({ push2, receiver }) => {
    const wordy = { ...exemplar, labels: { a: 'x'.repeat(128) } }
    const answer = await push2([
      { labels, samples: [{ value: 1, timestamp: T }], exemplars: [wordy] },
    ])
    expect(answer).toMatchObject({ status: 204, written: [1, 0, 0] })
    await expect.poll(() => receiver.requests).toHaveLength(1)
    expect(receiver.requests[0]!.series[0]!.exemplars).toEqual([])
  }))

test('G49: an exemplar without a time gets that of its sample', () =>
  withGateway(async ({ push2, receiver }) => {
    const timeless = { ...exemplar, timestamp: 0 }
    const answer = await push2([
      { labels, samples: [{ value: 1, timestamp: T }], exemplars: [timeless] },
    ])
    expect(answer).toMatchObject({ status: 204, written: [1, 0, 1] })
    await expect.poll(() => receiver.requests).toHaveLength(1)
    expect(receiver.requests[0]!.series[0]!.exemplars[0]!.timestampMs).toBe(T)
  }))

test('G51: a series of labels and metadata alone is refused', () =>
  withGateway(async ({ push2, receiver }) => {
    const answer = await push2([{ labels, metadata: { type: 1, help: 'h' } }])
    expect(answer).toMatchObject({ status: 400, written: [0, 0, 0] })
    expect(receiver.requests).toEqual([])
  }))

test('G52: a metadata type that nobody knows is sent as unspecified', () =>
  withGateway(async ({ push2, receiver }) => {
    const samples = [{ value: 1, timestamp: T }]
    const answer = await push2([{ labels, samples, metadata: { type: 99, help: 'h' } }])
    expect(answer).toMatchObject({ status: 204, written: [1, 0, 0] })
    expect((await forwarded(receiver.requests)).metadata).toMatchObject({ type: 0 })
  }))
