import fc from 'fast-check'
import { expect, test } from 'vitest'
import { HELD_MS } from '../../src/forward/turns.ts'
import { samplesOf } from '../../src/model/counts.ts'
import { DeliveryRig, settle } from '../support/delivery-rig.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 200)

/** Series of one cluster, and no other cluster has them. */
const SERIES_EACH = 3
const CLUSTERS = ['one', 'two', 'three']
const WITHOUT_END = 1_000

type Step =
  | { kind: 'push'; cluster: number; series: number[]; times: number }
  | { kind: 'answer'; pick: number }
  | { kind: 'stall'; cluster: number }
  | { kind: 'pace'; inFlightMax: number }
  | { kind: 'damage' | 'drop'; pick: number }
  | { kind: 'save' | 'restart' | 'resume' | 'pass' }

const kinds = <K extends string>(...each: K[]) => fc.record({ kind: fc.constantFrom(...each) })

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 24,
    arbitrary: fc.record({
      kind: fc.constant('push' as const),
      // The first one pushes most.
      cluster: fc.constantFrom(0, 0, 0, 0, 1, 2),
      series: fc.uniqueArray(fc.nat(SERIES_EACH - 1), { minLength: 1 }),
      times: fc.constantFrom(1, 1, 1, 4, 16),
    }),
  },
  { weight: 20, arbitrary: fc.record({ kind: fc.constant('answer' as const), pick: fc.nat(20) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('stall' as const), cluster: fc.nat(2) }),
  },
  { weight: 6, arbitrary: kinds('save') },
  { weight: 3, arbitrary: kinds('pass') },
  { weight: 3, arbitrary: kinds('restart', 'resume') },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('pace' as const),
      inFlightMax: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('damage' as const, 'drop' as const),
      pick: fc.nat(100),
    }),
  },
)

const limits = fc.record({
  blocksMax: fc.constantFrom(1, 2, 3, 5, 8, 13),
  aheadOfCursorBytesMax: fc.constantFrom(3, WITHOUT_END),
})

test('in any order of answers, losses and restarts, no sample overtakes an earlier one of its series', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80 }), limits, async (steps, drawn) => {
      const rig = new DeliveryRig({ limits: drawn })
      rig.start()
      for (const each of steps) {
        await take(each, rig)
        await settle()
        expectNoSeriesTwiceInFlight(rig)
        expectBounded(rig, drawn)
        if (drawn.aheadOfCursorBytesMax === WITHOUT_END) await expectNobodyWaits(rig)
      }
      // Only what is behind it shows that something is missing.
      for (const cluster of CLUSTERS.keys()) push(rig, cluster, [0])
      await rig.drain()
      expectInOrder(rig)
      expectBalance(rig)
      await rig.stop()
    }),
    { numRuns },
  )
})

async function take(each: Step, rig: DeliveryRig): Promise<void> {
  const { inFlight, blocks } = rig
  if (each.kind === 'push') {
    for (let i = 0; i < each.times; i++) push(rig, each.cluster, each.series)
  } else if (each.kind === 'answer' && inFlight.length > 0) {
    inFlight.splice(each.pick % inFlight.length, 1)[0]!.answer()
  } else if (each.kind === 'stall') await answerOthers(rig, CLUSTERS[each.cluster]!)
  else if (each.kind === 'pace') rig.inFlightMax = each.inFlightMax
  else if (each.kind === 'save') rig.saveCursor()
  else if (each.kind === 'restart') await rig.restart()
  else if (each.kind === 'resume') {
    await rig.stop()
    rig.resume()
  } else if (each.kind === 'damage' && blocks.length > 0) {
    rig.damaged.add(1 + (each.pick % blocks.length))
  } else if (each.kind === 'drop' && blocks.length > 0) {
    await drop(rig, 1 + (each.pick % blocks.length))
  }
}

/** Everything is answered but what one cluster has sent. */
async function answerOthers({ inFlight }: DeliveryRig, stalled: string): Promise<void> {
  for (let round = 0; round < 20; round++) {
    const others = inFlight.filter(({ block }) => block.cluster !== stalled)
    for (const request of others) inFlight.splice(inFlight.indexOf(request), 1)[0]!.answer()
    await settle()
  }
}

function push(rig: DeliveryRig, cluster: number, series: readonly number[]): void {
  const tick = rig.blocks.length + 1
  const rows = series.map((one) => ({
    series: cluster * SERIES_EACH + one,
    timestampMs: tick * 1000,
    value: tick,
  }))
  rig.push(CLUSTERS[cluster]!, rows)
}

/** What is given up is what was not acknowledged, to the sample, where the log can be read. */
async function drop(rig: DeliveryRig, number: number): Promise<void> {
  if (rig.ahead.acknowledged >= number || rig.damaged.size > 0) return
  const { acknowledged, dropped } = rig
  const given = rig.blocks.filter(
    (one) => one.number < number && !acknowledged.has(one.number) && !dropped.has(one.number),
  )
  const samples = given.reduce((sum, { counts }) => sum + samplesOf(counts), 0)
  for (const one of given) rig.dropped.add(one.number)
  expect(await rig.dropBefore(number)).toBe(samples)
}

function expectNoSeriesTwiceInFlight({ inFlight, rows }: DeliveryRig): void {
  const series = inFlight.flatMap(({ numbers }) =>
    numbers.flatMap((number) => rows[number - 1]!.map((row) => row.series)),
  )
  expect(new Set(series).size).toBe(series.length)
}

/** In blocks, of which each is a byte. */
function expectBounded(
  { inMemory, ahead }: DeliveryRig,
  { blocksMax, aheadOfCursorBytesMax }: { blocksMax: number; aheadOfCursorBytesMax: number },
): void {
  const most = blocksMax + CLUSTERS.length
  expect(inMemory).toBeLessThanOrEqual(most)
  expect(ahead.aheadOfCursorBytes).toBeLessThanOrEqual(aheadOfCursorBytesMax + most)
}

/** Whoever lacks something that lies in the log has a request under way in a moment. */
async function expectNobodyWaits(rig: DeliveryRig): Promise<void> {
  for (const _ of CLUSTERS) await rig.pass(HELD_MS)
  const served = new Set(rig.inFlight.map(({ block }) => block.cluster))
  expect(rig.waiting().difference(served)).toEqual(new Set())
}

/** Every sample arrived, and when it first did, all earlier ones of its series had arrived. */
function expectInOrder({ rows, received, damaged, dropped }: DeliveryRig): void {
  const isLost = (number: number) => damaged.has(number) || dropped.has(number)
  for (let series = 0; series < CLUSTERS.length * SERIES_EACH; series++) {
    const accepted = rows.flatMap((block, i) =>
      block.filter((row) => row.series === series && (!isLost(i + 1) || received.includes(row))),
    )
    const arrived = received.filter((row) => row.series === series)
    const first = arrived.filter((row, i) => arrived.indexOf(row) === i)
    expect(first).toEqual(accepted)
  }
}

/** Every sample in the log was delivered, was given up or is told of as damaged, and once. */
function expectBalance({ samplesDone, blocks }: DeliveryRig): void {
  const last = blocks.at(-1)!
  expect(samplesDone).toBe(last.samplesBefore + samplesOf(last.counts))
}
