import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { snappy } from '../../src/wire/snappy.ts'
import { isFull } from '../support/fault-scale.ts'
import { type TestGateway, withGateway } from '../support/gateway.ts'
import type { Receiver, Respond } from '../support/receiver.ts'
import { rw2Of, type SeriesLiteral } from '../support/remote-write.ts'

const startMs = Date.now() - 100_000
const SERIES = 2_000
const LONG = { timeout: 30_000 }
const RW1 = 'prometheus.WriteRequest'

/** A scrape of 2,000 series; `name` tells of which. */
const scrape = (tick: number, name = 'up'): SeriesLiteral[] =>
  Array.from({ length: SERIES }, (_, i) => ({
    labels: { __name__: name, instance: String(i) },
    samples: [{ value: i, timestamp: startMs + tick }],
  }))
/** A series that nobody has seen before, so that nothing has to arrive before it. */
const other = (tick: number): SeriesLiteral[] => [
  {
    labels: { __name__: 'other', instance: `n${tick}` },
    samples: [{ value: tick, timestamp: startMs + tick }],
  },
]

const balanceOf = async ({ admin }: TestGateway) =>
  JSON.parse(await admin('/api/v1/balance')).destinations[0]
const statusOf = async ({ admin }: TestGateway) =>
  JSON.parse(await admin('/api/v1/status')).destinations[0]
const storedAt = ({ series }: Receiver, tick: number, name = 'up') =>
  [...series.values()].filter(({ labels, samples }) => {
    const isNamed = labels.some(([, value]) => value === name)
    return isNamed && samples.some(({ timestampMs }) => timestampMs === startMs + tick)
  }).length

/** Gives the receiver newer samples of these series than the gateway will bring. */
async function getAhead({ url }: Receiver, series: SeriesLiteral[]): Promise<void> {
  const headers = { 'Content-Type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request' }
  const body = Buffer.from(snappy.compress(rw2Of(series)))
  expect((await fetch(url, { method: 'POST', headers, body })).status).toBe(204)
}

/** Some of a scrape, from all over it. */
const someOf = (series: SeriesLiteral[], count: number) =>
  Array.from({ length: count }, (_, i) => series[Math.floor(((i + 0.5) * SERIES) / count)]!)

const isPoison: Respond = ({ series }) =>
  series.some(({ labels }) =>
    labels.some(([name, value]) => name === 'instance' && value === '1234'),
  )
    ? { status: 500, body: 'index out of range' }
    : undefined

test(
  'F23: a block that is answered 500 for ever delays nobody, and costs its one bad series',
  LONG,
  () =>
    withGateway(async (own) => {
      const { receiver, push2 } = own
      receiver.respond = isPoison
      await push2(scrape(1))
      await expect.poll(async () => (await statusOf(own)).retries).toBeGreaterThan(0)
      let tick = 0
      for (; storedAt(receiver, 1) < SERIES - 1; tick++) {
        await push2(other(tick))
        await delay(100)
      }
      // They went in between, and did not wait until the block was settled.
      const isOther = ({ series }: { series: object[] }) => series.length < 20
      const passed = receiver.requests.filter((one) => isOther(one) && one.status === 204)
      expect(tick).toBeGreaterThan(20)
      expect(passed.length).toBeGreaterThan(tick / 3)
      await expect.poll(() => storedAt(receiver, tick - 1, 'other')).toBe(1)
      await expect
        .poll(() => balanceOf(own))
        .toMatchObject({ waiting: 0, quarantined: 1, difference: 0 })
      const [entry] = JSON.parse(await own.admin('/api/v1/quarantine/show?id=all'))
      expect(entry.content).toMatchObject([{ labels: '{__name__="up", instance="1234"}' }])
    }),
)

