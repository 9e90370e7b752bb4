import { expect } from 'vitest'
import type { FaultKind } from '../support/memory-disk.ts'
import { randomFrom } from '../support/random.ts'
import type { SeriesLiteral } from '../support/remote-write.ts'
import { POISON } from './receiver.ts'
import { Simulation } from './simulation.ts'

/** What may happen in one run; the seed decides. */
export type Plan = {
  crashes: boolean
  stops: boolean
  diskFails: boolean
  diskFills: boolean
  receiverFails: boolean
  isPoisoned: boolean
  dropsOldest: boolean
  speaks2: boolean
  /** The log is so small that segments come and go. */
  isSmall: boolean
  /** Each sender is a cluster of its own, but for a replica. */
  hasClusters: boolean
  lastsMs: number
}

export function planOf(seed: number): Plan {
  const random = randomFrom(seed * 7919 + 1)
  const chance = (share: number) => random() < share
  // Every eighth run has no faults at all.
  const has = (share: number) => seed % 8 !== 0 && chance(share)
  return {
    crashes: has(0.75),
    stops: has(0.3),
    diskFails: has(0.5),
    diskFills: has(0.3),
    receiverFails: has(0.6),
    isPoisoned: chance(0.3),
    dropsOldest: has(0.15),
    speaks2: chance(0.7),
    isSmall: chance(0.5),
    // Long enough for the hold window and the saved table, or short.
    lastsMs: chance(0.1) ? 720_000 : 15_000,
    hasClusters: chance(0.5),
  }
}

/**
 * One life of a gateway and of those that take over its disk: senders push, faults come and go,
 * and in the end everything that was acknowledged must be somewhere.
 */
export async function runSeed(seed: number, plan: Plan = planOf(seed)): Promise<void> {
  const onFull = plan.dropsOldest ? ', on_full: drop_oldest' : ''
  const simulation = new Simulation({
    seed,
    speaks2: plan.speaks2,
    yaml: `quota: ${plan.isSmall ? '24KiB' : '16MiB'}${onFull}`,
    slowShare: seed % 3 === 0 ? 0 : 0.3,
  })
  try {
    await run(simulation, seed, plan)
  } catch (cause) {
    const { message } = cause as Error
    const told = `SIM_SEED=${seed} ${JSON.stringify(plan)}: ${message}`
    const { story } = simulation
    throw new SeedFailure(told, { cause, story })
  }
}

/** A run whose law was broken; `story` is what happened in it, if somebody asks. */
export class SeedFailure extends Error {
  readonly story: readonly string[]

  constructor(message: string, { cause, story }: { cause: unknown; story: readonly string[] }) {
    super(message, { cause })
    this.story = story
  }
}

async function run(simulation: Simulation, seed: number, plan: Plan): Promise<void> {
  const { clock } = simulation
  const state: State = { isOver: false, simulation, plan, rows: [] }
  simulation.start()
  const senders = [first(state), replica(state), lonely(state)]
  const all = Promise.all([...senders, faults(state)])
  await clock.pass(plan.lastsMs)
  state.isOver = true
  simulation.disk.heal()
  simulation.disk.freeBytes = Number.POSITIVE_INFINITY
  simulation.receiver.mode = 'well'
  await clock.until(all)
  await simulation.expectAll(await simulation.drain())
  if (seed % 8 === 0) expect(simulation.receiver.repeats, 'sent again without a fault').toBe(0)

  // And nobody who comes later finds anything else.
  await clock.until(simulation.stop())
  simulation.start()
  await simulation.expectAll(await simulation.drain())
}

type State = {
  isOver: boolean
  simulation: Simulation
  plan: Plan
  /** What the first sender has pushed, for its replica. */
  rows: Row[]
}

type Row = { timestamp: number; value: number }

function seriesOf(name: string, count: number, rows: readonly Row[]): SeriesLiteral[] {
  return Array.from({ length: count }, (_, i) => ({
    labels: { __name__: name, of: String(i) },
    samples: rows.slice(),
  }))
}

