import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Log } from '../../src/persist/log.ts'
import type { Damage } from '../../src/persist/segment.ts'
import { lsnsOf, openLog, readAll } from '../support/log-directory.ts'
import { MemoryDisk } from '../support/memory-disk.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)

type Step =
  | { kind: 'append'; length: number }
  | { kind: 'commit' }
  | { kind: 'fail'; what: 'write' | 'datasync' | 'open' | 'syncDirectory'; times: number }
  | { kind: 'read'; from: number }
  | { kind: 'release'; upTo: number }
  | { kind: 'end'; how: 'crash' | 'kill' | 'close'; isInCommit: boolean }

const share = fc.double({ min: 0, max: 0.999, noNaN: true })
const append = fc.record({ kind: fc.constant('append' as const), length: fc.nat({ max: 700 }) })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: append },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('commit' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('fail' as const),
      what: fc.constantFrom('write', 'datasync', 'open', 'syncDirectory'),
      times: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('read' as const), from: share }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('release' as const), upTo: share }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('end' as const),
      how: fc.constantFrom('crash', 'kill', 'close'),
      isInCommit: fc.boolean(),
    }),
  },
)

/** Stands for a record that a crash took out of an unfinished commit: its LSN stays unused. */
const LOST = 'lost'

/** The specification: what was committed, and what may or may not have survived. */
class Model {
  /** Each payload begins with a number of its own, so that no two records are alike. */
  appended = 0
  committed = new Map<number, string>()
  pending = new Map<number, string>()
  /** Every payload that was ever given an LSN without being committed under it. */
  doubtful = new Map<number, Set<string>>()
  oldestLsn = 1
  torn = new Set<string>()

  commit(): void {
    for (const [lsn, payload] of this.pending) this.committed.set(lsn, payload)
    this.pending.clear()
  }

  forget(): void {
    for (const [lsn, payload] of this.pending) {
      const payloads = this.doubtful.get(lsn) ?? new Set()
      this.doubtful.set(lsn, payloads.add(payload))
    }
    this.pending.clear()
  }

  /** Records that nobody was told are safe may be torn; nothing else may be called damaged. */
  allow({ segment, fromLsn, toLsn }: Damage): void {
    if (fromLsn > this.committed.size) this.torn.add(segment)
    expect(this.torn).toContain(segment)
    for (let lsn = fromLsn; lsn <= toLsn; lsn++) {
      expect(this.committed.get(lsn) ?? LOST).toBe(LOST)
    }
  }

  /** What must be read from `lsn` on. */
  from(lsn: number): [number, string][] {
    const first = Math.max(lsn, this.oldestLsn)
    return [...this.committed].filter(([one, payload]) => one >= first && payload !== LOST)
  }
}

test('F3: the log is a list: all that is committed, in order, through crashes, and nothing else', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60, size: 'max' }),
      fc.integer(),
      async (steps, seed) => {
        const random = randomFrom(seed)
        const disk = new MemoryDisk()
        const model = new Model()
        let log = (await openLog(disk)).log
        for (const one of [...steps, lastStep]) log = await take(one, log, disk, model, random)
        expect(disk.offences).toEqual([])
      },
    ),
    { numRuns },
  )
})

const lastStep: Step = { kind: 'end', how: 'crash', isInCommit: false }

