import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { atScale } from '../support/fault-scale.ts'
import { expectBalanced } from '../support/sluice.ts'
import { writeBacklog } from './backlog.ts'
import { expectReady, jsonOf, READY, withProcess } from './parts.ts'

const MIB = 1024 ** 2
const LONG = { timeout: 900_000 }
const CLUSTERS = 200
const BACKLOG_BYTES = atScale(200, 3072) * MIB
const SMALL_BYTES = 20 * MIB

/** In bytes: what a process has in memory, or had at most. */
async function memoryOf(pid: number, line: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${line}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024
}

/** What it has computed so far. Unlike the time it does not depend on what else runs here. */
async function cpuSecondsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  // The 14th and 15th field, in hundredths; the second one is a name that may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

type Measured = { readySeconds: number; readyBytes: number; peakBytes: number }

/** A start over a backlog of so many bytes, and its delivery. */
async function measured(bytes: number): Promise<Measured> {
  const found = { readySeconds: 0, readyBytes: 0, peakBytes: 0 }
  let samples = 0
  const prepare = async (data: string) => {
    samples = await writeBacklog(data, { bytes, clusters: CLUSTERS })
  }
  await withProcess({ prepare }, async (own) => {
    const { sluice, startSink } = own
    await sluice.child.kill()
    await sluice.startAgain()
    found.readySeconds = await cpuSecondsOf(own.pid)
    found.readyBytes = await memoryOf(own.pid, 'VmRSS')
    expect((await jsonOf(sluice, '/api/v1/status')).backlog).toMatchObject({ samples })
    const sink = await startSink()
    await expect.poll(() => sink.samples, { timeout: 600_000, interval: 200 }).toBe(samples)
    await expectBalanced(sluice)
    found.peakBytes = await memoryOf(own.pid, 'VmHWM')
  })
  return found
}

test(
  'F43: a start over a large backlog of many clusters takes no longer and no more memory than over a small one',
  LONG,
  async () => {
    const small = await measured(SMALL_BYTES)
    const large = await measured(BACKLOG_BYTES)
    expect(large.readySeconds).toBeLessThan(small.readySeconds + 1)
    expect(large.readyBytes).toBeLessThan(small.readyBytes + 64 * MIB)
    expect(large.peakBytes).toBeLessThan(small.peakBytes + 128 * MIB)
  },
)

test(
  'F42: with a large backlog, a slow receiver and many large pushes it stays within 512 MiB',
  LONG,
  () => {
    let samples = 0
    const prepare = async (data: string) => {
      samples = await writeBacklog(data, { bytes: BACKLOG_BYTES / 4, clusters: CLUSTERS })
    }
    return withProcess({ prepare }, async ({ sluice, pid, startSink, sender }) => {
      const senders = Array.from({ length: 20 }, () => sender(MIB))
      const running = senders.map((one) => one.run(sluice.url))
      const acknowledged = () => senders.reduce((sum, one) => sum + one.acknowledged, 0)
      const grows = (by: number) =>
        expect
          .poll(acknowledged, { timeout: 120_000, interval: 200 })
          .toBeGreaterThan(acknowledged() + by)
      await grows(50)
      const sink = await startSink()
      sink.delayMs = 300
      await grows(50)
      for (const one of senders) one.isStopping = true
      await Promise.all(running)
      sink.delayMs = 0
      await expect
        .poll(() => sink.samples, { timeout: 600_000, interval: 200 })
        .toBe(samples + 2 * acknowledged())
      for (const one of senders) await one.expectAll(sink)
      await expectBalanced(sluice)
      await expectReady(sluice, READY)
      expect(await memoryOf(pid, 'VmHWM')).toBeLessThan(512 * MIB)
    })
  },
)
