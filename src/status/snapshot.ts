import type { Clock } from '../base/clock.ts'
import { withoutCredentials } from '../base/secrets.ts'
import { VERSION } from '../base/version.ts'
import type { Counts } from '../model/counts.ts'
import type { DestinationStatus, LogStatus, MetricSources, ParkedStatus } from './sources.ts'

/** The state of every part as one plain object: what `/api/v1/status` answers. */
export type Snapshot = {
  version: string
  uptimeSeconds: number
  /** Why no push is taken at the moment, or null. */
  notReady: string | null
  received: Counts
  pushes: Record<string, number>
  misnamedPushes: number
  exemplars: { oversized: number; duplicate: number; expired: number; held: number }
  duplicates: { exact: number; conflict: number; replay: number }
  rejected: Record<string, number>
  /** Of all destinations together. */
  backlog: { samples: number; bytes: number; oldestSeconds: number }
  destinations: DestinationStatus[]
  parked: ParkedStatus[]
  log: LogStatus
  series: { active: number; max: number; untrackedSamples: number }
}

export type SnapshotParts = {
  sources: MetricSources
  clock: Clock
  /** Why no push is taken at the moment, or null. */
  notReady: () => string | null
}

/** The returned function takes a snapshot; uptime counts from here. */
export function createSnapshot({ sources, clock, notReady }: SnapshotParts): () => Snapshot {
  const startedMs = clock.monotonicMs()
  return () => {
    const destinations = Array.from(sources.destinations(), (destination) => ({
      ...destination,
      url: withoutCredentials(destination.url),
      reason: withoutCredentials(destination.reason),
    }))
    return {
      version: VERSION,
      uptimeSeconds: Math.floor((clock.monotonicMs() - startedMs) / 1000),
      notReady: notReady(),
      received: { ...sources.received() },
      pushes: { ...sources.pushes() },
      misnamedPushes: sources.misnamedPushes(),
      exemplars: { ...sources.exemplars() },
      duplicates: { ...sources.duplicates() },
      rejected: Object.fromEntries(sources.rejected()),
      backlog: {
        samples: destinations.reduce((sum, { waitingSamples }) => sum + waitingSamples, 0),
        bytes: destinations.reduce((sum, { waitingBytes }) => sum + waitingBytes, 0),
        oldestSeconds: Math.max(0, ...destinations.map((one) => one.oldestWaitingSeconds)),
      },
      destinations,
      parked: [...sources.parked()],
      log: { ...sources.log() },
      series: { ...sources.series() },
    }
  }
}
