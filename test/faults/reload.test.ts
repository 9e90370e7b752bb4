import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import {
  expectGatewayBalanced,
  passTime,
  type TestGateway,
  withGateway,
} from '../support/gateway.ts'
import { type Receiver, startReceiver } from '../support/receiver.ts'

vi.setConfig({ testTimeout: 30_000 })

const DAY_MS = 24 * 3_600_000
const startMs = Date.now() - 100_000
const labels = { __name__: 'up' }
/** A label that does not compress: two kilobytes in the log for each push. */
const bulk = () => randomBytes(1_024).toString('hex')

/** Of a series that all of them carry, and of one more that makes the log grow. */
const pushAt = ({ push2 }: TestGateway, tick: number) => {
  const samples = [{ value: tick, timestamp: startMs + tick }]
  return push2([
    { labels, samples },
    { labels: { __name__: 'bulk', bulk: bulk() }, samples },
  ])
}
const ticksAt = (receiver: Receiver) =>
  receiver.samplesOf(labels).map(({ timestampMs }) => timestampMs - startMs)
const upTo = (end: number) => Array.from({ length: end }, (_, i) => i + 1)
const cursorsOf = ({ directory }: TestGateway) => readdir(join(directory, 'cursors'))
const statusOf = async ({ admin }: TestGateway) => JSON.parse(await admin('/api/v1/status'))

async function ledgerOf({ directory }: TestGateway): Promise<object[]> {
  const text = await readFile(join(directory, 'losses.jsonl'), 'utf8').catch(() => '')
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
}

/** With a second receiver, which the configuration names as `second` after `reloadWith(true)`. */
async function withSecond(
  body: (
    gateway: TestGateway,
    second: Receiver,
    reload: (isIn: boolean) => Promise<void>,
  ) => unknown,
): Promise<void> {
  const second = await startReceiver()
  await withGateway(
    async (own) => {
      const without = own.text.yaml
      const reload = async (isIn: boolean) => {
        own.text.yaml = without + (isIn ? `\n  - { name: second, url: "${second.url}" }` : '')
        await own.gateway.reload()
      }
      await body(own, second, reload)
    },
    { quota: '128KiB' },
  )
  await second.close()
}

test('F35: for a destination that was taken out the log keeps what it lacks, also over a restart', () =>
  withSecond(async (own, second, reload) => {
    await reload(true)
    for (const tick of upTo(3)) await pushAt(own, tick)
    await expect.poll(() => ticksAt(second)).toEqual([1, 2, 3])
    await expectGatewayBalanced(own)

    await reload(false)
    // More than the half of the quota that may be held for those who have it already.
    for (let tick = 4; tick <= 45; tick++) expect((await pushAt(own, tick)).status).toBe(204)
    await expect.poll(() => ticksAt(own.receiver)).toEqual(upTo(45))
    expect((await statusOf(own)).parked).toMatchObject([{ name: 'second', waitingSamples: 84 }])
    expect(await own.admin('/metrics')).toContain(
      'sluice_forward_parked_samples{destination="second"} 84',
    )
    // The log is looked after once a second, and the cursors are saved as often.
    await pause(2_200)
    expect((await statusOf(own)).log.bytes).toBeGreaterThan(64 * 1024)
    await own.restart()
    expect((await statusOf(own)).parked).toMatchObject([{ name: 'second', waitingSamples: 84 }])

    await reload(true)
    await expect.poll(() => ticksAt(second), { timeout: 10_000 }).toEqual(upTo(45))
    expect((await statusOf(own)).parked).toEqual([])
    await pushAt(own, 46)
    await expect.poll(() => ticksAt(second)).toEqual(upTo(46))
    const sent = second.requests.flatMap(({ series }) => series)
    expect(sent).toHaveLength(2 * 46)
    await expectGatewayBalanced(own)
    expect(await ledgerOf(own)).toEqual([])
  }))

