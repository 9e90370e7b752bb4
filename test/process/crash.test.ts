import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { snappy } from '../../src/wire/snappy.ts'
import { RW2_TYPE } from '../support/gateway.ts'
import { type Receiver, startReceiver } from '../support/receiver.ts'
import { rw2Of } from '../support/remote-write.ts'
import { type SluiceProcess, startSluice } from '../support/sluice.ts'

const KILLS = Number(process.env['CRASH_KILLS'] ?? 50)
const SENDERS = 4
const SERIES_PER_SENDER = 5
const FIRST_MS = Date.now() - 60 * 60_000

const labelsOf = (sender: number, series: number) => ({
  __name__: 'crash',
  sender: String(sender),
  series: String(series),
})

/** A sender as Prometheus is one: a push is repeated until it is answered with success. */
class Sender {
  readonly #number: number
  /** Pushes that were acknowledged; push n has the samples of time FIRST_MS + n. */
  acknowledged = 0
  isStopping = false

  constructor(number: number) {
    this.#number = number
  }

  async run(sluice: SluiceProcess): Promise<void> {
    while (!this.isStopping) {
      const body = this.#push(this.acknowledged)
      const answer = await fetch(sluice.url, {
        method: 'POST',
        headers: { 'Content-Type': RW2_TYPE, 'Content-Encoding': 'snappy' },
        body,
      }).catch(() => null)
      if (answer !== null) await answer.arrayBuffer().catch(() => null)
      if (answer?.status === 204) this.acknowledged += 1
      else await delay(5)
    }
  }

  #push(n: number): Uint8Array<ArrayBuffer> {
    const samples = [{ value: n, timestamp: FIRST_MS + n }]
    const series = Array.from({ length: SERIES_PER_SENDER }, (_, i) => ({
      labels: labelsOf(this.#number, i),
      samples,
    }))
    return snappy.compress(rw2Of(series)).slice()
  }
}

test('G70: after fifty kills under load everything acknowledged is at the receiver, in order', {
  timeout: 300_000,
}, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-crash-'))
  const receiver = await startReceiver()
  const sluice = await startSluice(directory, receiver.url)
  const senders = Array.from({ length: SENDERS }, (_, i) => new Sender(i))
  const running = senders.map((sender) => sender.run(sluice))
  try {
    for (let kills = 0; kills < KILLS; kills++) {
      await delay(20 + Math.random() * 200)
      await sluice.child.kill()
      await sluice.startAgain()
    }
    for (const sender of senders) sender.isStopping = true
    await Promise.all(running)

    for (const [number, { acknowledged }] of senders.entries()) {
      expect(acknowledged).toBeGreaterThan(KILLS)
      for (let series = 0; series < SERIES_PER_SENDER; series++) {
        await expectAll(receiver, labelsOf(number, series), acknowledged)
      }
    }
    expect(await sluice.child.stop()).toBe(0)
  } finally {
    for (const sender of senders) sender.isStopping = true
    await sluice.child.kill()
    await receiver.close()
    await rm(directory, { recursive: true, force: true })
  }
})

/**
 * The receiver refuses whatever is older than what it has, so a sample that was overtaken
 * would be missing. The last push may be there without its acknowledgement.
 */
async function expectAll(
  receiver: Receiver,
  labels: { [name: string]: string },
  acknowledged: number,
): Promise<void> {
  const arrived = () => receiver.samplesOf(labels).map(({ timestampMs }) => timestampMs - FIRST_MS)
  await expect
    .poll(() => arrived().length, { timeout: 20_000 })
    .toBeGreaterThanOrEqual(acknowledged)
  expect(arrived().slice(0, acknowledged)).toEqual(
    Array.from({ length: acknowledged }, (_, n) => n),
  )
}
