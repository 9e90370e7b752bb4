import { expect, test, vi } from 'vitest'
import { type Connection, connectTo, pushHead, statusesOf } from '../receive/parts.ts'
import { valuesOf } from '../status/parts.ts'
import { atScale, isFull } from '../support/fault-scale.ts'
import { expectGatewayBalanced, type TestGateway, withGateway } from '../support/gateway.ts'

vi.setConfig({ testTimeout: 120_000 })

const MIB = 1024 * 1024
/** Another address than that of honest senders. */
const CRAWLER = '127.0.0.2'
/** At full scale those of a gateway that nobody has configured. */
const DEADLINES = isFull ? '' : ', header_timeout: 2s, request_timeout: 6s'

const startMs = Date.now() - 60_000
const labels = { __name__: 'up' }
const pushAt = ({ push2 }: TestGateway, tick: number) =>
  push2([{ labels, samples: [{ value: tick, timestamp: startMs + tick }] }])

const bodyBytes = async (own: TestGateway) =>
  (await valuesOf(own)).get('sluice_receive_bodies_bytes')

/** What each of them says first; then a byte now and then. */
const OPENINGS = [
  '',
  'POST /api/v1/write HTTP/1.1\r\nHost: ',
  pushHead(`Content-Length: ${MIB}`),
  pushHead('Transfer-Encoding: chunked'),
]

/** Lets `body` run while `count` connections drip; resolves when all of those were cut off. */
async function whileDripping(
  port: number,
  count: number,
  body: (open: () => number) => Promise<void>,
): Promise<Connection[]> {
  const crawlers: Connection[] = []
  let open = 0
  async function begin(): Promise<void> {
    const crawler = await connectTo(port, CRAWLER)
    open += 1
    void crawler.closed.then(() => {
      open -= 1
    })
    crawler.send(OPENINGS[crawlers.length % OPENINGS.length]!)
    crawlers.push(crawler)
  }
  while (crawlers.length < count) await Promise.all(Array.from({ length: 100 }, begin))
  // One byte a second of each: of a chunk, its length never ends.
  const dripping = setInterval(() => {
    for (const [i, { socket, send }] of crawlers.entries()) {
      if (i % OPENINGS.length !== 0 && socket.writable) send('0')
    }
  }, 1_000)
  try {
    await body(() => open)
    await Promise.all(crawlers.map(({ closed }) => closed))
  } finally {
    clearInterval(dripping)
    for (const { socket } of crawlers) socket.destroy()
  }
  return crawlers
}

test('F40: senders that drip are cut off, and beside them pushes go on', () =>
  withGateway(
    async (own) => {
      const crawlers = atScale(200, 5_000)
      let tick = 0
      const dripped = await whileDripping(own.gateway.writePort, crawlers, async (open) => {
        expect(open()).toBeGreaterThan(crawlers / 2)
        while (open() > 0) {
          tick += 1
          expect((await pushAt(own, tick)).status).toBe(204)
          await new Promise((resolve) => {
            setTimeout(resolve, 20)
          })
        }
      })
      // Who announces what there is no room for is told so; nobody else is told anything.
      const told = dripped.flatMap(({ received }) => statusesOf(received()))
      expect(told.filter((status) => status !== 503)).toEqual([])
      if (!isFull) expect(told).toEqual([])
      expect(tick).toBeGreaterThan(10)
      await expect.poll(() => bodyBytes(own)).toBe(0)
      await expect.poll(() => own.receiver.samplesOf(labels).length).toBe(tick)
      await expectGatewayBalanced(own)
    },
    { limits: DEADLINES },
  ))

test('F40: memory that was announced and is not used is others’ again long before the deadline', () =>
  withGateway(
    async (own) => {
      const greedy = await Promise.all(
        Array.from({ length: 8 }, () => connectTo(own.gateway.writePort, CRAWLER)),
      )
      for (const { send } of greedy) send(pushHead(`Content-Length: ${32 * MIB}`))
      // Seven have all that there is; the eighth is told to come back.
      await expect.poll(() => bodyBytes(own)).toBeGreaterThan(7 * 32 * MIB)
      const answered = () => greedy.filter(({ received }) => received() !== '')
      await expect.poll(() => answered().length).toBe(1)
      const [turnedAway] = answered()
      expect(statusesOf(turnedAway!.received())).toEqual([503])
      expect(turnedAway!.received()).toMatch(/Retry-After: \d+\r/)
      for (let tick = 1; tick <= 5; tick++) expect((await pushAt(own, tick)).status).toBe(204)
      // Not after a sixth of the deadline, as when there is room for all.
      const turnedAwayMs = performance.now()
      await Promise.all(greedy.map(({ closed }) => closed))
      expect(performance.now() - turnedAwayMs).toBeLessThan(9_000)
      await expect.poll(() => bodyBytes(own)).toBe(0)
      expect((await pushAt(own, 6)).status).toBe(204)
      await expectGatewayBalanced(own)
    },
    { threads: 1 },
  ))

test('F40: one address gets so many connections and no more, and others get theirs', () =>
  withGateway(
    async (own) => {
      const port = own.gateway.writePort
      const many = await Promise.all(Array.from({ length: 30 }, () => connectTo(port, CRAWLER)))
      let closed = 0
      for (const connection of many) {
        void connection.closed.then(() => {
          closed += 1
        })
      }
      await expect.poll(() => closed).toBe(10)
      expect((await pushAt(own, 1)).status).toBe(204)
      for (const { socket } of many) socket.destroy()
      await expect.poll(() => closed).toBe(30)
      const again = await connectTo(port, CRAWLER)
      again.send(pushHead('Content-Length: 0'))
      await again.until('HTTP/1.1 204')
      again.socket.destroy()
      await expectGatewayBalanced(own)
    },
    { limits: ', connections_per_address: 20', threads: 1 },
  ))
