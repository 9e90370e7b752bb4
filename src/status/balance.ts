import { samplesOf } from '../model/counts.ts'
import type { Flow, MetricSources } from './sources.ts'

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

export type ClusterBalance = IntakeBalance & {
  name: string
  /** The rejected ones by reason. */
  reasons: Record<string, number>
}

/** From the log on; the same for all clusters together and for each. */
type FlowBalance = Omit<Flow, 'cluster'> & { name: string; difference: number }

export type DestinationBalance = FlowBalance & {
  /** From the network to this destination: the difference is that of the whole way. */
  clusters: (FlowBalance & Pick<IntakeBalance, 'received' | 'duplicates' | 'rejected' | 'undone'>)[]
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
  const clusters = clusterBalances(sources)
  return {
    ...withDifference({ received, duplicates, rejected, undone, kept }),
    clusters,
    destinations: Array.from(sources.flows(), ([name, flows]) => ({
      ...flowBalance(name, sumOf(flows)),
      clusters: wholeWays(clusters, flows),
    })),
  }
}

function withDifference(sums: Omit<IntakeBalance, 'difference'>): IntakeBalance {
  const { received, duplicates, rejected, undone, kept } = sums
  return { ...sums, difference: received - duplicates - rejected - undone - kept }
}

function clusterBalances(sources: MetricSources): ClusterBalance[] {
  const written = sources.writtenOf()
  return Array.from(sources.clusters(), ([name, { received, duplicates, rejected, reasons }]) => {
    const { kept, undone } = written.get(name) ?? { kept: 0, undone: 0 }
    const balance = withDifference({ received, duplicates, rejected, undone, kept })
    return { name, ...balance, reasons: Object.fromEntries(reasons) }
  })
}

/** Of every cluster that has sent something or has something on its way. */
function wholeWays(clusters: readonly ClusterBalance[], flows: readonly Flow[]) {
  const intakes = new Map(clusters.map((one) => [one.name, one]))
  const ways = new Map(flows.map((flow) => [flow.cluster, flow]))
  return Array.from(new Set([...intakes.keys(), ...ways.keys()]), (name) => {
    const intake = intakes.get(name) ?? withDifference(NOTHING)
    const { difference, ...flow } = flowBalance(name, ways.get(name) ?? sumOf([]))
    const { received, duplicates, rejected, undone } = intake
    const whole = { received, duplicates, rejected, undone, ...flow }
    return { ...whole, difference: intake.difference + difference }
  })
}

const NOTHING = { received: 0, duplicates: 0, rejected: 0, undone: 0, kept: 0 }

function flowBalance(name: string, { cluster: _, ...flow }: Flow): FlowBalance {
  const { kept, waitingAtStart, quarantinedAtStart, rewound, ...went } = flow
  const owed = kept + waitingAtStart + quarantinedAtStart + rewound
  const known = Object.values(went).reduce((sum, samples) => sum + samples, 0)
  return { name, ...flow, difference: owed - known }
}

function sumOf(flows: readonly Flow[]): Flow {
  const sum: Flow = {
    ...{ cluster: '', kept: 0, waitingAtStart: 0, quarantinedAtStart: 0, rewound: 0 },
    ...{ forwarded: 0, maybeStored: 0, unsupported: 0, quarantined: 0, discarded: 0 },
    ...{ damaged: 0, evicted: 0, dropped: 0, waiting: 0 },
  }
  for (const { cluster: _, ...flow } of flows) {
    for (const [part, samples] of Object.entries(flow)) sum[part as keyof typeof flow] += samples
  }
  return sum
}