test('F35: what is parked goes before a push is refused, and each sample of it is in the ledger', () =>
  withSecond(async (own, second, reload) => {
    await reload(true)
    await pushAt(own, 1)
    await expect.poll(() => ticksAt(second)).toEqual([1])
    await expectGatewayBalanced(own)
    await reload(false)
    let tick = 1
    for (; (await ledgerOf(own)).length === 0 && tick < 500; tick++) {
      expect((await pushAt(own, tick + 1)).status).toBe(204)
      // A larger log fills no fifth of its quota in the second until it is looked after.
      const { bytes, quotaBytes } = (await statusOf(own)).log
      if (bytes >= 0.8 * quotaBytes) await pause(1_100)
    }
    expect(await ledgerOf(own)).toMatchObject([
      { destination: 'second', kind: 'parked', fromBlock: 2 },
    ])
    const [{ samples }] = (await ledgerOf(own)) as [{ samples: number }]
    expect(samples).toBe(2 * (tick - 1))
    await expect.poll(() => cursorsOf(own)).toEqual(['central'])
    expect((await statusOf(own)).parked).toEqual([])
    await expectGatewayBalanced(own)
  }))

test('F35: who is parked is let go after a day, and begins anew if he comes back', () =>
  withSecond(async (own, second, reload) => {
    await reload(true)
    await pushAt(own, 1)
    await expect.poll(() => ticksAt(second)).toEqual([1])
    await expectGatewayBalanced(own)
    await reload(false)
    await pushAt(own, 2)
    await expect.poll(() => ticksAt(own.receiver)).toEqual([1, 2])
    passTime(own, DAY_MS - 60_000)
    await pause(1_500)
    expect(await cursorsOf(own)).toContain('second')
    passTime(own, 60_000)
    await expect.poll(() => cursorsOf(own), { timeout: 5_000 }).toEqual(['central'])
    expect(await ledgerOf(own)).toMatchObject([
      { destination: 'second', kind: 'parked', samples: 2, fromBlock: 2, toBlock: 2 },
    ])
    await reload(true)
    await pushAt(own, 3)
    await expect.poll(() => ticksAt(second).at(-1)).toBe(3)
    await expectGatewayBalanced(own)
  }))

test('F35: under a new name a destination gets what is held once more, and nothing twice', () =>
  withGateway(async (own) => {
    for (const tick of upTo(3)) await pushAt(own, tick)
    await expect.poll(() => ticksAt(own.receiver)).toEqual([1, 2, 3])
    own.text.yaml = own.text.yaml.replace('  - url:', '  - name: renamed\n    url:')
    await own.gateway.reload()
    await pushAt(own, 4)
    await expect.poll(() => ticksAt(own.receiver)).toEqual([1, 2, 3, 4])
    await expectGatewayBalanced(own)
    expect((await statusOf(own)).parked).toMatchObject([{ name: 'central', waitingSamples: 2 }])
  }))

test('F35: a bad file names all of its problems, and changes none of what holds', () =>
  withGateway(async (own) => {
    const good = own.text.yaml
    own.text.yaml = `${good}
  - { name: second, url: "http://127.0.0.1:1/x", remote_timeout: soon }
dedup: { max_serise: 1 }
nothing: 1`
    const url = `http://127.0.0.1:${own.gateway.adminPort}/-/reload`
    const answer = await fetch(url, { method: 'POST' })
    expect(answer.status).toBe(400)
    const problems = await answer.text()
    for (const problem of ['remote_timeout', 'max_serise', 'nothing']) {
      expect(problems).toContain(problem)
    }
    await pushAt(own, 1)
    await expect.poll(() => ticksAt(own.receiver)).toEqual([1])
    expect((await statusOf(own)).destinations).toHaveLength(1)
    await expectGatewayBalanced(own)
  }))

test('F35: reloads while pushes come keep their order and lose none', () =>
  withSecond(async (own, second, reload) => {
    const pushing = (async () => {
      for (const tick of upTo(40)) await pushAt(own, tick)
    })()
    for (let turn = 0; turn < 6; turn++) await reload(turn % 2 === 0)
    await Promise.all([reload(true), reload(false), reload(true)])
    await pushing
    for (const receiver of [own.receiver, second]) {
      await expect.poll(() => ticksAt(receiver), { timeout: 10_000 }).toEqual(upTo(40))
    }
    await expectGatewayBalanced(own)
  }))

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}
