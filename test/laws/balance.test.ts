import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Account } from '../../src/destinations/account.ts'
import { LookAhead } from '../../src/forward/look-ahead.ts'
import type { Block } from '../../src/model/block.ts'
import { Tally, UNKNOWN_CLUSTER } from '../../src/model/tally.ts'
import type { DestinationBalance } from '../../src/status/balance.ts'
import { POISON } from '../simulation/receiver.ts'
import { Simulation } from '../simulation/simulation.ts'
import { DeliveryRig } from '../support/delivery-rig.ts'

const CLUSTERS = ['eu', 'us', 'ap'] as const
const CENTRAL = 'name: central, url: http://central'

const cluster = fc.constantFrom(...CLUSTERS)
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ cluster, samples: fc.integer({ min: 1, max: 5 }), isBad: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.constantFrom('well' as const, 'down' as const) },
  { weight: 1, arbitrary: fc.constantFrom('kill' as const, 'crash' as const, 'stop' as const) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      ...(['rewind', 'replay', 'drop', 'tick'] as const),
      ...(['another way', 'away', 'back'] as const),
    ),
  },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** One gateway for clusters that push in turn, and what a person may do to it. */
class Walk {
  readonly simulation = new Simulation({ seed: 1 })
  /** Samples by cluster since the last start. */
  pushed = new Tally()
  #tick = 0

  async start(): Promise<void> {
    this.pushed = new Tally()
    this.simulation.start()
    await this.simulation.started()
  }

  async take(one: Step): Promise<void> {
    const { simulation } = this
    const { clock, receiver } = simulation
    const process = simulation.process!
    if (typeof one === 'object') await this.#push(one)
    else if (this.central === undefined && ['rewind', 'replay', 'drop'].includes(one)) return
    else if (one === 'well' || one === 'down') receiver.mode = one
    else if (one === 'tick') await clock.pass(3_000)
    else if (one === 'rewind') await clock.until(process.rewind(3_60_000))
    else if (one === 'another way') await this.#reload(`[{ ${CENTRAL}, remote_timeout: 20s }]`)
    else if (one === 'away') await this.#reload('[{ name: other, url: http://other }]')
    else if (one === 'back') await this.#reload(`[{ ${CENTRAL} }]`)
    else if (one === 'replay' || one === 'drop') await this.#quarantine(one)
    else {
      if (one === 'stop') await clock.until(simulation.stop())
      else simulation.end(one)
      await this.start()
    }
    await clock.pass(50)
  }

  async #push({ cluster, samples, isBad }: Step & object): Promise<void> {
    const { clock } = this.simulation
    const timestamp = clock.world.nowMs()
    const series = Array.from({ length: samples }, (_, i) => ({
      labels: {
        ...{ __name__: 'up', cluster, i: `${i}` },
        ...(isBad && i === 0 ? { [POISON]: 'yes' } : {}),
      },
      samples: [{ value: this.#tick++, timestamp }],
    }))
    const pushed = this.simulation.push(series, cluster)
    await clock.pass(50)
    expect(await pushed).toBe(true)
    this.pushed.add(cluster, samples)
  }

  async #reload(remoteWrite: string): Promise<void> {
    await this.simulation.clock.until(this.simulation.process!.reload(remoteWrite))
  }

  async #quarantine(what: 'replay' | 'drop'): Promise<void> {
    const { clock, receiver, process } = this.simulation
    // Whoever asks for it while nobody answers is told so after a time that no clock here knows.
    receiver.mode = 'well'
    receiver.refuses = what === 'drop'
    await clock.until(what === 'replay' ? process!.replayAll() : process!.dropAll())
    receiver.refuses = true
  }

  /** Nothing is missing of any cluster, and what all have together is what each has. */
  expectBalanced(): void {
    const balance = this.simulation.process!.balance()
    for (const destination of balance.destinations) {
      const { clusters, name: _, ...sums } = destination
      expect(clusters.filter(({ difference }) => difference !== 0)).toEqual([])
      expect(clusters.filter(({ waiting }) => waiting < 0)).toEqual([])
      // Nothing here takes anything from the log.
      expect(sums).toMatchObject({ damaged: 0, evicted: 0 })
      for (const [part, sum] of Object.entries(sums)) {
        const ofAll = clusters.map((one) => one[part as keyof typeof sums])
        expect([part, ofAll.reduce((a, b) => a + b, 0)]).toEqual([part, sum])
      }
    }
    for (const name of CLUSTERS) {
      const received = balance.clusters.find((one) => one.name === name)?.received ?? 0
      expect([name, received]).toEqual([name, this.pushed.of(name)])
    }
  }

  get central(): DestinationBalance | undefined {
    return this.simulation.process?.balance().destinations.find(({ name }) => name === 'central')
  }
}

