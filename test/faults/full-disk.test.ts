import { existsSync } from 'node:fs'
import { readdir, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { atScale } from '../support/fault-scale.ts'
import { expectBalanced } from '../support/sluice.ts'
import type { Load } from './load.ts'
import { expectOverload, expectReady, jsonOf, READY, withProcess, withTmpfs } from './parts.ts'

const MIB = 1024 ** 2
const PUSH_BYTES = 128 * 1024
const SMALL_BYTES = 8 * 1024
const LONG = { timeout: 180_000 }

/** Each pushes until it is refused. */
const untilRefused = (senders: readonly Load[], url: string) =>
  Promise.all(
    senders.map(async (sender) => {
      while ((await sender.push(url)).status === 204);
    }),
  )

const freeBytesOf = async (path: string) => {
  const { bavail, bsize } = await statfs(path)
  return bavail * bsize
}

/** Takes all that is left, as another process might. */
async function fillUp(path: string): Promise<string> {
  const filler = join(path, 'filler')
  const piece = new Uint8Array(MIB)
  for (const size of [MIB, 4096]) {
    for (;;) {
      const isFull = await writeFile(filler, piece.subarray(0, size), { flag: 'a' }).then(
        () => false,
        () => true,
      )
      if (isFull) break
    }
  }
  return filler
}

test(
  'F15: a disk that fills up refuses pushes before there is no room, and recovers by itself',
  LONG,
  () =>
    withTmpfs(`size=${atScale(32, 256)}m`, (tmpfs) =>
      withProcess({ on: tmpfs }, async ({ sluice, startSink, sender }) => {
        const senders = Array.from({ length: 3 }, () => sender(PUSH_BYTES))
        await untilRefused(senders, sluice.url)
        for (const { refusals } of senders) expectOverload(refusals[0]!, /^the log in .* is full/)
        await expectReady(sluice, /^not ready: the log in .* is full/)
        // A fifth of it is left, less the last push of each: nobody ever ran into the wall.
        expect(await freeBytesOf(tmpfs.path)).toBeGreaterThan(atScale(32, 256) * MIB * 0.14)
        const waits = new Set<number>()
        for (let n = 0; n < 30; n++) {
          const refused = await senders[0]!.push(sluice.url)
          expectOverload(refused, /is full/)
          waits.add(refused.retryAfter!)
        }
        expect(waits.size).toBeGreaterThan(2)
        expect(sluice.child.output()).not.toContain('cannot be written')

        const running = senders.map((one) => one.run(sluice.url))
        const before = senders.map(({ acknowledged }) => acknowledged)
        const sink = await startSink()
        for (const [i, one] of senders.entries()) {
          await expect
            .poll(() => one.acknowledged, { timeout: 30_000 })
            .toBeGreaterThan(before[i]! + 20)
        }
        for (const one of senders) one.isStopping = true
        await Promise.all(running)
        for (const one of senders) await one.expectAll(sink)
        await expectBalanced(sluice)
        await expectReady(sluice, READY)
        expect(sluice.child.output()).not.toContain('cannot be written')
      }),
    ),
)

test(
  'F16: a disk that another process fills takes deliveries, cursor and quarantine all the same',
  LONG,
  () =>
    withTmpfs('size=32m', (tmpfs) =>
      withProcess({ on: tmpfs }, async ({ sluice, data, startSink, sender }) => {
        const [good, bad] = [sender(PUSH_BYTES), sender(SMALL_BYTES)]
        const spare = join(data, 'spare')
        await expect.poll(() => existsSync(spare), { timeout: 10_000 }).toBe(true)
        // In front, so that no segment can go before these are set aside.
        // With good ones between them, or the sink would refuse everything, and seem to be wrong.
        for (let n = 0; n < 60; n++) {
          if (n < 3) expect(await bad.push(sluice.url)).toMatchObject({ status: 204 })
          expect(await good.push(sluice.url)).toMatchObject({ status: 204 })
        }

        const filler = await fillUp(tmpfs.path)
        expect(await freeBytesOf(tmpfs.path)).toBe(0)
        // True ENOSPC, and then without asking the disk.
        for (let n = 0; n < 5; n++) {
          expectOverload(await good.push(sluice.url), /cannot be written|is full/)
        }
        await expectReady(sluice, /^not ready: the disk under .* is full: make room/)
        expectOverload(await good.push(sluice.url), /is full/)

        // What the sink refuses for good is set aside at once, on room that only the spare had.
        const sink = await startSink((name) => name === 'sender-1')
        await expect
          .poll(async () => (await jsonOf(sluice, '/api/v1/balance')).destinations[0], {
            timeout: 20_000,
          })
          .toMatchObject({ waiting: 0, difference: 0 })
        // The filler is still there: what was delivered made the room, though it was to be held.
        await expectReady(sluice, READY)
        for (let n = 0; n < 5; n++)
          expect(await good.push(sluice.url)).toMatchObject({ status: 204 })
        await good.expectAll(sink)
        await expect.poll(() => existsSync(spare), { timeout: 10_000 }).toBe(true)

        await rm(filler)
        expect(await good.push(sluice.url)).toMatchObject({ status: 204 })
        await good.expectAll(sink)
        const { destinations, ...balance } = await jsonOf(sluice, '/api/v1/balance')
        expect(balance.difference).toBe(0)
        expect(destinations[0]).toMatchObject({ difference: 0, damaged: 0 })
        expect(destinations[0].quarantined).toBeGreaterThanOrEqual(6)
        expect(await jsonOf(sluice, '/api/v1/quarantine')).not.toEqual([])
      }),
    ),
)

test('F16: on a full disk it starts again and delivers what it has', LONG, () =>
  withTmpfs('size=32m', (tmpfs) =>
    withProcess({ on: tmpfs }, async ({ sluice, data, startSink, sender }) => {
      const one = sender(PUSH_BYTES)
      await expect.poll(() => existsSync(join(data, 'spare')), { timeout: 10_000 }).toBe(true)
      for (let n = 0; n < 60; n++) expect(await one.push(sluice.url)).toMatchObject({ status: 204 })
      await fillUp(tmpfs.path)
      await sluice.child.kill()
      const sink = await startSink()
      // Ready again by itself: the backlog was larger than what it needs.
      await sluice.startAgain()
      await one.expectAll(sink)
      expect(await one.push(sluice.url)).toMatchObject({ status: 204 })
      await one.expectAll(sink)
      await expectBalanced(sluice)
    }),
  ),
)

test('F17: without a free inode pushes are refused, and taken again when there is one', LONG, () =>
  withTmpfs('size=32m,nr_inodes=60', (tmpfs) =>
    withProcess(
      { on: tmpfs, yaml: 'storage: { quota: 16MiB }' },
      async ({ sluice, startSink, sender }) => {
        const sink = await startSink()
        const one = sender(PUSH_BYTES)
        for (let n = 0; n < 4; n++)
          expect(await one.push(sluice.url)).toMatchObject({ status: 204 })
        await delay(1_500)
        const taken: string[] = []
        for (let n = 0; ; n++) {
          const path = join(tmpfs.path, `file-${n}`)
          if (
            !(await writeFile(path, '').then(
              () => true,
              () => false,
            ))
          )
            break
          taken.push(path)
        }
        // It goes on in the segment that it has, and then there is no other.
        await untilRefused([one], sluice.url)
        expectOverload(one.refusals[0]!, /the log cannot be written: .*ENOSPC/)
        await untilRefused([one], sluice.url)
        await expectReady(sluice, /^not ready: the log cannot be written; .*may be ended/)
        for (const path of taken) await rm(path)
        await expectReady(sluice, READY)
        for (let n = 0; n < 20; n++) {
          const { status } = await one.push(sluice.url)
          if (status !== 204) await delay(200)
        }
        await one.expectAll(sink)
        await expectBalanced(sluice)
        expect((await readdir(tmpfs.path)).length).toBe(1)
      },
    ),
  ),
)
