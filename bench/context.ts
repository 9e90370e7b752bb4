import type { Plan, Setting } from './rig.ts'
import type { Measurement } from './table.ts'
import type { TargetName } from './target.ts'

/** What is measured together; yields a line as soon as it is known. */
export type Row = {
  name: string
  /** Left out of a quick run. */
  isLong?: boolean
  /** Runs only when it is asked for by name. */
  isOnDemand?: boolean
  run: (context: Context) => AsyncGenerator<Measurement>
}

export type Context = {
  setting: Setting
  /** Peers that take part. */
  peers: readonly TargetName[]
  /** Where Sluice comes from, and where its profile goes. */
  sluice: Pick<Plan, 'source' | 'profiles'>
  /** Lines of earlier rows. */
  measured: readonly Measurement[]
  isQuick: boolean
  /** Of the row `uptime`. */
  minutes: number
}

export const SERIES = 100_000
