import { type Context, SERIES } from './context.ts'
import { LOAD_CORES, TARGET_CORE } from './cpu.ts'
import { type Plan, Rig } from './rig.ts'
import { lineOf, steadyWindow } from './steady.ts'
import type { Measurement } from './table.ts'
import { isAccepted } from './target.ts'

/**
 * One and two intake threads, on all cores. The load needs a core too, so what counts is how
 * much the busiest thread could do alone: samples per second of its CPU time.
 */
export async function* threads({ setting, sluice }: Context): AsyncGenerator<Measurement> {
  let one = 0
  for (const count of [1, 2]) {
    const row = `threads-${count}`
    const settings = { limits: { intake_threads: count } }
    const cores = `${TARGET_CORE},${LOAD_CORES}`
    const load = { protocol: 'rw2' as const, series: SERIES }
    const plan: Plan = { name: 'sluice', ...load, settings, cores, ...sluice }
    if (!(await isAccepted(settings, setting.workspace, sluice.source))) {
      yield { row, target: 'sluice', ...load, note: 'not available' }
      continue
    }
    await using rig = await Rig.start(plan, setting)
    const window = await steadyWindow(rig, setting)
    const capacity = (window.samples / window.busiestThreadMicros) * 1e6
    if (count === 1) one = capacity
    const growth = count === 1 || one === 0 ? '' : `, ${(capacity / one).toFixed(2)} × one`
    const line = lineOf(row, plan, window)
    const note = `its busiest thread could do ${(capacity / 1e6).toFixed(2)} M/s${growth}`
    yield { ...line, note, more: { ...line.more, capacity } }
  }
}