test(
  'whatever is done to a gateway, of each cluster nothing is missing at any destination',
  () =>
    fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const walk = new Walk()
        await walk.start()
        for (const one of steps) {
          await walk.take(one)
          walk.expectBalanced()
        }
        await walk.take('back')
        await walk.simulation.drain()
        walk.expectBalanced()
        expect(walk.central!.clusters.filter(({ waiting }) => waiting !== 0)).toEqual([])
        // A new gateway finds what this one has left, of each cluster.
        walk.simulation.receiver.mode = 'down'
        await walk.take({ cluster: 'us', samples: 3, isBad: false })
        const before = walk.central!.clusters.filter(({ waiting }) => waiting !== 0)
        await walk.take('kill')
        const after = walk.central!.clusters.filter(({ waiting }) => waiting !== 0)
        const waitingIn = (all: typeof before) => all.map(({ name, waiting }) => [name, waiting])
        expect(waitingIn(after)).toEqual(waitingIn(before))
      }),
      { numRuns: 100 },
    ),
  60_000,
)

test('what makes room for newer samples is counted for the cluster whose it was', async () => {
  const simulation = new Simulation({ seed: 1, yaml: 'quota: 24KiB, on_full: drop_oldest' })
  const { clock, receiver } = simulation
  receiver.mode = 'down'
  simulation.start()
  await simulation.started()
  const pushed = new Tally()
  for (let tick = 0; tick < 400; tick++) {
    const cluster = CLUSTERS[((tick * tick) % 7) % CLUSTERS.length]!
    const samples = [{ value: tick, timestamp: clock.world.nowMs() }]
    const labels = { __name__: 'up', cluster, padding: 'x'.repeat(tick % 50) }
    const taken = simulation.push([{ labels, samples }], cluster)
    await clock.pass(500)
    if ((await taken) === true) pushed.add(cluster, 1)
  }
  const flows = () => simulation.process!.balance().destinations[0]!.clusters
  const waiting = new Tally(flows().map((one) => [one.name, one.waiting]))
  const evicted = new Tally(flows().map((one) => [one.name, one.evicted]))
  expect(evicted.sum).toBeGreaterThan(100)
  expect(plain(pushed.minus(evicted))).toEqual(plain(waiting))

  await simulation.drain()
  for (const { name, forwarded } of flows().filter((one) => one.name !== 'default')) {
    const arrived = [...receiver.ids].filter((id) => id.includes(`["cluster","${name}"]`)).length
    expect([name, forwarded, arrived]).toEqual([name, waiting.of(name), waiting.of(name)])
  }
})

test('what nobody has read yet makes room for the cluster whose it was, all the same', async () => {
  const rig = new DeliveryRig()
  rig.start()
  await rig.stop()
  const rows = [{ series: 1, timestampMs: 1, value: 1 }]
  for (const cluster of ['eu', 'us', 'us', 'ap', 'us']) rig.append(cluster, rows)
  rig.damaged.add(4)
  const missing = await rig.delivery.missingBefore(rig.blocks[4]!)
  expect(plain(missing.samples)).toEqual({ eu: 1, us: 2, [UNKNOWN_CLUSTER]: 1 })
})

const blocks = fc.array(
  fc.record({
    cluster,
    samples: fc.integer({ min: 1, max: 9 }),
    what: fc.constantFrom('there', 'there', 'lost', 'last of a totals record'),
  }),
  { minLength: 1, maxLength: 40 },
)

test('whose the samples in a hole of the log were is known at the next totals record', () =>
  fc.assert(
    fc.property(blocks, (all) => {
      const none = () => new Tally()
      const totals = { samples: new Tally(CLUSTERS.map((name) => [name, 1])), bytes: 0 }
      const account = new Account({
        ...{ totals, done: new Tally(totals.samples), dropped: none() },
        quarantine: { held: none(), discarded: none() },
        destination: { forwarded: none(), maybeStored: none(), unsupported: none() },
      })
      const ahead = new LookAhead({
        from: { number: 1, samplesBefore: totals.samples.sum },
        clock: { nowMs: () => 0, monotonicMs: () => 0 },
        onDamage: ({ samples, cluster }) => account.lose(samples, cluster),
      })
      const lost = none()
      const told = none()
      for (const [i, { cluster, samples, what }] of all.entries()) {
        const block = blockOf(i + 1, cluster, samples, totals.samples.sum)
        totals.samples.add(cluster, samples)
        if (what === 'lost') lost.add(cluster, samples)
        else ahead.read(block)
        if (what !== 'last of a totals record') continue
        account.findOwners(totals.samples, ahead.samples)
        for (const [name, count] of lost.minus(told)) told.add(name, count)
        expect(plain(account.damaged)).toEqual(plain(told))
      }
    }),
  ))

const plain = (tally: Tally) =>
  Object.fromEntries([...tally].filter(([, samples]) => samples !== 0).sort())

function blockOf(number: number, cluster: string, samples: number, samplesBefore: number): Block {
  return {
    ...{ number, fence: 0, cluster, counts: { samples, histograms: 0, exemplars: 0 } },
    ...{ minTimestampMs: 0, maxTimestampMs: 0, receivedMs: 0, rawBytes: 0 },
    ...{ samplesBefore, bytesBefore: 0, message: new Uint8Array(0) },
  }
}