async function take(
  step: Step,
  log: Log,
  disk: MemoryDisk,
  model: Model,
  random: () => number,
): Promise<Log> {
  const span = log.committedLsn + 1 - model.oldestLsn
  switch (step.kind) {
    case 'append': {
      const payload = new Uint8Array(step.length + 4).fill(model.appended)
      new DataView(payload.buffer).setUint32(0, model.appended++)
      const lsn = log.append(1, [payload.subarray(0, 3), payload.subarray(3)])
      expect(lsn).toBe(model.committed.size + model.pending.size + 1)
      model.pending.set(lsn, hex(payload))
      return log
    }
    case 'commit':
      await log.commit().then(
        () => model.commit(),
        () => model.forget(),
      )
      expect(log.nextLsn).toBe(log.committedLsn + 1)
      return log
    case 'fail':
      disk.fail(step.what, 'EIO', { times: step.times, within: '.log' })
      return log
    case 'read': {
      disk.heal()
      const from = model.oldestLsn + Math.floor(step.from * (span + 2))
      expect(await records(log, from)).toEqual(model.from(from))
      return log
    }
    case 'release':
      disk.heal()
      await log.release(model.oldestLsn + Math.floor(step.upTo * (span + 1)))
      model.oldestLsn = log.oldestLsn
      return log
    case 'end':
      return end(step, log, disk, model, random)
  }
}

/** Ends the process in one way or another, opens the log again and compares. */
async function end(
  { how, isInCommit }: { how: 'crash' | 'kill' | 'close'; isInCommit: boolean },
  log: Log,
  disk: MemoryDisk,
  model: Model,
  random: () => number,
): Promise<Log> {
  if (how === 'close') {
    await log.close().then(
      () => model.commit(),
      () => model.forget(),
    )
    disk.kill()
  } else {
    let isCommitted = false
    if (isInCommit) {
      const done = () => {
        isCommitted = true
      }
      log.commit().then(done, () => undefined)
      for (let i = Math.floor(random() * 30); i > 0; i--) await undefined
    }
    if (isCommitted) model.commit()
    else model.forget()
    if (how === 'crash') disk.crash(random)
    else disk.kill()
  }
  const { log: again, damages } = await openLog(disk)
  expect(again.oldestLsn).toBeLessThanOrEqual(Math.max(model.oldestLsn, 1))
  const found = new Map(await records(again, 1))
  const committed = model.from(model.oldestLsn)
  expect(committed.filter(([lsn, payload]) => found.get(lsn) !== payload)).toEqual([])
  for (const [lsn, payload] of found) {
    const known = model.committed.get(lsn)
    if (known === undefined) expect(model.doubtful.get(lsn)).toContain(payload)
    else expect(payload).toBe(known)
  }
  for (const damage of damages) model.allow(damage)
  // What was found is committed from now on.
  for (let lsn = model.committed.size + 1; lsn <= again.committedLsn; lsn++) {
    model.committed.set(lsn, found.get(lsn) ?? LOST)
  }
  model.oldestLsn = again.oldestLsn
  return again
}

async function records(log: Log, from: number): Promise<[number, string][]> {
  return (await readAll(log, from)).map(({ lsn, payload }) => [lsn, hex(payload)])
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}

/** The same numbers for the same seed (a linear congruential generator is enough here). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

test('F5: garbage over any part of the last segment never stops a start or invents a record', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat({ max: 200 }), { minLength: 1, maxLength: 6 }),
      fc.array(fc.tuple(share, fc.uint8Array({ minLength: 1, maxLength: 100 })), { maxLength: 3 }),
      async (lengths, garbage) => {
        const disk = new MemoryDisk()
        const { log } = await openLog(disk, { segmentBytes: 1e6 })
        for (const [i, length] of lengths.entries()) {
          log.append(i, [new Uint8Array(length).fill(i + 1)])
          await log.commit()
        }
        await log.close()
        const written = await readAll((await openLog(disk)).log)
        const path = '/data/log/0000000000000001.log'
        const bytes = disk.bytesOf(path)
        for (const [at, patch] of garbage) {
          const start = Math.floor(at * bytes.length)
          bytes.set(patch.subarray(0, bytes.length - start), start)
        }
        disk.plant(path, bytes)
        const { log: again } = await openLog(disk)
        const read = await readAll(again)
        for (const record of read) expect(record).toEqual(written[record.lsn - 1])
        const next = again.append(1, [Uint8Array.of(1)])
        await again.commit()
        expect(await lsnsOf(again)).toEqual([...read.map(({ lsn }) => lsn), next])
      },
    ),
    { numRuns },
  )
})