/** Until it is acknowledged, as Prometheus does; now and then the sender itself gives up. */
async function push(
  { simulation, isOver, plan }: State,
  series: SeriesLiteral[],
  cluster: string,
): Promise<void> {
  const { clock, random } = simulation
  for (;;) {
    const answer = await simulation.push(series, plan.hasClusters ? cluster : 'default')
    if (answer !== null || (random() < 0.1 && !isOver)) return
    await clock.world.sleep(30 + random() * 500)
  }
}

async function first(state: State): Promise<void> {
  const { clock, random } = state.simulation
  for (let value = 0; !state.isOver; value++) {
    const row = { timestamp: clock.world.nowMs(), value }
    state.rows.push(row)
    await push(state, seriesOf('shared', 1 + Math.floor(random() * 3), [row]), 'shared')
    await clock.world.sleep(100 + random() * state.plan.lastsMs * 0.04)
  }
}

/** Pushes what the first one has pushed, cut in another way and a little later. */
async function replica(state: State): Promise<void> {
  const { clock, random } = state.simulation
  for (let done = 0; !state.isOver; ) {
    await clock.world.sleep(200 + random() * state.plan.lastsMs * 0.06)
    const rows = state.rows.slice(done, done + 1 + Math.floor(random() * 3))
    done += rows.length
    if (rows.length > 0) await push(state, seriesOf('shared', 2, rows), 'shared')
  }
}

/** Has series of its own, and one among them that the receiver may never take. */
async function lonely(state: State): Promise<void> {
  const { clock, random } = state.simulation
  for (let value = 0; !state.isOver; value++) {
    const row = { timestamp: clock.world.nowMs(), value }
    const series = seriesOf('lonely', 1 + Math.floor(random() * 4), [row])
    const labels = { __name__: 'bad', [POISON]: 'yes' }
    if (state.plan.isPoisoned && random() < 0.2) series.push({ labels, samples: [row] })
    await push(state, series, 'lonely')
    await clock.world.sleep(50 + random() * state.plan.lastsMs * 0.03)
  }
}

async function faults(state: State): Promise<void> {
  const { simulation, plan } = state
  const { clock, random } = simulation
  const kinds: (() => Promise<void>)[] = []
  if (plan.crashes) kinds.push(() => endLife(simulation))
  if (plan.stops) kinds.push(() => restart(simulation))
  if (plan.diskFails) kinds.push(async () => failDisk(simulation))
  if (plan.diskFills) kinds.push(async () => fillDisk(simulation))
  if (plan.receiverFails) kinds.push(async () => moodReceiver(simulation))
  while (!state.isOver && kinds.length > 0) {
    await clock.world.sleep(random() * plan.lastsMs * 0.15)
    if (!state.isOver) await kinds[Math.floor(random() * kinds.length)]!()
  }
}

async function endLife(simulation: Simulation): Promise<void> {
  const { clock, random } = simulation
  simulation.end(random() < 0.7 ? 'crash' : 'kill')
  await clock.world.sleep(random() * 500)
  simulation.start()
}

async function restart(simulation: Simulation): Promise<void> {
  await simulation.stop()
  simulation.start()
}

const FAULTS: FaultKind[] = [
  ...(['open', 'read', 'write', 'datasync', 'datasync', 'syncDirectory'] as const),
  ...(['rename', 'remove', 'truncate', 'list'] as const),
]
const PLACES = ['', '.log', 'cursors', 'quarantine', 'losses', 'series-table', 'log/store']

function failDisk({ disk, random }: Simulation): void {
  const kind = FAULTS[Math.floor(random() * FAULTS.length)]!
  const within = PLACES[Math.floor(random() * PLACES.length)]!
  disk.fail(kind, 'EIO', { times: 1 + Math.floor(random() * 3), within })
}

function fillDisk({ disk, random }: Simulation): void {
  disk.freeBytes = random() < 0.5 ? Math.floor(random() * 3_000) : Number.POSITIVE_INFINITY
}

function moodReceiver({ receiver, random }: Simulation): void {
  receiver.mode = (['well', 'moody', 'moody', 'down'] as const)[Math.floor(random() * 4)]!
}
