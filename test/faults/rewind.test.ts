import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { snappy } from '../../src/wire/snappy.ts'
import { post, RW2_TYPE } from '../support/gateway.ts'
import { startReceiver } from '../support/receiver.ts'
import { rw2Of } from '../support/remote-write.ts'
import { expectBalanced, SLUICE_YAML, startSluice } from '../support/sluice.ts'

const run = promisify(execFile)

const SERIES = 3
const startMs = Date.now() - 5 * 60_000
const labelsOf = (n: number) => ({ __name__: 'up', n: String(n) })

test('F49: what a central forgot after it had acknowledged it is back after a rewind, each sample once', {
  timeout: 120_000,
}, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-rewind-'))
  const receiver = await startReceiver({ oooWindowMs: 30 * 60_000 })
  const yaml = `${SLUICE_YAML}remote_write: [{ out_of_order_time_window: 30m }]\n`
  const sluice = await startSluice(directory, receiver.url, [], yaml)
  const port = Number(new URL(sluice.url).port)
  let tick = 0
  async function push(times: number): Promise<void> {
    for (let i = 0; i < times; i++) {
      tick += 1
      const samples = [{ value: tick, timestamp: startMs + 1_000 * tick }]
      const series = Array.from({ length: SERIES }, (_, n) => ({ labels: labelsOf(n), samples }))
      const answer = await post(port, snappy.compress(rw2Of(series)), { 'Content-Type': RW2_TYPE })
      expect(answer.status).toBe(204)
    }
  }
  /** As a crash does to what was in memory only; a series that has nothing else left is gone. */
  function forgetFrom(first: number): void {
    for (const [key, { samples }] of receiver.series) {
      const left = samples.filter(({ timestampMs }) => timestampMs < startMs + 1_000 * first)
      samples.splice(0, samples.length, ...left)
      if (left.length === 0) receiver.series.delete(key)
    }
  }
  async function expectAll(): Promise<void> {
    const expected = Array.from({ length: tick }, (_, i) => i + 1)
    for (let n = 0; n < SERIES; n++) {
      // What went on meanwhile came before; a central keeps them by their time.
      const ticks = () =>
        receiver
          .samplesOf(labelsOf(n))
          .map(({ timestampMs }) => (timestampMs - startMs) / 1_000)
          .sort((a, b) => a - b)
      await expect.poll(ticks, { timeout: 20_000 }).toEqual(expected)
    }
    await expectBalanced(sluice)
  }
  /** As a person does it. */
  async function rewind(): Promise<{ samples: number }> {
    const admin = new URL(sluice.admin).host
    const args = ['src/sluice.js', 'rewind', '--admin', admin, '--destination', 'central']
    const { stdout } = await run(process.execPath, [...args, '--since', '15m'])
    return JSON.parse(stdout)
  }

  try {
    await push(20)
    await expectAll()
    forgetFrom(8)
    // The receiver is back and live samples go on before anybody has noticed.
    await push(3)
    expect(await rewind()).toMatchObject({ destination: 'central', samples: SERIES * tick })
    await push(3)
    await expectAll()

    // Once more, and this time the gateway had been killed in between.
    forgetFrom(1)
    await sluice.child.kill()
    await sluice.startAgain()
    expect(await rewind()).toMatchObject({ samples: SERIES * tick })
    await push(2)
    await expectAll()
    expect(await sluice.child.stop()).toBe(0)
  } finally {
    await sluice.child.kill()
    await receiver.close()
    await rm(directory, { recursive: true })
  }
})
