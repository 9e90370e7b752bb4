import { type Context, SERIES } from './context.ts'
import { type Plan, Rig, type Window } from './rig.ts'
import { costOf, lineOf, steadyWindow } from './steady.ts'
import type { Measurement } from './table.ts'

const ROUNDS_PER_SECOND = 2
const CHURN_PER_MINUTE = 0.05
const PACED_SECONDS = 60

/**
 * Whether a sample costs more, or memory grows, after half an hour in which 5 % of the series
 * per minute give way to new ones: full load before and after it, an even load in between.
 */
export async function* uptime({ setting, sluice, minutes }: Context): AsyncGenerator<Measurement> {
  const churn = CHURN_PER_MINUTE / 60 / ROUNDS_PER_SECOND
  const load = { protocol: 'rw2' as const, series: SERIES, churn }
  const plan: Plan = { name: 'sluice', ...load, ...sluice }
  await using rig = await Rig.start(plan, setting)
  const before = await steadyWindow(rig, setting)
  yield lineOf('uptime-0', plan, before)
  const paced: Window[] = []
  while (paced.length < minutes) paced.push(await pacedWindow(rig))
  const after = await steadyWindow(rig, setting)
  const line = lineOf(`uptime-${minutes}`, plan, after)
  const megabytes = paced.map(({ residentBytes }) => residentBytes / 1e6)
  const memory = `${Math.min(...megabytes).toFixed(0)} to ${Math.max(...megabytes).toFixed(0)} MB`
  const grown = (costOf(after) / costOf(before)).toFixed(2)
  const rate = (ROUNDS_PER_SECOND * SERIES) / 1e3
  const note = `after ${minutes} min at ${rate} k/s: ${grown} × the cost before, ${memory}`
  yield { ...line, note, more: { ...line.more, minuteCosts: paced.map(costOf), megabytes } }
}

/** A minute in real time, which is its time in the samples too. */
async function pacedWindow(rig: Rig): Promise<Window> {
  const rounds = rig.nextRounds(PACED_SECONDS * ROUNDS_PER_SECOND)
  await rig.sender.ask('begin', rounds)
  const pushesPerSecond = (ROUNDS_PER_SECOND * rig.samplesPerRound) / rig.samplesPerPush
  return rig.measure(rounds, rig.copies, pushesPerSecond)
}
