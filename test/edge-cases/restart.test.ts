import { expect, test } from 'vitest'
import { withGateway } from '../support/gateway.ts'

const startMs = Date.now() - 60_000
const pushOf = (tick: number, job = 'node') => [
  { labels: { __name__: 'up', job }, samples: [{ value: tick, timestamp: startMs + tick }] },
]

test('what a replica sends after a restart is known from before it', () =>
  withGateway(async ({ push1, push2, receiver, restart, admin }) => {
    for (const tick of [1, 2]) await push2(pushOf(tick))
    const waiting = async () => JSON.parse(await admin('/api/v1/status')).backlog.samples
    await expect.poll(waiting).toBe(0)
    await restart()
    // Another body, so that it is not known as a whole.
    expect((await push1(pushOf(2))).status).toBe(204)
    expect((await push2(pushOf(1))).status).toBe(400)
    expect((await push2(pushOf(3))).status).toBe(204)
    const labels = { __name__: 'up', job: 'node' }
    await expect.poll(() => receiver.samplesOf(labels).length).toBe(3)
    expect(receiver.requests.flatMap(({ series }) => series)).toHaveLength(3)
    expect(JSON.parse(await admin('/api/v1/balance'))).toMatchObject({
      received: 3,
      duplicates: 1,
      rejected: 1,
      kept: 1,
      difference: 0,
      destinations: [{ waiting: 0, forwarded: 1, difference: 0 }],
    })
  }))
