import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { withGateway } from '../support/gateway.ts'

const startMs = Date.now() - 60_000
const pushOf = (tick: number, job = 'node') => [
  { labels: { __name__: 'up', job }, samples: [{ value: tick, timestamp: startMs + tick }] },
]

/** What is under way when a gateway stops is sent once more. */
async function expectDelivered(admin: (path: string) => Promise<string>): Promise<void> {
  const waiting = async () => JSON.parse(await admin('/api/v1/status')).backlog.samples
  await expect.poll(waiting).toBe(0)
}

test('what a replica sends after a restart is known from before it', () =>
  withGateway(async ({ push1, push2, receiver, restart, admin }) => {
    for (const tick of [1, 2]) await push2(pushOf(tick))
    await expectDelivered(admin)
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

test('what came since the table was saved is known after a crash, from the log', () =>
  withGateway(async (own) => {
    const table = join(own.directory, 'series-table')
    await own.push2(pushOf(1))
    await expectDelivered(own.admin)
    await own.restart()
    const saved = await readFile(table)
    for (const tick of [2, 3]) await own.push2(pushOf(tick))
    await own.push2(pushOf(1, 'other'))
    await expectDelivered(own.admin)
    await own.gateway.stop()
    // As after a crash: the table is that of before.
    await writeFile(table, saved)
    await own.restart()
    expect((await own.push1(pushOf(3))).status).toBe(204)
    expect((await own.push2(pushOf(2))).status).toBe(400)
    expect((await own.push1(pushOf(1, 'other'))).status).toBe(204)
    expect((await own.push2(pushOf(4))).status).toBe(204)
    const samples = () => own.receiver.samplesOf({ __name__: 'up', job: 'node' }).length
    await expect.poll(samples).toBe(4)
    expect(own.receiver.requests.flatMap(({ series }) => series)).toHaveLength(5)
    expect(JSON.parse(await own.admin('/api/v1/balance'))).toMatchObject({
      received: 4,
      duplicates: 2,
      rejected: 1,
      kept: 1,
      difference: 0,
    })
  }))

test('what the log has lost is not known any more, even when its numbers are given out again', () =>
  withGateway(async (own) => {
    own.receiver.respond = () => ({ status: 503 })
    const lost = [{ labels: { __name__: 'lost' }, samples: [{ value: 1, timestamp: startMs }] }]
    await own.push2(lost)
    await own.gateway.stop()
    const log = join(own.directory, 'log')
    for (const name of await readdir(log)) {
      if (name.endsWith('.log')) await rm(join(log, name))
    }
    await own.restart()
    // As after a crash: nothing was saved since, and the log has gone on.
    const table = await readFile(join(own.directory, 'series-table'))
    const other = [{ labels: { __name__: 'other' }, samples: [{ value: 1, timestamp: startMs }] }]
    await own.push2(other)
    await own.gateway.stop()
    await writeFile(join(own.directory, 'series-table'), table)
    await own.restart()

    own.receiver.respond = undefined
    expect((await own.push2(lost)).status).toBe(204)
    await expect.poll(() => own.receiver.samplesOf({ __name__: 'lost' }).length).toBe(1)
  }))
