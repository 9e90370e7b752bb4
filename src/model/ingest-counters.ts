import type { Batch } from './batch.ts'
import { add, type Counts, noCounts, samplesOf } from './counts.ts'
import type { Outcome } from './outcome.ts'
import type { RejectReason } from './rejection.ts'

/** What came in, for the metrics; counted when the answer is known. */
export type IngestCounters = {
  received: Counts
  /** Pushes by what became of them. */
  pushes: Record<Outcome['kind'] | 'replayed', number>
  replayedSamples: number
  /** Requests of version 2.0 that call themselves 1.0, and so seem to be empty. */
  misnamedPushes: number
  /** Exemplars left out because their labels are too long. */
  oversizedExemplars: number
  rejected: Map<string, number>
  /** Samples and histograms among them. */
  rejectedSamples: number
  /** Samples and histograms by cluster. */
  clusters: Map<string, ClusterCounts>
}

/** Of one cluster: what it sent, and what of that went no further. */
export type ClusterCounts = {
  received: number
  duplicates: number
  rejected: number
  /** The rejected ones by reason. */
  reasons: Map<RejectReason, number>
}

export type JudgedBatch = {
  cluster: string
  /** What was not refused, duplicates included. */
  written: Counts
  /** Samples that were there already. */
  duplicates: number
  batch: Batch
}

export function createCounters(): IngestCounters {
  return {
    received: noCounts(),
    pushes: { accepted: 0, partial: 0, malformed: 0, backlogged: 0, replayed: 0 },
    replayedSamples: 0,
    misnamedPushes: 0,
    oversizedExemplars: 0,
    rejected: new Map(),
    rejectedSamples: 0,
    clusters: new Map(),
  }
}

function clusterOf({ clusters }: IngestCounters, name: string): ClusterCounts {
  const known = clusters.get(name)
  if (known !== undefined) return known
  const added = { received: 0, duplicates: 0, rejected: 0, reasons: new Map() }
  clusters.set(name, added)
  return added
}

export function countBatch(counters: IngestCounters, judged: JudgedBatch): void {
  const { received, rejected } = counters
  const { cluster, written, duplicates, batch } = judged
  const { rejections } = batch
  const rejectedSamples = samplesOf(rejections.counts)
  if (batch.misnamedFields > 0) counters.misnamedPushes += 1
  counters.oversizedExemplars += batch.exemplarsOversized
  add(received, written)
  add(received, rejections.counts)
  counters.rejectedSamples += rejectedSamples
  const own = clusterOf(counters, cluster)
  for (const [reason, { elements, samples }] of rejections) {
    rejected.set(reason, (rejected.get(reason) ?? 0) + elements)
    if (samples > 0) own.reasons.set(reason, (own.reasons.get(reason) ?? 0) + samples)
  }
  own.received += samplesOf(written) + rejectedSamples
  own.rejected += rejectedSamples
  own.duplicates += duplicates
}

/** A push that is answered as one was before it; `outcome` is that. */
export function countReplay(counters: IngestCounters, cluster: string, outcome: Outcome): Outcome {
  if (outcome.kind === 'backlogged') return countRefused(counters, outcome.reason)
  counters.pushes.replayed += 1
  if ('written' in outcome) {
    const samples = samplesOf(outcome.written)
    const own = clusterOf(counters, cluster)
    own.received += samples
    own.duplicates += samples
    counters.replayedSamples += samples
    add(counters.received, outcome.written)
  }
  return outcome
}

/** A push of which nothing was kept: its sender tries again. */
export function countRefused(counters: IngestCounters, reason: string): Outcome {
  counters.pushes.backlogged += 1
  return { kind: 'backlogged', reason }
}
