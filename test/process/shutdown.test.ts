import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { connectTo, pushHead } from '../receive/parts.ts'
import { type Child, freePort, startChild } from '../support/child.ts'
import { type Receiver, startReceiver } from '../support/receiver.ts'
import { expectBalanced, type SluiceProcess, startSluice } from '../support/sluice.ts'
import { Sender } from './sender.ts'

const SENDERS = 4
/** What an orchestrator grants before it kills, and no orchestrator grants less. */
const GRACE_MS = 10_000
const LONG = { timeout: 90_000 }

type Parts = {
  directory: string
  sluice: SluiceProcess
  /** The port of the destination, where at first nobody listens. */
  port: number
  startDestination(respond?: Receiver['respond']): Promise<Receiver>
  senders: Sender[]
}

/** Runs `body` with a process whose destination is down. */
async function withProcess(body: (parts: Parts) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-shutdown-'))
  const port = await freePort()
  const receivers: Receiver[] = []
  const sluice = await startSluice(directory, `http://127.0.0.1:${port}/api/v1/write`)
  const senders = Array.from({ length: SENDERS }, (_, i) => new Sender(i))
  const startDestination = async (respond?: Receiver['respond']) => {
    const receiver = await startReceiver({ port, ...(respond === undefined ? {} : { respond }) })
    receivers.push(receiver)
    return receiver
  }
  try {
    await body({ directory, sluice, port, startDestination, senders })
  } finally {
    for (const sender of senders) sender.isStopping = true
    await sluice.child.kill()
    for (const receiver of receivers) await receiver.close()
    await rm(directory, { recursive: true, force: true })
  }
}

/** SIGTERM; resolves with the code when the process is over, and fails when that takes long. */
async function expectStopInTime({ child }: SluiceProcess): Promise<void> {
  const startMs = performance.now()
  expect(await child.stop(), child.output()).toBe(0)
  expect(performance.now() - startMs).toBeLessThan(GRACE_MS)
  expect(child.output()).toContain('sluice has stopped')
}

const pushSome = async (senders: Sender[], sluice: SluiceProcess, times: number) => {
  for (let n = 0; n < times; n++) {
    const answers = await Promise.all(senders.map((sender) => sender.push(sluice)))
    expect(answers).not.toContain(false)
  }
}

test('F34: SIGTERM under load ends it with 0, and nothing acknowledged is lost', LONG, () =>
  withProcess(async ({ sluice, senders, startDestination }) => {
    const receiver = await startDestination()
    const running = senders.map((sender) => sender.run(sluice))
    for (let rounds = 1; rounds <= 3; rounds++) {
      await expect
        .poll(() => Math.min(...senders.map((sender) => sender.acknowledged)), { timeout: 10_000 })
        .toBeGreaterThan(rounds * 50)
      await expectStopInTime(sluice)
      await sluice.startAgain()
    }
    for (const sender of senders) sender.isStopping = true
    await Promise.all(running)
    for (const sender of senders) await sender.expectAll(receiver)
    await expectBalanced(sluice)
  }),
)

test(
  'F34: SIGTERM while the destination is down keeps the backlog, and it arrives once and in order',
  LONG,
  () =>
    withProcess(async ({ sluice, senders, startDestination }) => {
      await pushSome(senders, sluice, 100)
      await expectStopInTime(sluice)

      await sluice.startAgain()
      await pushSome(senders, sluice, 20)
      const receiver = await startDestination()
      for (const sender of senders) await sender.expectAll(receiver)
      await expectBalanced(sluice)
      await expectStopInTime(sluice)
      for (const sender of senders) sender.expectOnce(receiver)
    }),
)

test('F34: after SIGTERM nothing that has arrived is sent again', LONG, () =>
  withProcess(async ({ sluice, senders, startDestination }) => {
    const receiver = await startDestination()
    await pushSome(senders, sluice, 50)
    for (const sender of senders) await sender.expectAll(receiver)
    // The cursor is saved when it stops, and not only now and then.
    await expectStopInTime(sluice)
    await sluice.startAgain()
    await pushSome(senders, sluice, 1)
    for (const sender of senders) {
      await sender.expectAll(receiver)
      sender.expectOnce(receiver)
    }
  }),
)

