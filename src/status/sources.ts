import type { Counts } from '../model/counts.ts'
import type { ClusterCounts } from '../model/ingest-counters.ts'
import type { QuarantineEntry } from '../persist/quarantine.ts'

/**
 * Where the numbers come from: plain getters over the counters that lie beside the code
 * that moves them. They are read on scrape, and cost nothing before.
 *
 * A getter of samples counts float samples and histogram samples together unless it gives
 * `Counts`.
 */
export type MetricSources = {
  received: () => Counts
  /** Pushes by what became of them. */
  pushes: () => Record<string, number>
  /** Requests of version 2.0 that call themselves 1.0. */
  misnamedPushes: () => number
  /** Exemplars that will not travel, and those that may still. */
  exemplars: () => { oversized: number; duplicate: number; expired: number; held: number }
  /** Samples that were there already, by how that was found. */
  duplicates: () => { exact: number; conflict: number; replay: number }
  /** Elements by reason. */
  rejected: () => Iterable<readonly [reason: string, elements: number]>
  /** Samples among the elements that were rejected. */
  rejectedSamples: () => number
  /** Samples that could not be written, and whose senders were told so. */
  undoneSamples: () => number
  /** The same by cluster; what is kept and undone is counted where blocks are written. */
  clusters: () => ReadonlyMap<string, ClusterCounts>
  writtenOf: () => ReadonlyMap<string, { kept: number; undone: number }>
  /** Samples that were written to the log. */
  keptSamples: () => number
  /** What each intake thread has counted. */
  requests: () => readonly RequestStatus[]
  /** How much memory request bodies may take. */
  bodyBytesMax: () => number
  destinations: () => Iterable<DestinationStatus>
  /** By destination: what became of the samples of each cluster. */
  flows: () => ReadonlyMap<string, readonly Flow[]>
  parked: () => Iterable<ParkedStatus>
  /** How often the wall clock was set, and by how much altogether. */
  clockJumps: () => { count: number; seconds: number }
  log: () => LogStatus
  memory: () => Iterable<MemoryPool>
  series: () => { active: number; max: number; untrackedSamples: number }
  /** Series whose deltas are added up, as they count; null where none are taken. */
  deltas: () => { held: number; max: number } | null
}

/** Memory that something takes, as far as it is bytes and texts. */
export type MemoryPool = {
  pool: string
  bytes: number
  /** Null where not bytes are limited, but something else. */
  limitBytes: number | null
}

export type RequestStatus = {
  /** Requests by `protocol status`, such as `rw2 204`. */
  answers: ReadonlyMap<string, number>
  /** Requests whose sender said that it tries again. */
  retries: number
  /** Requests that nobody was there to answer. */
  gone: number
  /** Requests that found no room for their body. */
  withoutRoom: number
  /** Memory taken by request bodies. */
  bodyBytes: number
}

export type DestinationStatus = {
  name: string
  /** May hold credentials: they are taken out before anyone sees it. */
  url: string
  protocol: 'rw1' | 'rw2'
  state: 'ok' | 'backing-off' | 'paused'
  /** Why the state is what it is; empty when there is nothing to say. */
  reason: string
  forwarded: Counts
  /** Given up, because the destination will never take them. */
  refused: Counts
  /** Of the refused, those that it probably had before. */
  maybeStored: Counts
  /** Given up, because its protocol cannot carry them. */
  unsupported: Counts
  /** Refused, and kept until somebody has looked at them. */
  quarantined: Counts
  quarantineEntries: number
  /** Taken out of quarantine without having arrived. */
  discarded: Counts
  retries: number
  /** Requests that are sent at once at most, as it does the destination good. */
  inFlightMax: number
  /** Samples of blocks that the log has lost. */
  damagedSamples: number
  /** Samples that made room for newer ones, because the configuration says so. */
  evictedSamples: number
  /** Samples of series that its `write_relabel_configs` drop. */
  droppedSamples: number
  /** In the log and not acknowledged yet. */
  waitingSamples: number
  waitingBytes: number
  /** How long the oldest of them has been here; 0 when none waits. */
  oldestWaitingSeconds: number
}

/**
 * Samples of one cluster on their way to one destination, histograms among them, since forwarding
 * to it began, at the start or by a reload.
 */
export type Flow = {
  /** Empty: nobody knows whose they were. */
  cluster: string
  /** Written to the log since then. */
  kept: number
  /** Left over from before. */
  waitingAtStart: number
  quarantinedAtStart: number
  /** Acknowledged once, and sent again at somebody's word. */
  rewound: number
  forwarded: number
  /** Refused as late when they were sent once more, after a crash or a rewind. */
  maybeStored: number
  unsupported: number
  quarantined: number
  /** Taken out of quarantine without having arrived. */
  discarded: number
  /** In blocks that the disk has lost. */
  damaged: number
  /** Made room for newer ones. */
  evicted: number
  /** Of series that the rules for it drop. */
  dropped: number
  waiting: number
}

/** A destination that is not configured any more, for which the log keeps what it lacks. */
export type ParkedStatus = {
  name: string
  waitingSamples: number
  /** Since it was taken out, or since the last start. */
  parkedSeconds: number
}

/** The quarantine of one destination. */
export type QuarantineSource = {
  /** The oldest first. */
  entries(): QuarantineEntry[]
  /** The request that was refused; null when it is damaged or not there. */
  message(id: number): Promise<Uint8Array | null>
  /** Sends entries again, one after the other. */
  replay(ids: readonly number[]): Promise<Replayed>
  drop(ids: readonly number[]): Promise<void>
}

/** A destination that can be sent again what the log still holds. */
export type RewindSource = {
  readonly outOfOrderWindowMs: number
  /** Goes back to what came in the last `sinceMs`, or to the oldest that is held. */
  rewind(sinceMs: number): Promise<Rewound>
}

export type Rewound = {
  /** How many samples will be sent again. */
  samples: number
  /** When the first of them came in, as an ISO date; null when there is none. */
  from: string | null
}

/** Ids, by what became of them. */
export type Replayed = {
  arrived: number[]
  refused: number[]
  /** Not there, damaged, or the receiver did not answer. */
  failed: number[]
}

export type LogStatus = {
  oldestLsn: number
  lastLsn: number
  /** Everything up to here is on disk. */
  committedLsn: number
  bytes: number
  quotaBytes: number
}
