import { samplesOf } from '../model/counts.ts'
import type { DestinationStatus, MetricSources } from './sources.ts'

/** Samples, histograms among them, since the start. Each difference is 0 when nothing is lost. */
export type Balance = IntakeBalance & {
  clusters: ClusterBalance[]
  destinations: DestinationBalance[]
}

/** Between the network and the log. */
export type IntakeBalance = {
  received: number
  duplicates: number
  rejected: number
  /** Answered with an error, because the log could not be written. */
  undone: number
  kept: number
  difference: number
}

export type ClusterBalance = IntakeBalance & { name: string }

export type DestinationBalance = {
  name: string
  /** Since forwarding to it began, at the start or by a reload. */
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
  difference: number
}

/**
 * Where every sample is that was received. Pushes that are being judged while this is read may
 * stand on one side alone; after a pause there is no difference.
 */
export function balanceOf(sources: MetricSources): Balance {
  const received = samplesOf(sources.received())
  const { exact, conflict, replay } = sources.duplicates()
  const duplicates = exact + conflict + replay
  const rejected = sources.rejectedSamples()
  const undone = sources.undoneSamples()
  const kept = sources.keptSamples()
  return {
    ...withDifference({ received, duplicates, rejected, undone, kept }),
    clusters: clusterBalances(sources),
    destinations: Array.from(sources.destinations(), destinationBalance),
  }
}

function withDifference(sums: Omit<IntakeBalance, 'difference'>): IntakeBalance {
  const { received, duplicates, rejected, undone, kept } = sums
  return { ...sums, difference: received - duplicates - rejected - undone - kept }
}

function clusterBalances(sources: MetricSources): ClusterBalance[] {
  const written = sources.writtenOf()
  return Array.from(sources.clusters(), ([name, { received, duplicates, rejected }]) => {
    const { kept, undone } = written.get(name) ?? { kept: 0, undone: 0 }
    return { name, ...withDifference({ received, duplicates, rejected, undone, kept }) }
  })
}

function destinationBalance(status: DestinationStatus): DestinationBalance {
  const { name, waitingAtStart, quarantinedAtStart, rewoundSamples: rewound } = status
  const forwarded = samplesOf(status.forwarded)
  const maybeStored = samplesOf(status.maybeStored)
  const unsupported = samplesOf(status.unsupported)
  const quarantined = samplesOf(status.quarantined)
  const discarded = samplesOf(status.discarded)
  const { keptSamples: kept, damagedSamples: damaged, evictedSamples: evicted } = status
  const { droppedSamples: dropped, waitingSamples: waiting } = status
  const owed = waitingAtStart + quarantinedAtStart + rewound + kept
  const settled =
    forwarded + maybeStored + unsupported + quarantined + discarded + damaged + evicted + dropped
  return {
    ...{ name, kept, waitingAtStart, quarantinedAtStart, rewound, forwarded, maybeStored },
    ...{ unsupported, quarantined, discarded, damaged, evicted, dropped, waiting },
    difference: owed - settled - waiting,
  }
}
