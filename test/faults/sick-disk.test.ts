import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { atScale } from '../support/fault-scale.ts'
import { expectBalanced, type SluiceProcess } from '../support/sluice.ts'
import { whileTraced } from '../support/strace.ts'
import {
  expectGoesOnAfterKill,
  expectOverload,
  expectReady,
  expectTaken,
  jsonOf,
  READY,
  withProcess,
} from './parts.ts'

const LONG = { timeout: 180_000 }
const PUSH_BYTES = 1_000
/** What makes the next sync of a file fail, and leaves the others alone. */
const syncFails = (...flags: string[]) => ['-e', `inject=fdatasync:${flags.join(':')}`]
const TOUCHES = ['-e', 'trace=fdatasync,fsync,write,pwrite64,writev,pwritev,pwritev2']

const segmentsIn = async (data: string) =>
  (await readdir(join(data, 'log'))).filter((name) => name.endsWith('.log')).sort()

/** Of `sluice_…` metrics, those that have no labels. */
async function metric({ admin }: SluiceProcess, name: string): Promise<number> {
  const page = await (await fetch(`${admin}/metrics`)).text()
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(page)?.[1])
}

test(
  'F12: after one sync that fails the file is never touched again, and the next one takes over',
  LONG,
  () =>
    withProcess({}, async ({ sluice, pid, data, startSink, sender }) => {
      const one = sender(PUSH_BYTES)
      await expectTaken(one, sluice, 5)
      const [failing = '', ...none] = await segmentsIn(data)
      expect(none).toEqual([])
      const path = join(data, 'log', failing)
      const injected = [...TOUCHES, ...syncFails('error=EIO', 'when=1'), '-P', path]
      const lines = await whileTraced(pid, injected, async () => {
        expectOverload(await one.push(sluice.url), /^the log cannot be written: .*EIO/)
        // Not a duplicate of what was lost.
        await expectTaken(one, sluice, 20)
      })
      const touches = lines.filter((line) => line.includes(failing))
      expect(touches.map((line) => /(\w+)\(/.exec(line)?.[1]).at(-1)).toBe('fdatasync')
      expect(touches.filter((line) => line.includes('INJECTED'))).toHaveLength(1)
      expect(await segmentsIn(data)).toHaveLength(2)
      const sink = await startSink()
      await one.expectAll(sink)
      await expectBalanced(sluice)
      expect((await jsonOf(sluice, '/api/v1/balance')).undone).toBe(2)
      await expectGoesOnAfterKill(sluice, one, sink)
    }),
)

test(
  'F13: a disk that syncs nothing any more is read and delivered from, and is not ready',
  LONG,
  () =>
    withProcess({}, async ({ sluice, pid, data, startSink, sender }) => {
      const one = sender(PUSH_BYTES)
      await expectTaken(one, sluice, 50)
      await whileTraced(pid, syncFails('error=EIO'), async () => {
        while (!/^the log cannot be written$/m.test((await one.push(sluice.url)).text));
        for (const refused of one.refusals) expectOverload(refused, /^the log cannot be written/)
        await expectReady(sluice, /^not ready: the log cannot be written; \d+ samples still wait/)
        // Neither the cursor can be saved; what is delivered is delivered all the same.
        const sink = await startSink()
        await one.expectAll(sink)
        await expectReady(
          sluice,
          /^not ready: the log .*; everything .* is delivered, so it may be/,
        )
        await expectBalanced(sluice)
        expect(await (await fetch(`${sluice.admin}/-/healthy`)).text()).toContain('alive')
        // It asks the disk now and then, and leaves nothing behind.
        const before = await readdir(join(data, 'log'))
        await delay(2_500)
        expect((await readdir(join(data, 'log'))).length).toBeLessThanOrEqual(before.length + 1)
        expectOverload(await one.push(sluice.url), /^the log cannot be written$/m)
      })
      await expectReady(sluice, READY)
      await expectTaken(one, sluice, 5)
      await expectBalanced(sluice)
      expect((await segmentsIn(data)).length).toBe(2)
    }),
)

for (const [what, slowMs, rounds, syncsMax] of [
  // Whoever is slower than the disk finds nobody to share with.
  ['50 ms', 50, 4, 80],
  ['2 s', 2_000, 1, 8],
] as const) {
  test(
    `F14: on a disk that takes ${what} for a sync, more pushes share one, and none is refused`,
    LONG,
    () =>
      withProcess({}, async ({ sluice, pid, startSink, sender }) => {
        const sink = await startSink()
        const senders = Array.from({ length: 20 }, () => sender(PUSH_BYTES))
        await Promise.all(senders.map((one) => expectTaken(one, sluice, 1)))
        const delayed = syncFails(`delay_enter=${slowMs * 1_000}`)
        const lines = await whileTraced(pid, [...TOUCHES, ...delayed], () =>
          Promise.all(senders.map((one) => expectTaken(one, sluice, rounds))).then(() => undefined),
        )
        const syncs = lines.filter((line) => line.includes('fdatasync') && line.includes('.log>'))
        expect(syncs.length).toBeGreaterThan(0)
        expect(syncs.length).toBeLessThanOrEqual(syncsMax)
        for (const one of senders) await one.expectAll(sink)
        await expectBalanced(sluice)
        for (const one of senders) expect(one.refusals).toEqual([])
      }),
  )
}

test(
  'F14: a sync that is stuck refuses pushes instead of keeping them, and all goes on when it returns',
  LONG,
  () =>
    withProcess({}, async ({ sluice, pid, data, startSink, sender }) => {
      const stuckMs = atScale(10_000, 30_000)
      const sink = await startSink()
      const senders = Array.from({ length: 8 }, () => sender(100_000))
      await Promise.all(senders.map((one) => expectTaken(one, sluice, 2)))
      const [segment = ''] = await segmentsIn(data)
      const path = join(data, 'log', segment)
      const rssBefore = await metric(sluice, 'process_resident_memory_bytes')
      const delayed = [...syncFails(`delay_enter=${stuckMs * 1_000}`, 'when=1'), '-P', path]
      await whileTraced(pid, delayed, async () => {
        const startMs = performance.now()
        const stuck = await Promise.all(senders.map((one) => one.push(sluice.url)))
        // All that waited were told so while it was still stuck.
        expect(performance.now() - startMs).toBeLessThan(stuckMs - 1_000)
        for (const refused of stuck) expectOverload(refused, /has not ended a write for 5 seconds/)
        await expectReady(sluice, /^not ready: the disk under .* has not ended a write/)
        for (let n = 0; n < 50; n++) {
          const refused = await senders[n % 8]!.push(sluice.url)
          expectOverload(refused, /^the disk under .* has not ended a write/)
        }
        const grownBytes = (await metric(sluice, 'process_resident_memory_bytes')) - rssBefore
        expect(grownBytes).toBeLessThan(64 * 1024 ** 2)
        await expectReady(sluice, READY, stuckMs + 10_000)
      })
      // What was in the stuck group is there: the next try is a duplicate of it, and is answered.
      const before = await jsonOf(sluice, '/api/v1/balance')
      await Promise.all(senders.map((one) => expectTaken(one, sluice, 1)))
      const after = await jsonOf(sluice, '/api/v1/balance')
      expect(after.undone).toBe(0)
      // The series of the pushes; the padding is another one each time.
      expect(after.duplicates - before.duplicates).toBe(8)
      await Promise.all(senders.map((one) => expectTaken(one, sluice, 3)))
      for (const one of senders) await one.expectAll(sink)
      await expectBalanced(sluice)
      // Nothing was acknowledged that a new process does not know.
      await sluice.child.kill()
      await sluice.startAgain()
      await Promise.all(senders.map((one) => expectTaken(one, sluice, 1)))
      for (const one of senders) await one.expectAll(sink)
      await expectBalanced(sluice)
    }),
)
