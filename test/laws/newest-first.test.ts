import fc from 'fast-check'
import { expect, test } from 'vitest'
import { HELD_MS } from '../../src/forward/turns.ts'
import { samplesOf } from '../../src/model/counts.ts'
import { DeliveryRig, settle } from '../support/delivery-rig.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 200)

const WINDOW_MS = 30 * 60_000
const BACKLOG_BLOCKS = 1_000
/** A block of 2,000 samples, which goes alone. */
const BLOCK = { blockBytes: 30_000, blockSamples: 2_000 }

const append = (rig: DeliveryRig, cluster = 'one') =>
  rig.append(cluster, [{ series: 0, timestampMs: rig.nowMs, value: rig.blocks.length + 1 }])

/** A receiver that was away while a backlog of an hour's samples came, the last one just now. */
async function rigWithBacklog(newestFirstWithinMs: number, hours: number): Promise<DeliveryRig> {
  const rig = new DeliveryRig({ ...BLOCK, newestFirstWithinMs })
  rig.inFlightMax = 1
  rig.start()
  await settle()
  for (let i = 0; i < BACKLOG_BLOCKS; i++) {
    rig.nowMs += (hours * 3_600_000) / BACKLOG_BLOCKS
    append(rig)
    if (i % 10 === 0) await settle()
  }
  await settle()
  return rig
}

/** Numbers of the next blocks that arrive, while for each of them a new one comes. */
async function arriving(rig: DeliveryRig, count: number, newEach = 1): Promise<number[]> {
  const numbers: number[] = []
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < newEach; j++) append(rig)
    const request = rig.inFlight.shift()!
    numbers.push(...request.numbers)
    request.answer()
    await settle()
  }
  return numbers
}

const isAscending = (numbers: number[]) => numbers.every((n, i) => i === 0 || n > numbers[i - 1]!)

test('in order, which is the default, what is new waits for the backlog', async () => {
  const rig = await rigWithBacklog(0, 0.2)
  expect(await arriving(rig, 600)).toEqual(Array.from({ length: 600 }, (_, i) => i + 1))
  await rig.stop()
})

test('newest first, each other block is new, and old and new are in order in themselves', async () => {
  const rig = await rigWithBacklog(WINDOW_MS, 0.2)
  // What waits in memory is sent before what has just come.
  await arriving(rig, 500, 0)
  const numbers = await arriving(rig, 400)
  const fresh = numbers.filter((number) => number > BACKLOG_BLOCKS)
  const old = numbers.filter((number) => number <= BACKLOG_BLOCKS)
  expect(Math.abs(fresh.length - old.length)).toBeLessThan(numbers.length / 4)
  expect(isAscending(fresh)).toBe(true)
  expect(isAscending(old)).toBe(true)

  await rig.drain()
  expect(rig.acknowledged.size).toBe(rig.blocks.length)
  expect(rig.samplesDone).toBe(rig.blocks.length * BLOCK.blockSamples)
  await rig.stop()
})

test('newest first, nothing new goes before samples that would fall out of the window', async () => {
  const rig = await rigWithBacklog(WINDOW_MS, 2)
  const numbers = await arriving(rig, 1_200)
  const isOld = (number: number) =>
    rig.blocks[number - 1]!.minTimestampMs < rig.nowMs - WINDOW_MS / 2
  const lastOld = numbers.findLastIndex(isOld)
  expect(numbers.slice(0, lastOld + 1).every(isOld)).toBe(true)
  expect(numbers.slice(lastOld + 1).some((number) => number > BACKLOG_BLOCKS)).toBe(true)
  await rig.stop()
})

test('newest first, what lies in the log at the start is no newer than the rest of it', async () => {
  const rig = new DeliveryRig({ ...BLOCK, newestFirstWithinMs: WINDOW_MS })
  rig.inFlightMax = 1
  for (let i = 0; i < BACKLOG_BLOCKS; i++) append(rig)
  rig.start()
  await settle()
  const numbers = await arriving(rig, 20)
  const fresh = numbers.filter((number) => number > 20)
  expect(fresh.length).toBeGreaterThan(8)
  expect(fresh.every((number) => number > BACKLOG_BLOCKS)).toBe(true)
  await rig.stop()
})

type Step =
  | { kind: 'push'; cluster: string; times: number }
  | { kind: 'answer'; pick: number }
  | { kind: 'damage'; pick: number }
  | { kind: 'save' | 'restart' | 'resume' | 'pass' }

const kinds = <K extends string>(...each: K[]) => fc.record({ kind: fc.constantFrom(...each) })
const picked = <K extends string>(kind: K) =>
  fc.record({ kind: fc.constant(kind), pick: fc.nat(100) })

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('push' as const),
      cluster: fc.constantFrom('one', 'two'),
      times: fc.constantFrom(1, 1, 3, 16),
    }),
  },
  { weight: 16, arbitrary: picked('answer') },
  { weight: 1, arbitrary: picked('damage') },
  { weight: 6, arbitrary: kinds('save', 'restart', 'resume', 'pass', 'pass', 'pass') },
)

const limits = fc.record({
  blocksMax: fc.constantFrom(1, 3, 8, 13),
  aheadOfCursorBytesMax: fc.constant(1_000),
})

test('newest first, nobody waits, memory is bounded, and every sample is counted once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80 }), limits, async (steps, drawn) => {
      const rig = new DeliveryRig({ limits: drawn, newestFirstWithinMs: WINDOW_MS })
      rig.start()
      for (const each of steps) {
        if (each.kind === 'push') for (let i = 0; i < each.times; i++) append(rig, each.cluster)
        else if (each.kind === 'answer' && rig.inFlight.length > 0) {
          rig.inFlight.splice(each.pick % rig.inFlight.length, 1)[0]!.answer()
        } else if (each.kind === 'damage' && rig.blocks.length > 0) {
          rig.damaged.add(1 + (each.pick % rig.blocks.length))
        } else if (each.kind === 'save') rig.saveCursor()
        else if (each.kind === 'restart') await rig.restart()
        else if (each.kind === 'resume') {
          await rig.stop()
          rig.resume()
        } else if (each.kind === 'pass') await expectNobodyWaits(rig)
        await settle()
        // A block for each line that has nothing else: two of each cluster.
        expect(rig.inMemory).toBeLessThanOrEqual(drawn.blocksMax + 4)
      }
      for (const cluster of ['one', 'two']) append(rig, cluster)
      await rig.drain()
      const last = rig.blocks.at(-1)!
      expect(rig.samplesDone).toBe(last.samplesBefore + samplesOf(last.counts))
      const isThere = (number: number) => rig.acknowledged.has(number) || rig.damaged.has(number)
      expect(rig.blocks.filter(({ number }) => !isThere(number))).toEqual([])
      await rig.stop()
    }),
    { numRuns },
  )
})

async function expectNobodyWaits(rig: DeliveryRig): Promise<void> {
  for (let i = 0; i < 3; i++) await rig.pass(HELD_MS)
  const served = new Set(rig.inFlight.map(({ block }) => block.cluster))
  expect(rig.waiting().difference(served)).toEqual(new Set())
}
