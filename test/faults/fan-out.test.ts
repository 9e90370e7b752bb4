import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { freePort } from '../support/child.ts'
import { atScale, isFull } from '../support/fault-scale.ts'
import { type TestGateway, withGateway } from '../support/gateway.ts'
import { type Receiver, startReceiver } from '../support/receiver.ts'
import type { SeriesLiteral } from '../support/remote-write.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'

const startMs = Date.now() - 1_000_000
const LONG = { timeout: isFull ? 600_000 : 60_000 }

const SERIES = 10
const SAMPLES_EACH = 100
/** Each push is a block of its own: others than small ones are not merged. */
const SAMPLES = SERIES * SAMPLES_EACH
const push = (tick: number, name = 'up'): SeriesLiteral[] =>
  Array.from({ length: SERIES }, (_, i) => ({
    labels: { __name__: name, instance: String(i) },
    samples: Array.from({ length: SAMPLES_EACH }, (_, j) => ({
      value: tick,
      timestamp: startMs + tick * SAMPLES_EACH + j,
    })),
  }))

const lanesOf = async ({ admin }: TestGateway) =>
  JSON.parse(await admin('/api/v1/balance')).destinations

/** Blocks of which all has arrived. */
const arrived = ({ requests }: Receiver) => requests.filter(({ status }) => status === 204).length

const destination = (name: string, port: number, timeout: string) =>
  `  - { name: ${name}, url: "http://127.0.0.1:${port}/api/v1/write", remote_timeout: ${timeout} }\n`

/** Blocks that each of the two others has, at the moment in which the last one is acknowledged. */
async function withThird(third: number, pushes: number): Promise<{ counts: number[]; ms: number }> {
  const second = await startReceiver()
  const { port } = new URL(second.url)
  const alsoTo = destination('second', Number(port), '30s') + destination('third', third, '500ms')
  let outcome = { counts: [0], ms: 0 }
  await withGateway(
    async (own) => {
      const fromMs = performance.now()
      for (let tick = 1; tick <= pushes; tick++) {
        expect((await own.push2(push(tick))).status).toBe(204)
      }
      outcome = {
        counts: [arrived(own.receiver), arrived(second)],
        ms: performance.now() - fromMs,
      }
      const there = { waiting: 0, forwarded: pushes * SAMPLES, difference: 0 }
      await expect.poll(() => lanesOf(own), { timeout: 20_000 }).toMatchObject([there, there, {}])
      const values = own.receiver.samplesOf({ __name__: 'up', instance: '0' })
      expect(values.map(({ timestampMs }) => timestampMs - startMs)).toEqual(
        Array.from({ length: pushes * SAMPLES_EACH }, (_, i) => SAMPLES_EACH + i),
      )
      expect(second.series.size).toBe(SERIES)
    },
    { alsoTo },
  )
  await second.close()
  return outcome
}

test(
  'F44: of three destinations one is down or silent, and the others do not notice',
  LONG,
  async () => {
    const pushes = atScale(30, 600)
    const working = await startReceiver()
    const all = await withThird(Number(new URL(working.url).port), pushes)
    await working.close()
    const down = await withThird(await freePort(), pushes)
    const line = await startTcpProxy(() => 0)
    line.way = 'silent'
    const silent = await withThird(line.port, pushes)
    await line.close()

    console.info('F44: blocks of', pushes, 'at the last acknowledgement', { all, down, silent })
    for (const { counts } of [down, silent]) {
      for (const count of counts)
        expect(count).toBeGreaterThanOrEqual(0.9 * Math.min(...all.counts))
    }
  },
)

test('F21: a receiver that gets slow and quick again is not asked twice, nor drowned', LONG, () =>
  withGateway(
    async (own) => {
      const { receiver, push2 } = own
      let inFlight = 0
      let most = 0
      let delayMs = 10
      receiver.respond = async () => {
        inFlight += 1
        most = Math.max(most, inFlight)
        await delay(delayMs)
        inFlight -= 1
        return undefined
      }
      const peaks: number[] = []
      let tick = 0
      const ramp = [10, 50, 250, 1_000, 250, 10]
      for (delayMs of ramp) {
        most = 0
        for (let i = 0; i < atScale(15, 100); i++) {
          tick += 1
          // Of no series that is under way already, so that any number may be.
          await push2(push(tick, `up_${tick}`))
        }
        peaks.push(most)
      }
      await expect
        .poll(() => lanesOf(own), { timeout: 30_000 })
        .toMatchObject([{ waiting: 0, forwarded: tick * SAMPLES, quarantined: 0, difference: 0 }])
      console.info('F21: requests in flight while it takes', ramp, 'ms:', peaks)
      const status = JSON.parse(await own.admin('/api/v1/status')).destinations[0]
      expect(status.retries).toBe(0)
      expect(receiver.requests).toHaveLength(tick)
      expect(Math.max(...peaks)).toBeLessThanOrEqual(32)
    },
    { central: '    remote_timeout: 5s' },
  ),
)
