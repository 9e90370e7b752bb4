import { setTimeout as delay } from 'node:timers/promises'
import { type Context, SERIES } from './context.ts'
import { cpuMicros, residentBytes } from './cpu.ts'
import { type Plan, Rig } from './rig.ts'
import { lineOf, steadyWindow } from './steady.ts'
import type { Measurement } from './table.ts'
import type { TargetName } from './target.ts'

/** Peers wait up to a minute between two tries. */
const STALL_MS = 90_000

/**
 * The destination is away for a while, and what was taken meanwhile is sent when it is back:
 * from the first arrival on, against the rate of a day without an outage.
 */
export async function* backlog(context: Context): AsyncGenerator<Measurement> {
  const rivals: TargetName[] = context.isQuick ? [] : context.peers.filter(isRival)
  for (const name of [...rivals, 'sluice' as const]) {
    const protocol = name === 'vmagent' ? 'rw1' : 'rw2'
    const plan: Plan = { name, protocol, series: SERIES, ...(name === 'sluice' && context.sluice) }
    yield await drained(plan, context)
  }
}

function isRival(name: TargetName): boolean {
  return name === 'vmagent'
}

async function drained(plan: Plan, { setting, isQuick }: Context): Promise<Measurement> {
  const outageSeconds = isQuick ? 4 : 20
  await using rig = await Rig.start(plan, setting)
  const live = await steadyWindow(rig, setting)
  const rounds = rig.roundsFor(outageSeconds / 2, live.samplesPerSecond)
  await rig.prepare(rounds)
  await rig.sink.ask('down')
  const back = delay(outageSeconds * 1000)
  const sent = await rig.send()
  const samples = rig.expect(rounds)
  await back
  const before = await rig.sink.ask('arrived')
  const cpuBefore = await cpuMicros(rig.pid)
  await rig.sink.ask('up')
  const { after } = await rig.arrival({ stallMs: STALL_MS })
  const drainSeconds = (after.lastMs - after.firstMs) / 1000
  const window = {
    ...live,
    ...{ samples, arrivedSamples: samples, sent, samplesPerSecond: samples / drainSeconds },
    cpuMicros: (await cpuMicros(rig.pid)) - cpuBefore,
    bytesOut: after.bytes - before.bytes,
    residentBytes: await residentBytes(rig.pid),
  }
  const factor = window.samplesPerSecond / live.samplesPerSecond
  const line = lineOf('backlog', plan, window)
  const note = `sends ${factor.toFixed(1)} × as fast as live after ${outageSeconds} s`
  return { ...line, note, more: { ...line.more, liveSamplesPerSecond: live.samplesPerSecond } }
}
