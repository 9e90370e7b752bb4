import type { Plan, Rig, Setting, Window } from './rig.ts'
import type { Measurement } from './table.ts'

export type Steady = Window & { costs: number[] }

/** Windows under full load, of which the one in the middle counts. */
export async function steadyWindow(rig: Rig, setting: Setting): Promise<Steady> {
  return (await inTurns([rig], setting))[0]!
}

/**
 * The same of several rigs, one window of each after the other: a machine that gets slower for
 * a minute does so to all of them. Bodies are made before a window, so that making them takes
 * nothing from the load. Whoever is not measured stands still.
 */
export async function inTurns(rigs: readonly Rig[], setting: Setting): Promise<Steady[]> {
  const seconds = setting.windowSeconds / setting.windows
  const all: Window[][] = []
  for (const rig of rigs) all.push([await rig.warmUp(setting.warmUpSeconds)])
  for (let turn = 0; turn < setting.windows; turn++) {
    for (const [i, rig] of rigs.entries()) {
      const last = all[i]!.at(-1)!
      const rounds = rig.roundsFor(seconds, last.samples / last.sent.seconds)
      await rig.prepare(rounds)
      all[i]!.push(await rig.measure(rounds))
    }
  }
  return all.map(([, ...windows]) => middle(windows))
}

/** The window whose cost per sample is the median, with the range of all of them. */
export function middle(windows: Window[]): Steady {
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
