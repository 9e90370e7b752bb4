import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Sender } from '../process/sender.ts'
import { startChild } from '../support/child.ts'
import { atScale } from '../support/fault-scale.ts'
import { startReceiver } from '../support/receiver.ts'
import { expectBalanced, startSluice } from '../support/sluice.ts'

const STOPPED_MS = atScale(3_000, 60_000)

test('F45: a process that stands still for a minute goes on, and nobody takes its place', {
  timeout: 240_000,
}, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-stopped-'))
  const receiver = await startReceiver()
  const sluice = await startSluice(directory, receiver.url)
  const { process: stopped } = sluice.child
  const senders = [0, 1, 2, 3].map((i) => new Sender(i))
  const running = senders.map((sender) => sender.run(sluice))
  const acknowledged = () => Math.min(...senders.map((sender) => sender.acknowledged))
  const [node, ...args] = sluice.command
  const rival = startChild.bind(null, node!, args)
  try {
    for (let round = 1; round <= atScale(2, 3); round++) {
      await expect.poll(acknowledged, { timeout: 30_000 }).toBeGreaterThan(round * 30)
      stopped.kill('SIGSTOP')
      const endMs = performance.now() + STOPPED_MS
      // It lives, so its data is its own, however long it says nothing.
      const second = rival()
      try {
        await expect(second.ready(`${sluice.admin}/none`)).rejects.toThrow('LOG_LOCKED')
      } finally {
        await second.kill()
      }
      const before = acknowledged()
      await delay(Math.max(0, endMs - performance.now()))
      expect(acknowledged()).toBe(before)
      stopped.kill('SIGCONT')
      await expect.poll(acknowledged, { timeout: 30_000 }).toBeGreaterThan(before + 20)
      expect((await fetch(`${sluice.admin}/-/ready`)).status).toBe(200)
    }
    for (const sender of senders) sender.isStopping = true
    await Promise.all(running)
    for (const sender of senders) await sender.expectAll(receiver)
    await expectBalanced(sluice)
    expect(await sluice.child.stop()).toBe(0)
  } finally {
    stopped.kill('SIGCONT')
    for (const sender of senders) sender.isStopping = true
    await sluice.child.kill()
    await receiver.close()
    await rm(directory, { recursive: true, force: true })
  }
})
