import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { atScale, isFull } from '../support/fault-scale.ts'
import { type Receiver, startReceiver } from '../support/receiver.ts'
import { keyOf } from '../support/receiver-store.ts'
import { expectBalanced, startSluice } from '../support/sluice.ts'
import { Sender } from './sender.ts'

const KILLS = atScale(20, 500)
const SENDERS = atScale(4, 8)
/** The cursor is saved once a second; a busy machine is given some more. */
const DOUBT_MS = atScale(30_000, 5_000)

test('F1, G70: after kills under load everything acknowledged is at the receiver, in order', {
  timeout: isFull ? 3_600_000 : 300_000,
}, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-crash-'))
  const receiver = await startReceiver()
  const sluice = await startSluice(directory, receiver.url)
  const senders = Array.from({ length: SENDERS }, (_, i) => new Sender(i))
  const running = senders.map((sender) => sender.run(sluice))
  const killsMs: number[] = []
  const startsMs: number[] = []
  try {
    while (killsMs.length < KILLS) {
      await delay(10 + Math.random() * 490)
      await sluice.child.kill()
      const killMs = performance.now()
      killsMs.push(killMs)
      await sluice.startAgain()
      startsMs.push(performance.now() - killMs)
    }
    for (const sender of senders) sender.isStopping = true
    await Promise.all(running)

    const acknowledged = senders.reduce((sum, sender) => sum + sender.acknowledged, 0)
    expect(acknowledged).toBeGreaterThan(KILLS)
    for (const sender of senders) await sender.expectAll(receiver)
    await expectBalanced(sluice)
    expect(unexplainedRepeats(receiver, senders, killsMs)).toEqual([])
    expect(await sluice.child.stop()).toBe(0)
    // With two cores and nobody else on them it is a quarter of this.
    const median = startsMs.toSorted((a, b) => a - b)[KILLS >> 1]
    expect(median).toBeLessThan(atScale(10_000, 2_000))
  } finally {
    for (const sender of senders) sender.isStopping = true
    await sluice.child.kill()
    await receiver.close()
    await rm(directory, { recursive: true, force: true })
  }
})

/**
 * Samples that came again without a kill between, or longer before a kill than the cursor may lag.
 * Not those that the gateway was sent again: a kill takes what it has learnt of the series.
 */
function unexplainedRepeats(
  { requests }: Receiver,
  senders: readonly Sender[],
  killsMs: readonly number[],
): string[] {
  const cameMs = new Map<string, number>()
  const unexplained: string[] = []
  for (const { series, timeMs } of requests) {
    for (const { labels, samples } of series) {
      for (const { timestampMs } of samples) {
        const id = `${keyOf(labels)} ${timestampMs}`
        const beforeMs = cameMs.get(id)
        cameMs.set(id, timeMs)
        if (beforeMs === undefined) continue
        if (senders.some((sender) => sender.hasRepeated(labels, timestampMs))) continue
        const isDoubted = (killMs: number) =>
          killMs <= timeMs && Math.abs(killMs - beforeMs) < DOUBT_MS
        if (!killsMs.some(isDoubted)) unexplained.push(id)
      }
    }
  }
  return unexplained
}
