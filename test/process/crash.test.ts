import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { startReceiver } from '../support/receiver.ts'
import { expectBalanced, startSluice } from '../support/sluice.ts'
import { Sender } from './sender.ts'

const KILLS = Number(process.env['CRASH_KILLS'] ?? 50)
const SENDERS = 4

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

    for (const sender of senders) {
      expect(sender.acknowledged).toBeGreaterThan(KILLS)
      await sender.expectAll(receiver)
    }
    await expectBalanced(sluice)
    expect(await sluice.child.stop()).toBe(0)
  } finally {
    for (const sender of senders) sender.isStopping = true
    await sluice.child.kill()
    await receiver.close()
    await rm(directory, { recursive: true, force: true })
  }
})
