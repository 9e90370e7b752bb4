import { expect, test } from 'vitest'
import { freePort } from '../support/child.ts'
import { withGateway } from '../support/gateway.ts'
import { startReceiver } from '../support/receiver.ts'

const startMs = Date.now() - 100_000
const seriesAt = (i: number) => [
  { labels: { __name__: 'up', job: 'one' }, samples: [{ value: i, timestamp: startMs + i }] },
]

test('each destination gets everything in order, at its own pace', async () => {
  const port = await freePort()
  const alsoTo = `  - { name: second, url: "http://127.0.0.1:${port}/api/v1/write" }`
  await withGateway(
    async ({ push2, receiver, admin, restart }) => {
      for (let i = 1; i <= 5; i++) expect((await push2(seriesAt(i))).status).toBe(204)
      const labels = { __name__: 'up', job: 'one' }
      await expect.poll(() => receiver.samplesOf(labels).length).toBe(5)

      const { destinations, log } = JSON.parse(await admin('/api/v1/status'))
      const waiting = destinations.map((one: object) => [
        'name' in one && one.name,
        'waitingSamples' in one && one.waitingSamples,
      ])
      expect(waiting).toEqual([
        ['central', 0],
        ['second', 5],
      ])
      expect(log.oldestLsn).toBe(1)

      // What the first one has is not sent to it again, and the second one misses nothing.
      await restart()
      const second = await startReceiver({ port })
      await push2(seriesAt(6))
      const values = (from: typeof receiver) => from.samplesOf(labels).map(({ bits }) => bits)
      await expect.poll(() => second.samplesOf(labels).length, { timeout: 10_000 }).toBe(6)
      await expect.poll(() => receiver.samplesOf(labels).length).toBe(6)
      expect(values(second)).toEqual(values(receiver))
      expect(receiver.requests.flatMap(({ series }) => series)).toHaveLength(6)
      await second.close()
    },
    { alsoTo },
  )
})
