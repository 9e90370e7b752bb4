import { backlog } from './backlog.ts'
import { type Context, type Row, SERIES } from './context.ts'
import { latency } from './latency.ts'
import { POINTS_PER_PUSH } from './otlp-load.ts'
import { pair } from './pair.ts'
import { type Plan, Rig, type Setting, type Window } from './rig.ts'
import { costOf, inTurns, lineOf, type Steady, steadyWindow } from './steady.ts'
import type { Measurement } from './table.ts'
import type { TargetName } from './target.ts'
import { threads } from './threads.ts'
import { uptime } from './uptime.ts'

const SMALL = { protocol: 'rw2', series: SERIES, pushSamples: 50, connections: 50 } as const

export const ROWS: Row[] = [
  {
    name: 'rw1',
    run: steady('rw1', { protocol: 'rw1', series: SERIES }),
  },
  {
    name: 'rw2',
    run: steady('rw2', { protocol: 'rw2', series: SERIES }),
  },
  { name: 'pair', run: pair },
  { name: 'small', run: steady('small', SMALL) },
  { name: 'otlp', run: otlp },
  { name: 'page-cache', run: pageCache },
  { name: 'latency', run: latency },
  { name: 'backlog', run: backlog },
  { name: 'series-1m', isLong: true, run: manySeries('series-1m', 1_000_000) },
  { name: 'series-10m', isLong: true, run: manySeries('series-10m', 10_000_000) },
  { name: 'churn', isLong: true, run: churn },
  { name: 'threads', isLong: true, run: threads },
  { name: 'uptime', isOnDemand: true, run: uptime },
]

/** Whether a sample costs more when series come and go: each round is a minute of 5 %. */
async function* churn({ setting, sluice, measured }: Context): AsyncGenerator<Measurement> {
  const plan: Plan = { name: 'sluice', protocol: 'rw2', series: SERIES, churn: 0.05, ...sluice }
  await using rig = await Rig.start(plan, setting)
  const window = await steadyWindow(rig, setting)
  const note = `${rig.rounds} rounds of 5 % new series${beside(window, measured, 'the cost without')}`
  yield { ...lineOf('churn', plan, window), note }
}

/** Measured in turns; peers first, so that Sluice's line shows the ratio to them. */
async function* compare(
  row: string,
  plans: readonly Plan[],
  setting: Setting,
): AsyncGenerator<[line: Measurement, window: Steady]> {
  await using rigs = new AsyncDisposableStack()
  const started: Rig[] = []
  for (const plan of plans) started.push(rigs.use(await Rig.start(plan, setting)))
  for (const [i, window] of (await inTurns(started, setting)).entries()) {
    yield [lineOf(row, plans[i]!, window), window]
  }
}

function steady(row: string, load: Omit<Plan, 'name'>): Row['run'] {
  return async function* ({ setting, peers, sluice, measured, isQuick }) {
    // The agent takes longest, and small pushes tell little more about it.
    const rivals = isQuick && row === 'small' ? peers.slice(0, 1) : peers
    // In a hurry what it took for the row before has to do.
    const isKnown = (name: TargetName) =>
      isQuick && row === 'rw2' && measured.some((line) => line.target === name)
    const plans = rivals
      .filter((name) => name !== 'vmagent' || !isKnown(name))
      // It has no Remote Write 2.0, so its cost of 1.0 is what one would pay.
      .map((name) => ({ ...load, name, ...(name === 'vmagent' && { protocol: 'rw1' as const }) }))
    const own = { ...load, name: 'sluice' as const, ...sluice }
    for await (const [line] of compare(row, [...plans, own], setting)) {
      yield row === 'rw2' ? { ...line, peersIn: ['rw1'] } : line
    }
  }
}

/** A Collector's exports; all attributes of the resource become labels, as vmagent has it. */
async function* otlp({ setting, peers, sluice }: Context): AsyncGenerator<Measurement> {
  const settings = { otlp: { promote_all_resource_attributes: true } }
  const load = { protocol: 'otlp', series: SERIES, settings } as const
  const rivals = peers.filter((name) => name === 'vmagent').map((name) => ({ ...load, name }))
  const plans = [...rivals, { ...load, name: 'sluice' as const, ...sluice }]
  for await (const [line, window] of compare('otlp', plans, setting)) {
    const perPoint = window.cpuMicros / (window.sent.pushes * POINTS_PER_PUSH)
    const note = `${perPoint.toFixed(2)} µs per data point`
    yield { ...line, note, more: { ...line.more, cpuMicrosPerPoint: perPoint } }
  }
}

/** What syncing costs: the peers never sync. */
async function* pageCache({ setting, sluice, measured }: Context): AsyncGenerator<Measurement> {
  const settings = { storage: { acknowledge: 'page_cache' as const } }
  const plan: Plan = { name: 'sluice', protocol: 'rw2', series: SERIES, settings, ...sluice }
  await using rig = await Rig.start(plan, setting)
  const window = await steadyWindow(rig, setting)
  const note = `without sync${beside(window, measured, 'the cost with fsync')}`
  yield { ...lineOf('page-cache', plan, window), peersIn: ['rw2', 'rw1'], note }
}

/** Memory, and whether a sample costs more when there are many series. */
function manySeries(row: string, series: number): Row['run'] {
  return async function* ({ setting, sluice, measured }) {
    const settings = { dedup: { max_series: Math.max(5_000_000, series * 1.2) } }
    const plan: Plan = { name: 'sluice', protocol: 'rw2', series, settings, ...sluice }
    await using rig = await Rig.start(plan, setting)
    const window = await steadyWindow(rig, setting)
    const bytesPerSeries = (window.residentBytes - rig.residentBytesAtStart) / series
    const line = lineOf(row, plan, window)
    const compared = beside(window, measured, 'the cost at 100 k')
    const note = `${bytesPerSeries.toFixed(0)} B per series${compared}`
    yield { ...line, note, more: { ...line.more, bytesPerSeries } }
  }
}

/** The cost in proportion to that of the row `rw2`; nothing when that was not measured. */
function beside(window: Window, measured: readonly Measurement[], of: string): string {
  const line = measured.find(({ row, target }) => row === 'rw2' && target === 'sluice')
  const cost = line?.cpuMicrosPerSample
  return cost === undefined ? '' : `, ${(costOf(window) / cost).toFixed(2)} × ${of}`
}