test(
  'F34: neither a destination that is silent nor a sender that is slow delays the end',
  LONG,
  () =>
    withProcess(async ({ sluice, senders, startDestination }) => {
      const silent = await startDestination(async () => {
        await delay(60_000, undefined, { ref: false })
        return { status: 503 }
      })
      await pushSome(senders, sluice, 20)
      await expect.poll(() => silent.requests.length).toBeGreaterThan(0)
      const port = Number(new URL(sluice.url).port)
      const [slow, mute] = [await connectTo(port), await connectTo(port)]
      slow.send(`${pushHead('Content-Length: 100')}half`)
      await expectStopInTime(sluice)
      await Promise.all([slow.closed, mute.closed])
      expect(slow.received()).toBe('')
      await silent.close()

      await sluice.startAgain()
      const receiver = await startDestination()
      for (const sender of senders) await sender.expectAll(receiver)
    }),
)

test('a second SIGTERM ends it at once, and everything acknowledged is still there', LONG, () =>
  withProcess(async ({ sluice, senders, startDestination }) => {
    await pushSome(senders, sluice, 100)
    const { child } = sluice
    const over = once(child.process, 'exit')
    // It waits for this one, so that the second signal comes in time.
    const slow = await connectTo(Number(new URL(sluice.url).port))
    slow.send(`${pushHead('Content-Length: 100')}half`)
    await expect.poll(() => bodiesBytes(sluice)).toBeGreaterThan(0)
    child.process.kill('SIGTERM')
    await child.says('stopping')
    const startMs = performance.now()
    child.process.kill('SIGTERM')
    expect(await over).toEqual([1, null])
    expect(performance.now() - startMs).toBeLessThan(2_000)

    await sluice.startAgain()
    await pushSome(senders, sluice, 10)
    const receiver = await startDestination()
    for (const sender of senders) {
      await sender.expectAll(receiver)
      sender.expectOnce(receiver)
    }
    expect(sluice.child.output()).not.toContain('damaged')
  }),
)

async function bodiesBytes({ admin }: SluiceProcess): Promise<number> {
  const page = await (await fetch(`${admin}/metrics`)).text()
  return Number(/^sluice_receive_bodies_bytes (\d+)$/m.exec(page)?.[1])
}

/** The code and the output of a process that should not come up. */
async function expectRefused(flags: string[]): Promise<string> {
  const child: Child = startChild(process.execPath, ['src/sluice.js', 'serve', ...flags])
  try {
    // Not `exit`, after which there may still be something to read.
    expect(await once(child.process, 'close'), child.output()).toEqual([1, null])
    return child.output()
  } finally {
    await child.kill()
  }
}

const ANYWHERE = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0']

test('F46: a second process over the same data is LOG_LOCKED, and the first goes on', LONG, () =>
  withProcess(async ({ directory, sluice, senders, startDestination }) => {
    await pushSome(senders, sluice, 5)
    const output = await expectRefused(['--data', directory, ...ANYWHERE])
    expect(output.split('\n')).toEqual([
      `LOG_LOCKED: ${directory} is in use by process ${sluice.child.process.pid}; stop that ` +
        'process, or give this one another storage.path (two processes in one directory would ' +
        'destroy the log)',
    ])
    await pushSome(senders, sluice, 5)
    const receiver = await startDestination()
    for (const sender of senders) await sender.expectAll(receiver)
    await expectStopInTime(sluice)
  }),
)

test(
  'a port that is in use is LISTEN_FAILED in one line, and the data is free again',
  LONG,
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'sluice-shutdown-'))
    const occupied = createServer()
    await new Promise<void>((resolve) => occupied.listen(0, '127.0.0.1', resolve))
    const address = `127.0.0.1:${(occupied.address() as { port: number }).port}`
    try {
      for (const port of ['--listen', '--admin']) {
        const output = await expectRefused(['--data', directory, ...ANYWHERE, port, address])
        expect(output.split('\n')).toEqual([
          expect.stringMatching(`^LISTEN_FAILED: cannot listen on ${address} .*another process`),
        ])
      }
      const sluice = await startSluice(
        directory,
        `http://127.0.0.1:${await freePort()}/api/v1/write`,
      )
      await expectStopInTime(sluice)
    } finally {
      occupied.close()
      await rm(directory, { recursive: true, force: true })
    }
  },
)
