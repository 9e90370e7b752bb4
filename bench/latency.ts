import { type Context, SERIES } from './context.ts'
import { type Plan, Rig, type Window } from './rig.ts'
import { lineOf } from './steady.ts'
import type { Measurement } from './table.ts'

/** Many, so that the load is even. */
const CONNECTIONS = 50
const WINDOWS = 5

/**
 * How long a push waits for its answer, and a sample for its arrival, at half of the highest
 * load. For arrivals, samples bear the time at which their push was made, so the sink can tell;
 * answers are timed with bodies made beforehand, as a sender that makes them as it goes can do
 * less, and notices late that an answer has come.
 */
export async function* latency({ setting, sluice }: Context): AsyncGenerator<Measurement> {
  const load = { protocol: 'rw2' as const, series: SERIES, connections: CONNECTIONS }
  const plan: Plan = { name: 'sluice', ...load, ...sluice }
  await using rig = await Rig.start(plan, setting)
  const arrivalMs = await arrivals(rig, setting.warmUpSeconds, setting.windowSeconds)
  await longestTurnMs(rig)
  const windows = await answers(rig, setting.windowSeconds / WINDOWS)
  const turnMs = await longestTurnMs(rig)
  const p99s = windows.map(({ sent }) => sent.ackMs.p99)
  const arrival = `push to receiver p50 ${arrivalMs.p50} ms, p99 ${arrivalMs.p99} ms`
  const range = `p99 from ${p99s[0]!.toFixed(1)} to ${p99s.at(-1)!.toFixed(1)} ms`
  const note = `half load; ${range}; ${arrival}; longest turn ${turnMs.toFixed(0)} ms`
  const line = lineOf('latency', plan, windows[WINDOWS >> 1]!)
  const arrived = { arrivalMsP50: arrivalMs.p50, arrivalMsP99: arrivalMs.p99 }
  yield { ...line, note, more: { ...line.more, p99s, ...arrived, longestTurnMs: turnMs } }
}

/** From the making of a push to its arrival at the sink, half as fast as bodies can be made. */
async function arrivals(rig: Rig, warmUpSeconds: number, seconds: number) {
  const { samplesPerSecond } = await rig.warmUp(warmUpSeconds, 'beginStamped')
  const half = samplesPerSecond / 2
  const rounds = rig.roundsFor(seconds, half)
  await rig.sender.ask('beginStamped', rounds)
  await rig.sink.ask('forgetLags')
  await rig.measure(rounds, rig.copies, half / rig.samplesPerPush)
  return rig.sink.ask('lagMs')
}

/** Windows at half of the highest load, by their p99. */
async function answers(rig: Rig, seconds: number): Promise<Window[]> {
  const measure = async (samplesPerSecond: number, pushesPerSecond?: number) => {
    const rounds = rig.roundsFor(seconds, samplesPerSecond)
    await rig.prepare(rounds)
    return rig.measure(rounds, rig.copies, pushesPerSecond)
  }
  const { samplesPerSecond } = await measure((await measure(0)).samplesPerSecond)
  const half = samplesPerSecond / 2
  const windows: Window[] = []
  while (windows.length < WINDOWS) windows.push(await measure(half, half / rig.samplesPerPush))
  return windows.sort((one, other) => one.sent.ackMs.p99 - other.sent.ackMs.p99)
}

/** Of the thread that owns the table, since this was asked last. */
async function longestTurnMs({ target }: Rig): Promise<number> {
  const metrics = await (await fetch(new URL('/metrics', target.adminUrl))).text()
  const worst = /^sluice_process_event_loop_delay_seconds\{quantile="1"\} (\S+)$/m.exec(metrics)
  return Number(worst?.[1]) * 1000
}
