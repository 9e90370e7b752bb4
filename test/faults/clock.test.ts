import { expect, test, vi } from 'vitest'
import { operateRewind } from '../../src/operate.ts'
import { snappy } from '../../src/wire/snappy.ts'
import { valuesOf } from '../status/parts.ts'
import {
  expectGatewayBalanced,
  passTime,
  RW1_TYPE,
  type TestGateway,
  withGateway,
} from '../support/gateway.ts'
import { rw1Of } from '../support/remote-write.ts'

vi.setConfig({ testTimeout: 30_000 })

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const startMs = Date.now()
const labels = (n: number) => ({ __name__: 'up', n: String(n) })
const SERIES = 20

/** What the senders' clocks say, which are right. */
const pushAt = ({ push2 }: TestGateway, atMs: number) =>
  push2(
    Array.from({ length: SERIES }, (_, n) => ({
      labels: labels(n),
      samples: [{ value: n, timestamp: atMs }],
    })),
  )
const timesAt = ({ receiver }: TestGateway, n = 0) =>
  receiver.samplesOf(labels(n)).map(({ timestampMs }) => timestampMs - startMs)

test.for([HOUR_MS, -HOUR_MS])(
  'F36: when the clock is set by %i ms nothing is refused, forgotten or sent twice',
  (byMs) =>
    withGateway(async (own) => {
      const exemplar = { labels: { trace_id: 'a' }, value: 1, timestamp: startMs }
      await pushAt(own, startMs)
      // It waits for the next sample of its series.
      await own.push2([{ labels: labels(0), exemplars: [exemplar] }])
      const body = snappy.compress(
        rw1Of([{ labels: labels(99), samples: [{ value: 1, timestamp: startMs }] }]),
      )
      expect((await own.post(body, { 'Content-Type': RW1_TYPE })).status).toBe(204)

      own.clockOffset.ms += byMs
      expect((await pushAt(own, startMs + 1_000)).status).toBe(204)
      // Once more, as a whole and one by one.
      expect((await own.post(body, { 'Content-Type': RW1_TYPE })).status).toBe(204)
      expect((await pushAt(own, startMs + 1_000)).status).toBe(204)
      const samples = [{ value: 1, timestamp: startMs + 1_000 }]
      expect((await own.push1([{ labels: labels(1), samples }])).status).toBe(204)
      // Sweeps of the series and of the exemplars come once a second.
      await new Promise((resolve) => {
        setTimeout(resolve, 1_200)
      })
      expect((await pushAt(own, startMs + 2_000)).status).toBe(204)
      await expect.poll(() => timesAt(own)).toEqual([0, 1_000, 2_000])
      const values = await valuesOf(own)
      expect(values.get('sluice_admit_series')).toBe(SERIES + 1)
      expect(values.get('sluice_admit_dropped_exemplars_total{reason="expired"}')).toBe(0)
      expect(values.get('sluice_admit_duplicate_samples_total{kind="replay"}')).toBe(SERIES + 1)
      expect(values.get('sluice_admit_duplicate_samples_total{kind="exact"}')).toBe(1)
      expect(values.get('sluice_process_clock_jumps_total')).toBe(1)
      expect(values.get('sluice_process_clock_jumped_seconds')).toBeCloseTo(byMs / 1000, 1)
      const exemplars = own.receiver.requests.flatMap(({ series }) => series)
      expect(exemplars.filter((one) => one.exemplars.length > 0)).toHaveLength(1)
      await expectGatewayBalanced(own)
    }),
)

test('F36: what is from the future by both clocks is refused, also just after the clock was set', () =>
  withGateway(async (own) => {
    await pushAt(own, startMs)
    own.clockOffset.ms -= HOUR_MS
    expect((await pushAt(own, startMs + 9 * MINUTE_MS)).status).toBe(204)
    expect((await pushAt(own, startMs + 11 * MINUTE_MS)).status).toBe(400)
    // After ten minutes nobody remembers the time before.
    passTime(own, 10 * MINUTE_MS)
    expect((await pushAt(own, startMs + 10 * MINUTE_MS)).status).toBe(400)
    own.clockOffset.ms += HOUR_MS
    expect((await pushAt(own, startMs + 9.5 * MINUTE_MS)).status).toBe(204)
    await expectGatewayBalanced(own)
  }))

test.for([HOUR_MS, -HOUR_MS])(
  'F36: what waits is as old as it is, and is delivered in time, when the clock is set by %i ms',
  (byMs) =>
    withGateway(async (own) => {
      own.receiver.respond = () => ({ status: 503, body: 'later' })
      await pushAt(own, startMs)
      passTime(own, 30_000)
      own.clockOffset.ms += byMs
      await pushAt(own, startMs + 1_000)
      const age = async () =>
        JSON.parse(await own.admin('/api/v1/status')).destinations[0].oldestWaitingSeconds
      expect(await age()).toBeGreaterThanOrEqual(30)
      expect(await age()).toBeLessThan(60)
      own.receiver.respond = undefined
      await expect.poll(() => timesAt(own), { timeout: 10_000 }).toEqual([0, 1_000])
      await expectGatewayBalanced(own)
    }),
)

test.for([HOUR_MS, -HOUR_MS])(
  'F36: a rewind goes as far back as it says, when the clock was set by %i ms',
  (byMs) =>
    withGateway(
      async (own) => {
        await pushAt(own, startMs)
        passTime(own, 20 * MINUTE_MS)
        await pushAt(own, startMs + 1)
        await expect.poll(() => timesAt(own)).toEqual([0, 1])
        await expectGatewayBalanced(own)
        own.clockOffset.ms += byMs
        await pushAt(own, startMs + 2)
        await expect.poll(() => timesAt(own)).toEqual([0, 1, 2])
        await expectGatewayBalanced(own)
        own.receiver.series.clear()
        const admin = `127.0.0.1:${own.gateway.adminPort}`
        const asked = ['--admin', admin, '--destination', 'central', '--since', '10m']
        expect(JSON.parse(await operateRewind(asked))).toMatchObject({ samples: 2 * SERIES })
        await expect.poll(() => timesAt(own)).toEqual([1, 2])
        await expectGatewayBalanced(own)
      },
      { window: '30m' },
    ),
)
