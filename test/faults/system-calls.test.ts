import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { Sender } from '../process/sender.ts'
import { type Child, startChild } from '../support/child.ts'
import { atScale, isFull } from '../support/fault-scale.ts'
import { peer } from '../support/peers.ts'
import { startReceiver } from '../support/receiver.ts'
import { expectBalanced, type SluiceProcess, startSluice } from '../support/sluice.ts'

/** By which a gateway changes what is on disk. */
const CALLS = ['pwrite64', 'pwritev', 'fdatasync', 'fsync', 'rename', 'unlink', 'openat'] as const
/** Of each call: a start makes a few of them, and a push makes two. */
const NTH = isFull ? Array.from({ length: 40 }, (_, i) => i + 1) : [2, 9]
/** Who is not killed by then does not get that far. */
const PATIENCE_MS = atScale(3_000, 6_000)

test('F2: a process that is killed at any of its calls to the system loses nothing it acknowledged', {
  timeout: isFull ? 3_600_000 : 120_000,
}, async () => {
  const strace = await usableStrace()
  const directory = await mkdtemp(join(tmpdir(), 'sluice-calls-'))
  const receiver = await startReceiver()
  const sluice = await startSluice(directory, receiver.url)
  const senders = [new Sender(0), new Sender(1)]
  const running = senders.map((sender) => sender.run(sluice))
  let kills = 0
  try {
    for (const call of CALLS) {
      for (const nth of NTH) {
        await sluice.child.kill()
        sluice.child = startTraced(strace, sluice, call, nth)
        const isKilled = await isOverIn(sluice.child, PATIENCE_MS)
        if (isKilled) kills += 1
        else if (isFull) break
      }
    }
    await sluice.child.kill()
    await sluice.startAgain()
    for (const sender of senders) sender.isStopping = true
    await Promise.all(running)
    for (const sender of senders) await sender.expectAll(receiver)
    await expectBalanced(sluice)
    expect(kills).toBeGreaterThan(CALLS.length)
  } finally {
    for (const sender of senders) sender.isStopping = true
    await sluice.child.kill()
    await receiver.close()
    await rm(directory, { recursive: true, force: true })
  }
})

/** The process itself is the child, and is killed when one of its threads makes the call. */
function startTraced(strace: string, { command }: SluiceProcess, call: string, nth: number): Child {
  const kill = ['-e', `trace=${call}`, '-e', `inject=${call}:signal=KILL:when=${nth}`]
  const options = ['-D', '-f', '-qq', '-o', '/dev/null']
  // Calls are counted by thread: one alone makes those for files.
  const env = { ...process.env, UV_THREADPOOL_SIZE: '1' }
  return startChild(strace, [...options, ...kill, ...command], { env })
}

async function isOverIn({ process: traced }: Child, ms: number): Promise<boolean> {
  for (const endMs = performance.now() + ms; performance.now() < endMs; await delay(20)) {
    if (traced.exitCode !== null || traced.signalCode !== null) return true
  }
  return false
}

async function usableStrace(): Promise<string> {
  const strace = await peer('strace')
  try {
    await promisify(execFile)(strace, ['-f', '-qq', '-o', '/dev/null', 'true'])
    return strace
  } catch (cause) {
    const message = 'processes cannot be traced here (ptrace), so they cannot be killed at a call'
    throw new Error(message, { cause })
  }
}
