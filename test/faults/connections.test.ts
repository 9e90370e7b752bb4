import { expect, test } from 'vitest'
import { type TestGateway, withGateway } from '../support/gateway.ts'
import type { Receiver, Respond } from '../support/receiver.ts'
import type { SeriesLiteral } from '../support/remote-write.ts'
import { startTcpProxy, type TcpProxy, through } from '../support/tcp-proxy.ts'

const startMs = Date.now() - 100_000
const TIMEOUT_MS = 400
const LONG = { timeout: 30_000 }

/** Enough that a request does not fit into a thousand bytes. */
const seriesAt = (tick: number): SeriesLiteral[] =>
  Array.from({ length: 200 }, (_, i) => ({
    labels: { __name__: 'up', instance: `${i} ${Math.sin(i)}` },
    samples: [{ value: i, timestamp: startMs + tick }],
  }))

type Line = TestGateway & { proxy: TcpProxy }

/** A gateway that reaches its receiver by a line that can be cut. */
async function withLine(body: (line: Line) => Promise<void>): Promise<void> {
  let port = 0
  const proxy = await startTcpProxy(() => port)
  const urlOf = ({ url }: Receiver) => {
    port = Number(new URL(url).port)
    return through(proxy, url)
  }
  const central = `    remote_timeout: ${TIMEOUT_MS}ms`
  try {
    await withGateway((own) => body({ ...own, proxy }), { urlOf, central })
  } finally {
    await proxy.close()
  }
}

const statusOf = async ({ admin }: TestGateway) =>
  JSON.parse(await admin('/api/v1/status')).destinations[0]

/** All of it is there once, in order, and the books are right. */
async function expectArrived(own: TestGateway, ticks: number): Promise<void> {
  const { receiver, admin } = own
  const timesOf = ({ labels }: SeriesLiteral) =>
    receiver.samplesOf(labels as { [name: string]: string }).map(({ timestampMs }) => timestampMs)
  const wanted = Array.from({ length: ticks }, (_, i) => startMs + i + 1)
  const [first] = seriesAt(1)
  await expect.poll(() => timesOf(first!), { timeout: 20_000 }).toEqual(wanted)
  for (const one of seriesAt(1)) await expect.poll(() => timesOf(one)).toEqual(wanted)
  const balance = async () => JSON.parse(await admin('/api/v1/balance'))
  await expect.poll(balance).toMatchObject({
    difference: 0,
    destinations: [{ waiting: 0, quarantined: 0, difference: 0, forwarded: 200 * ticks }],
  })
}

test(
  'F28: a connection that is taken and never answered is given up, and costs nothing',
  LONG,
  () =>
    withLine(async (line) => {
      const { proxy, push2 } = line
      proxy.way = 'silent'
      expect((await push2(seriesAt(1))).status).toBe(204)
      const reason = async () => (await statusOf(line)).reason
      await expect.poll(reason, { timeout: 5_000 }).toBe(`no answer within ${TIMEOUT_MS} ms`)
      proxy.way = 'open'
      await push2(seriesAt(2))
      await expectArrived(line, 2)
    }),
)

test('F28: a connection that is reset after some bytes is no loss', LONG, () =>
  withLine(async (line) => {
    const { proxy, push2, receiver } = line
    proxy.way = { resetAfterBytes: 1_000 }
    await push2(seriesAt(1))
    await expect.poll(async () => (await statusOf(line)).retries).toBeGreaterThan(2)
    expect(receiver.requests).toEqual([])
    proxy.way = 'open'
    await push2(seriesAt(2))
    await expectArrived(line, 2)
  }),
)

for (const protocol of ['rw1', 'rw2'] as const) {
  test(`F28: ${protocol}, reset after the whole body: what was stored is not refused`, LONG, () =>
    withLine(async (line) => {
      const { push2, receiver } = line
      const respond: Respond = (request) => {
        if (protocol === 'rw1' && request.protocol === 'rw2') return { status: 415 }
        return request.index % 3 < 2 ? { reset: 'after' } : undefined
      }
      receiver.respond = respond
      for (let tick = 1; tick <= 4; tick++) await push2(seriesAt(tick))
      await expectArrived(line, 4)
    }),
  )
}

test('F32: a partition ends without a leak: no socket, no timer, nothing lost', LONG, () =>
  withLine(async (line) => {
    const { proxy, push2, receiver } = line
    await push2(seriesAt(1))
    await expectArrived(line, 1)
    const timers = () => process.getActiveResourcesInfo().filter((one) => one === 'Timeout').length
    const timersBefore = timers()

    proxy.way = 'silent'
    const connectionsBefore = proxy.connections
    for (let tick = 2; tick <= 30; tick++) await push2(seriesAt(tick))
    await expect
      .poll(async () => (await statusOf(line)).retries, { timeout: 15_000 })
      .toBeGreaterThan(5)
    // While it lasts, one request at a time knocks, each on a connection of its own.
    expect(proxy.connections - connectionsBefore).toBeLessThan(12)
    const requestsBefore = receiver.requests.length
    proxy.way = 'open'
    await expectArrived(line, 30)
    expect(receiver.requests.length - requestsBefore).toBeLessThan(40)

    // Idle connections are closed after some seconds, and so are those that led nowhere.
    await expect.poll(() => proxy.open, { timeout: 10_000 }).toBeLessThanOrEqual(1)
    expect(timers()).toBeLessThanOrEqual(timersBefore + 3)
  }),
)
