import { type Context, SERIES } from './context.ts'
import { type Plan, Rig, type Window } from './rig.ts'
import { costOf, lineOf, middle, steadyWindow } from './steady.ts'
import type { Measurement } from './table.ts'

const ROUNDS = 60
const QUICK_ROUNDS = 10

/**
 * Two Prometheus servers that push the same samples. `pair` is the cost of a sample that both
 * have pushed; peers forward it twice. `kept` and `dropped` are the costs of its two copies.
 */
export async function* pair({
  setting,
  peers,
  sluice,
  isQuick,
}: Context): AsyncGenerator<Measurement> {
  const load = { series: SERIES, senders: 2 as const }
  if (peers.includes('vmagent') && !isQuick) {
    const plan: Plan = { ...load, name: 'vmagent', protocol: 'rw1' }
    await using rig = await Rig.start(plan, setting)
    const line = lineOf('pair', plan, await steadyWindow(rig, setting))
    yield { ...line, note: 'every sample arrives twice' }
  }
  const plan: Plan = { ...load, name: 'sluice', protocol: 'rw2', ...sluice }
  await using rig = await Rig.start(plan, setting)
  const both = await steadyWindow(rig, setting)
  yield { ...lineOf('pair', plan, both), note: 'half of the samples are duplicates' }

  // Round by round: of a series only the newest sample is known, so an older one is no duplicate.
  const kept: Window[] = []
  const dropped: Window[] = []
  for (let i = 0; i < (isQuick ? QUICK_ROUNDS : ROUNDS); i++) {
    const round = rig.nextRounds(1)
    await rig.prepare({ ...round, senders: [0] })
    kept.push(await rig.measure(round))
    await rig.prepare({ ...round, senders: [1] })
    dropped.push(await rig.measure(round, 0))
  }
  const [first, second] = [together(kept), together(dropped)]
  yield lineOf('kept', plan, first)
  const share = costOf(second) / costOf(first)
  const line = lineOf('dropped', plan, second)
  const note = `${share.toFixed(2)} × the cost of a kept sample`
  yield { ...line, note, more: { ...line.more, shareOfKept: share } }
}

/** Many short windows as one, with the medians of what cannot be added up. */
function together(windows: Window[]): Window {
  const sum = (of: (window: Window) => number) => windows.reduce((all, one) => all + of(one), 0)
  return {
    ...middle(windows),
    samples: sum(({ samples }) => samples),
    arrivedSamples: sum(({ arrivedSamples }) => arrivedSamples),
    cpuMicros: sum(({ cpuMicros }) => cpuMicros),
    bytesOut: sum(({ bytesOut }) => bytesOut),
  }
}
