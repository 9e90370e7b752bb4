import { type Context, SERIES } from './context.ts'
import { type Plan, Rig, type Window } from './rig.ts'
import { costOf, lineOf, middle, steadyWindow } from './steady.ts'
import type { Measurement } from './table.ts'

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

  const kept: Window[] = []
  const dropped: Window[] = []
  for (let i = 0; i < 3; i++) {
    const rounds = rig.roundsFor(setting.windowSeconds / 4, both.samplesPerSecond)
    await rig.prepare({ ...rounds, senders: [0] })
    kept.push(await rig.measure(rounds))
    await rig.prepare({ ...rounds, senders: [1] })
    dropped.push(await rig.measure(rounds, 0))
  }
  const [first, second] = [middle(kept), middle(dropped)]
  yield lineOf('kept', plan, first)
  const share = costOf(second) / costOf(first)
  const line = lineOf('dropped', plan, second)
  const note = `${share.toFixed(2)} × the cost of a kept sample`
  yield { ...line, note, more: { ...line.more, shareOfKept: share } }
}