test.each([1, 7])('F24: %i of 2,000 samples for which 1.0 is rolled back are found', LONG, (k) =>
  withGateway(
    async (own) => {
      const { receiver, push2 } = own
      await getAhead(receiver, someOf(scrape(9), k))
      await push2(scrape(5))
      await expect
        .poll(() => balanceOf(own), { timeout: 20_000 })
        .toMatchObject({ waiting: 0, forwarded: SERIES - k, quarantined: k, difference: 0 })
      expect(storedAt(receiver, 5)).toBe(SERIES - k)
      const entries = JSON.parse(await own.admin('/api/v1/quarantine/show?id=all'))
      expect(entries).toHaveLength(k)
      // About 2·k·log2(n/k), and a request is no more than a part of the block.
      expect(receiver.requests.length).toBeLessThan(2 * k * 12 + 5)
    },
    { protocol: RW1 },
  ),
)

test.each([undefined, RW1])(
  'F24: all of 2,000 refused (%s): a pause, and nothing is set aside',
  LONG,
  (protocol) =>
    withGateway(
      async (own) => {
        const { receiver, push2 } = own
        receiver.respond = () => ({ status: 400, body: 'no such tenant' })
        for (const name of ['a', 'b', 'c', 'd', 'e']) await push2(scrape(1, name))
        const paused = { state: 'paused', reason: 'HTTP 400: no such tenant', quarantineEntries: 0 }
        await expect.poll(() => statusOf(own), { timeout: 10_000 }).toMatchObject(paused)
        await delay(2_000)
        expect(await statusOf(own)).toMatchObject(paused)
        receiver.respond = undefined
        await expect
          .poll(() => balanceOf(own), { timeout: 20_000 })
          .toMatchObject({ waiting: 0, forwarded: 5 * SERIES, quarantined: 0, difference: 0 })
        expect((await statusOf(own)).state).toBe('ok')
      },
      protocol === undefined ? {} : { protocol },
    ),
)

test(
  'F25: what 2.0 took in part is never sent again, and the rest is set aside as k of n',
  LONG,
  () =>
    withGateway(async (own) => {
      const { receiver, push2 } = own
      await getAhead(receiver, someOf(scrape(9), 7))
      await push2(scrape(5))
      await push2(scrape(10))
      await expect
        .poll(() => balanceOf(own), { timeout: 10_000 })
        .toMatchObject({ waiting: 0, forwarded: 2 * SERIES - 7, quarantined: 7, difference: 0 })
      const sent = receiver.requests.flatMap(({ series }) => series).length
      expect(sent).toBe(7 + 2 * SERIES)
      const entries = JSON.parse(await own.admin('/api/v1/quarantine/show?id=all'))
      expect(entries).toMatchObject([{ lost: { samples: 7 }, class: 'refused' }])
      expect(entries[0].reason).toContain('HTTP 400: out of order sample')
    }),
)

// What each status means is one table; here it is about the file.
test.each(isFull ? [401, 403, 404] : [401])(
  'F27: a %i while a key is exchanged is a pause, without a reload',
  LONG,
  (status) => {
    const directory = process.env['TMPDIR'] ?? '/tmp'
    const file = join(directory, `sluice-key-${process.pid}-${status}`)
    const central = `    authorization: { credentials_file: ${file} }`
    return writeFile(file, 'old').then(() =>
      withGateway(
        async (own) => {
          const { receiver, push2 } = own
          let key = 'old'
          receiver.respond = ({ headers }) =>
            headers.authorization === `Bearer ${key}` ? undefined : { status }
          await push2(scrape(1))
          await expect.poll(() => storedAt(receiver, 1)).toBe(SERIES)
          key = 'new'
          await push2(scrape(2))
          await expect.poll(() => statusOf(own)).toMatchObject({ state: 'paused' })
          await writeFile(file, 'new\n')
          await expect
            .poll(() => balanceOf(own), { timeout: 20_000 })
            .toMatchObject({ waiting: 0, forwarded: 2 * SERIES, quarantined: 0, difference: 0 })
          expect(await statusOf(own)).toMatchObject({ state: 'ok', quarantineEntries: 0 })
        },
        { central },
      ),
    )
  },
)
