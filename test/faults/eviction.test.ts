import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { freePort } from '../support/child.ts'
import { atScale } from '../support/fault-scale.ts'
import { RW2_TYPE, type TestGateway, withGateway } from '../support/gateway.ts'
import { pushTemplate } from '../support/push-template.ts'
import { startReceiver } from '../support/receiver.ts'

const startMs = Date.now() - 1_000_000
const MIB = 2 ** 20
const SERIES = 1_000
/** Labels so long that a segment is full after some forty pushes, and nothing compresses them. */
const LABELS = Array.from({ length: SERIES }, () => randomBytes(1_200).toString('base64'))

const push = pushTemplate(
  LABELS.map((long) => ({
    labels: { __name__: 'up', long },
    samples: [{ value: 1, timestamp: startMs }],
  })),
  startMs,
)

type Loss = {
  kind: string
  destination: string
  samples: number
  fromBlock: number
  toBlock: number
}

async function lossesOf({ directory }: TestGateway): Promise<Loss[]> {
  const text = await readFile(join(directory, 'losses.jsonl'), 'utf8')
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
}

const balanceOf = async ({ admin }: TestGateway) => JSON.parse(await admin('/api/v1/balance'))

/** As a sender does: again, until it is taken. */
async function pushUntilTaken({ post }: TestGateway, tick: number): Promise<number> {
  for (let refused = 0; ; refused++) {
    const { status } = await post(push(tick), { 'Content-Type': RW2_TYPE })
    if (status === 204) return refused
    expect(status).toBe(503)
    await delay(200)
  }
}

test('F19: with drop_oldest the oldest goes, the ledger says how much to the last sample', {
  timeout: 120_000,
}, async () => {
  const port = await freePort()
  const options = {
    urlOf: () => `http://127.0.0.1:${port}/api/v1/write`,
    quota: `${atScale(160, 512)}MiB, on_full: drop_oldest`,
  }
  await withGateway(async (own) => {
    let ticks = 0
    let evicted = 0
    const wanted = atScale(1, 4)
    for (let evictions = 0; evictions < wanted; ) {
      ticks += 1
      await pushUntilTaken(own, ticks)
      const [lane] = (await balanceOf(own)).destinations
      if (lane.evicted > evicted) evictions += 1
      evicted = lane.evicted
      expect(ticks * 1.7 * MIB).toBeLessThan(atScale(300, 2_000) * MIB)
    }
    await expect
      .poll(() => balanceOf(own))
      .toMatchObject({
        difference: 0,
        destinations: [{ evicted, waiting: ticks * SERIES - evicted, difference: 0 }],
      })

    const receiver = await startReceiver({ port })
    await expect
      .poll(() => balanceOf(own), { timeout: 60_000, interval: 200 })
      .toMatchObject({ destinations: [{ evicted, waiting: 0, quarantined: 0, difference: 0 }] })
    // What is lost is the oldest, block by block, and the rest is there in order.
    const losses = await lossesOf(own)
    expect(losses.every(({ kind }) => kind === 'evicted')).toBe(true)
    expect(losses.reduce((sum, { samples }) => sum + samples, 0)).toBe(evicted)
    for (const [i, { fromBlock }] of losses.entries()) {
      expect(fromBlock).toBe(i === 0 ? 1 : losses[i - 1]!.toBlock + 1)
    }
    const first = evicted / SERIES + 1
    const left = Array.from({ length: ticks - first + 1 }, (_, i) => startMs + first + i)
    for (const long of [LABELS[0]!, LABELS.at(-1)!]) {
      const times = receiver.samplesOf({ __name__: 'up', long }).map((one) => one.timestampMs)
      expect(times).toEqual(left)
    }
    expect(receiver.series.size).toBe(SERIES)
    await receiver.close()
  }, options)
})
