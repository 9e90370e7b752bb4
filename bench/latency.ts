import { type Context, SERIES } from './context.ts'
import { type Plan, Rig } from './rig.ts'
import { lineOf } from './steady.ts'
import type { Measurement } from './table.ts'

/** Many, so that the load is even. */
const CONNECTIONS = 50

/**
 * How long a push waits for its answer, and a sample for its arrival, at half of the highest
 * load. Samples bear the time at which their push was made, so the sink can tell.
 */
export async function* latency({ setting, sluice }: Context): AsyncGenerator<Measurement> {
  const load = { protocol: 'rw2' as const, series: SERIES, connections: CONNECTIONS }
  const plan: Plan = { name: 'sluice', ...load, ...sluice }
  await using rig = await Rig.start(plan, setting)
  const { samplesPerSecond } = await rig.warmUp(setting.warmUpSeconds, 'beginStamped')
  const half = samplesPerSecond / 2
  const rounds = rig.roundsFor(setting.windowSeconds * 2, half)
  await rig.sender.ask('beginStamped', rounds)
  await rig.sink.ask('forgetLags')
  await longestTurnMs(rig)
  const window = await rig.measure(rounds, 1, half / rig.samplesPerPush)
  const turnMs = await longestTurnMs(rig)
  const { p50, p99 } = await rig.sink.ask('lagMs')
  const line = lineOf('latency', plan, window)
  const arrival = `push to receiver p50 ${p50} ms, p99 ${p99} ms`
  const note = `half load; ${arrival}; longest turn ${turnMs.toFixed(0)} ms`
  const more = { arrivalMsP50: p50, arrivalMsP99: p99, longestTurnMs: turnMs }
  yield { ...line, note, more: { ...line.more, ...more } }
}

/** Of the thread that owns the table, since this was asked last. */
async function longestTurnMs({ target }: Rig): Promise<number> {
  const metrics = await (await fetch(new URL('/metrics', target.adminUrl))).text()
  const worst = /^sluice_process_event_loop_delay_seconds\{quantile="1"\} (\S+)$/m.exec(metrics)
  return Number(worst?.[1]) * 1000
}
