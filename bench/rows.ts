import { type Plan, Rig, type Setting, type Window } from './rig.ts'
import type { Measurement } from './table.ts'
import type { TargetName } from './target.ts'

/** What is measured for one line or more; yields lines as they are known. */
export type Row = {
  name: string
  /** Left out of a quick run. */
  isLong?: boolean
  run: (context: Context) => AsyncGenerator<Measurement>
}

export type Context = {
  setting: Setting
  /** Peers that take part. */
  peers: readonly TargetName[]
  /** Where Sluice comes from, and where its profile goes. */
  sluice: Pick<Plan, 'source' | 'profiles'>
}

const SERIES = 100_000

export const ROWS: Row[] = [
  {
    name: 'rw1',
    run: againstPeers('rw1', { protocol: 'rw1', series: SERIES }, ['vmagent', 'prometheus']),
  },
  { name: 'rw2', run: againstPeers('rw2', { protocol: 'rw2', series: SERIES }, ['prometheus']) },
]

/** Peers first, so that Sluice's line shows the ratio to them. */
function againstPeers(row: string, load: Omit<Plan, 'name'>, rivals: TargetName[]): Row['run'] {
  return async function* ({ setting, peers, sluice }) {
    const targets = [...rivals.filter((each) => peers.includes(each)), 'sluice' as const]
    for (const name of targets) {
      const plan = { ...load, name, ...(name === 'sluice' && sluice) }
      await using rig = await Rig.start(plan, setting)
      yield lineOf(row, plan, await steady(rig, setting))
    }
  }
}

/** The usual window: warm, full load, bodies made beforehand. */
async function steady(rig: Rig, { warmUpSeconds, windowSeconds }: Setting): Promise<Window> {
  const { samplesPerSecond } = await rig.warmUp(warmUpSeconds)
  const rounds = rig.roundsFor(windowSeconds, samplesPerSecond)
  await rig.prepare(rounds)
  return rig.measure(rounds)
}

function lineOf(row: string, { name, protocol, series }: Plan, window: Window): Measurement {
  const { arrivedSamples } = window
  return {
    ...{ row, target: name, protocol, series },
    cpuMicrosPerSample: window.cpuMicros / arrivedSamples,
    samplesPerSecond: window.samplesPerSecond,
    ackMs: window.sent.ackMs,
    residentBytes: window.residentBytes,
    bytesOutPerSample: window.bytesOut / arrivedSamples,
    more: { seconds: window.sent.seconds, samples: arrivedSamples },
  }
}
