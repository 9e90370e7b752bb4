import type { Registry } from 'prom-client'
import { samplesOf } from '../model/counts.ts'
import { type Balance, balanceOf } from './balance.ts'
import { counters, gauge, gauges, type Point } from './registry.ts'
import type { DestinationStatus, MetricSources } from './sources.ts'

const STATES = ['ok', 'backing-off', 'paused'] as const

/** What becomes of the samples at each destination, and that none of them is missing. */
export function registerDestinations(registry: Registry, sources: MetricSources): void {
  const { destinations } = sources
  const labels = ['destination']
  const each = (value: (status: DestinationStatus) => number) => () =>
    Array.from(destinations(), (status): Point => [{ destination: status.name }, value(status)])

  for (const [what, part, help] of [
    ['forwarded', 'forwarded', 'that the destination has acknowledged.'],
    ['refused', 'refused', 'given up, because the destination will never take them.'],
    ['maybeStored', 'maybe_stored', 'refused as late when sent once more: it has them.'],
    [
      'unsupported',
      'unsupported',
      'given up, because the protocol of the destination cannot carry them.',
    ],
  ] as const) {
    for (const kind of ['samples', 'histograms', 'exemplars'] as const) {
      const name = `sluice_forward_${part}_${kind}_total`
      const text = `${kind[0]!.toUpperCase()}${kind.slice(1)} ${help}`
      counters(registry, name, text, { labels, read: each((status) => status[what][kind]) })
    }
  }
  gauges(registry, 'sluice_quarantine_entries', 'Requests that were refused for good.', {
    labels,
    read: each(({ quarantineEntries }) => quarantineEntries),
  })
  gauges(registry, 'sluice_quarantine_samples', 'Samples that were refused for good.', {
    labels,
    read: each(({ quarantined }) => samplesOf(quarantined)),
  })
  counters(
    registry,
    'sluice_quarantine_discarded_samples_total',
    'Samples that left quarantine without having arrived.',
    { labels, read: each(({ discarded }) => samplesOf(discarded)) },
  )
  counters(registry, 'sluice_forward_evicted_samples_total', 'Samples that made room for newer.', {
    labels,
    read: each(({ evictedSamples }) => evictedSamples),
  })
  counters(
    registry,
    'sluice_forward_dropped_samples_total',
    'Samples of series that write_relabel_configs drop.',
    { labels, read: each(({ droppedSamples }) => droppedSamples) },
  )
  counters(registry, 'sluice_forward_damaged_samples_total', 'Samples that the log has lost.', {
    labels,
    read: each(({ damagedSamples }) => damagedSamples),
  })
  counters(registry, 'sluice_forward_retries_total', 'Requests that had to be repeated.', {
    labels,
    read: each(({ retries }) => retries),
  })
  gauges(
    registry,
    'sluice_forward_in_flight_limit_requests',
    'Requests that are sent at once, as it does the destination good.',
    { labels, read: each(({ inFlightMax }) => inFlightMax) },
  )
  gauges(registry, 'sluice_forward_state', 'How the destination is: 1 for what it is now.', {
    labels: ['destination', 'state'],
    read: () =>
      Array.from(destinations(), ({ name, state }) =>
        STATES.map((one): Point => [{ destination: name, state: one }, one === state ? 1 : 0]),
      ).flat(),
  })
  gauges(registry, 'sluice_forward_waiting_samples', 'Samples in the log, not acknowledged yet.', {
    labels,
    read: each(({ waitingSamples }) => waitingSamples),
  })
  gauges(registry, 'sluice_forward_waiting_bytes', 'Bytes in the log, not acknowledged yet.', {
    labels,
    read: each(({ waitingBytes }) => waitingBytes),
  })
  gauges(
    registry,
    'sluice_forward_oldest_waiting_seconds',
    'How long the oldest sample that waits has been here. The one to put an alert on.',
    { labels, read: each(({ oldestWaitingSeconds }) => oldestWaitingSeconds) },
  )
  registerParked(registry, sources)
  registerBalance(registry, sources)
}

function registerParked(registry: Registry, { parked }: MetricSources): void {
  gauges(
    registry,
    'sluice_forward_parked_samples',
    'Samples that the log keeps for a destination that is not configured any more.',
    {
      labels: ['destination'],
      read: () =>
        Array.from(parked(), ({ name, waitingSamples }): Point => {
          return [{ destination: name }, waitingSamples]
        }),
    },
  )
}

function registerBalance(registry: Registry, sources: MetricSources): void {
  gauges(
    registry,
    'sluice_balance_cluster_difference_samples',
    'Samples of a cluster of which nobody knows what became between the network and the log.',
    {
      labels: ['cluster'],
      read: () =>
        balanceOf(sources).clusters.map(({ name, difference }): Point => {
          return [{ cluster: name }, difference]
        }),
    },
  )
  gauge(
    registry,
    'sluice_balance_intake_difference_samples',
    'Samples received, less those that are known to be kept, duplicate, rejected or undone.',
    () => balanceOf(sources).difference,
  )
  gauges(
    registry,
    'sluice_balance_difference_samples',
    'Samples of a cluster of which nobody knows what became between the network and a destination.',
    { labels: ['cluster', 'destination'], read: () => wholeWays(sources, differenceOf) },
  )
  gauges(
    registry,
    'sluice_balance_samples',
    'Samples of a cluster on their way to a destination, by what became of them; zeros are left out.',
    { labels: ['cluster', 'destination', 'part'], read: () => wholeWays(sources, partsOf) },
  )
}

type Way = Balance['destinations'][number]['clusters'][number]

function wholeWays(sources: MetricSources, of: (way: Way) => readonly Point[]): Point[] {
  return balanceOf(sources).destinations.flatMap(({ name: destination, clusters }) =>
    clusters.flatMap((way) =>
      of(way).map(([labels, value]): Point => {
        return [{ cluster: way.name, destination, ...labels }, value]
      }),
    ),
  )
}

function differenceOf({ difference }: Way): Point[] {
  return [[{}, difference]]
}

/** With thousands of clusters most of it is zeros. */
function partsOf({ name: _, difference: __, ...parts }: Way): Point[] {
  return Object.entries(parts)
    .filter(([, samples]) => samples !== 0)
    .map(([part, samples]): Point => [{ part: part.replace(/[A-Z]/g, inSnakeCase) }, samples])
}

function inSnakeCase(letter: string): string {
  return `_${letter.toLowerCase()}`
}
