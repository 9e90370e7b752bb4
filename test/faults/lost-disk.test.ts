import { execFile } from 'node:child_process'
import { rename, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { expectBalanced, type SluiceProcess } from '../support/sluice.ts'
import { whileTraced } from '../support/strace.ts'
import type { Load } from './load.ts'
import {
  expectGoesOnAfterKill,
  expectOverload,
  expectReady,
  expectTaken,
  jsonOf,
  READY,
  withProcess,
} from './parts.ts'

const run = promisify(execFile)
const LONG = { timeout: 120_000 }
const PUSH_BYTES = 100_000
/** More than is read ahead and than is kept in memory of the newest: some is on disk alone. */
const UNREAD_PUSHES = 750
const UNREAD_BYTES = 30_000
/** So that a segment is full after some pushes. */
const SMALL = 'storage: { quota: 32MiB }'

/** Pushes until it is refused, and once more, so that the log has failed twice. */
async function untilRefused(one: Load, { url }: SluiceProcess): Promise<void> {
  for (let refusals = 0; refusals < 2; ) if ((await one.push(url)).status !== 204) refusals += 1
}

/** Holds more connections than there is room for, until the returned function is called. */
function occupyConnections(port: number): () => void {
  const idle = new Set<Socket>()
  let isOver = false
  const occupy = () => {
    const socket = connect(port, '127.0.0.1')
    idle.add(socket)
    socket.on('error', () => {})
    // The gateway has no room for it, or does not wait for ever for one that says nothing.
    socket.on('close', () => {
      idle.delete(socket)
      if (!isOver) setTimeout(occupy, 50)
    })
  }
  for (let n = 0; n < 60; n++) occupy()
  return () => {
    isOver = true
    for (const socket of idle) socket.destroy()
  }
}

test(
  'F17: without file descriptors pushes are refused, the ports stay open, and it recovers',
  LONG,
  () =>
    withProcess({ yaml: SMALL }, async ({ sluice, pid, startSink, sender }) => {
      const one = sender(PUSH_BYTES)
      await expectTaken(one, sluice, 3)
      // Of those that are open already; the connection of the sender is one.
      await run('prlimit', ['--pid', String(pid), '--nofile=60:60'])
      const end = occupyConnections(Number(new URL(sluice.url).port))
      try {
        await untilRefused(one, sluice)
        expectOverload(one.refusals[0]!, /^the log cannot be written: .*EMFILE/)
        expectOverload(await one.push(sluice.url), /^the log cannot be written/)
      } finally {
        end()
      }
      await expectReady(sluice, READY)
      const sink = await startSink()
      for (let n = 0; n < 20 && (await one.push(sluice.url)).status !== 204; n++) await delay(200)
      await expectTaken(one, sluice, 20)
      await one.expectAll(sink)
      await expectBalanced(sluice)
    }),
)

/**
 * As a kernel does that finds a file system damaged. Nobody else can: a file system with a file
 * that is open for writing is busy.
 */
const READ_ONLY = [
  'pwrite64',
  'pwritev',
  'fdatasync',
  'ftruncate',
  'rename',
  'unlink',
  'mkdir',
].flatMap((call) => ['-e', `inject=${call}:error=EROFS`])

test(
  'F18: on a disk that is read-only all of a sudden it delivers, and takes pushes when it may again',
  LONG,
  () =>
    withProcess({ yaml: SMALL }, async ({ sluice, pid, startSink, sender }) => {
      const one = sender(PUSH_BYTES)
      await expectTaken(one, sluice, 30)
      await whileTraced(pid, READ_ONLY, async () => {
        await untilRefused(one, sluice)
        for (const refused of one.refusals) expectOverload(refused, /cannot be written: .*EROFS/)
        await expectReady(sluice, /^not ready: the log cannot be written; 60 samples still wait/)
        await one.expectAll(await startSink())
        await expectReady(
          sluice,
          /^not ready: the log cannot be written; everything .* is delivered/,
        )
      })
      await expectReady(sluice, READY)
      for (const again of [false, true]) {
        if (again) {
          await sluice.child.kill()
          await sluice.startAgain()
        }
        await expectTaken(one, sluice, 10)
        await expectBalanced(sluice)
      }
    }),
)

test('F18: while its directory has another name nothing is taken, and nothing is lost', LONG, () =>
  withProcess({ yaml: SMALL }, async ({ sluice, data, startSink, sender }) => {
    const one = sender(UNREAD_BYTES)
    await expectTaken(one, sluice, UNREAD_PUSHES)
    const elsewhere = join(data, '..', 'elsewhere')
    await rename(data, elsewhere)
    await expectReady(
      sluice,
      /^not ready: .* does not hold this gateway's log any more.*let it run/,
    )
    expectOverload(await one.push(sluice.url), /does not hold this gateway's log any more/)
    expect(sluice.child.output()).toContain('the data directory is gone')
    const sink = await startSink()
    // What has been read is delivered, though no more can be.
    await expect.poll(() => sink.samples, { timeout: 20_000 }).toBeGreaterThan(500)
    // That the files cannot be found says nothing about what is in them.
    await sluice.child.says('put it back')
    await rename(elsewhere, data)
    await expectReady(sluice, READY)
    await one.expectAll(sink)
    await expectTaken(one, sluice, 10)
    await one.expectAll(sink)
    await expectBalanced(sluice)
    await expectGoesOnAfterKill(sluice, one, sink)
  }),
)

test(
  'F18: when its directory is removed it takes nothing, and counts nothing as delivered',
  LONG,
  () =>
    withProcess({ yaml: SMALL }, async ({ sluice, data, startSink, sender }) => {
      const one = sender(UNREAD_BYTES)
      await expectTaken(one, sluice, UNREAD_PUSHES)
      await rm(data, { recursive: true })
      await expectReady(sluice, /^not ready: .* does not hold this gateway's log any more/)
      expectOverload(await one.push(sluice.url), /does not hold this gateway's log any more/)
      const sink = await startSink()
      await expect.poll(() => sink.samples, { timeout: 20_000 }).toBeGreaterThan(500)
      await sluice.child.says('put it back')
      const delivered = async () => (await jsonOf(sluice, '/api/v1/balance')).destinations[0]
      const missing = async () => sink.samples - (await delivered()).forwarded
      await expect.poll(missing, { timeout: 20_000 }).toBe(0)
      const balance = await delivered()
      expect(balance).toMatchObject({ difference: 0, damaged: 0 })
      expect(balance.waiting + balance.forwarded).toBe(2 * UNREAD_PUSHES)
      expect(balance.waiting).toBeGreaterThan(0)
      // Still there, and not to be ended before somebody has looked.
      await expectReady(sluice, /samples still wait/)
      await sluice.child.stop()
      await sluice.startAgain()
      await expectTaken(one, sluice, 3)
      await expectBalanced(sluice)
    }),
)
