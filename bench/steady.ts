import type { Plan, Rig, Setting, Window } from './rig.ts'
import type { Measurement } from './table.ts'

/**
 * Windows under full load, after a warm-up: bodies are made beforehand, so that
 * making them takes nothing from the load. The window in the middle counts.
 */
export async function steadyWindow(rig: Rig, setting: Setting): Promise<Window> {
  const seconds = setting.windowSeconds / setting.windows
  const windows: Window[] = []
  for (let last = await rig.warmUp(setting.warmUpSeconds); windows.length < setting.windows; ) {
    const rounds = rig.roundsFor(seconds, last.samples / last.sent.seconds)
    await rig.prepare(rounds)
    last = await rig.measure(rounds)
    windows.push(last)
  }
  return middle(windows)
}

/** The window whose cost per sample is the median, with the range of all of them. */
export function middle(windows: Window[]): Window & { costs: number[] } {
  const sorted = windows.toSorted((one, other) => costOf(one) - costOf(other))
  return { ...sorted[Math.floor(sorted.length / 2)]!, costs: sorted.map(costOf) }
}

/** CPU microseconds per sample. */
export function costOf({ cpuMicros, samples }: Window): number {
  return cpuMicros / samples
}

export function lineOf(
  row: string,
  { name, protocol, series }: Plan,
  window: Window & { costs?: number[] },
): Measurement {
  const { samples, sent, costs, arrivedSamples } = window
  return {
    ...{ row, target: name, protocol, series },
    cpuMicrosPerSample: costOf(window),
    samplesPerSecond: window.samplesPerSecond,
    ackMs: sent.ackMs,
    residentBytes: window.residentBytes,
    othersShare: window.othersShare,
    ...(arrivedSamples > 0 && { bytesOutPerSample: window.bytesOut / samples }),
    more: { seconds: sent.seconds, samples, ...(costs !== undefined && { costs }) },
  }
}
