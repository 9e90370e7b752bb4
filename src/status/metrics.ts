import { monitorEventLoopDelay } from 'node:perf_hooks'
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client'
import { VERSION } from '../base/version.ts'
import type { ClusterCounts } from '../model/ingest-counters.ts'
import { registerDestinations } from './destination-metrics.ts'
import { registerMemory } from './memory-metrics.ts'
import { counter, counters, gauge, gauges, type Point } from './registry.ts'
import type { MetricSources, RequestStatus } from './sources.ts'

export type Metrics = {
  /** Everything, in the text format of Prometheus. */
  text(): Promise<string>
  contentType: string
  /** To be called with the duration of every commit. */
  observeCommit(seconds: number): void
  /** Ends the measuring of the event loop. */
  stop(): void
}

/** From a fast local disk to one that is in trouble. */
const COMMIT_BUCKETS_SECONDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5,
]
const EVENT_LOOP_RESOLUTION_MS = 10
const NS_PER_SECOND = 1e9

type EventLoopDelay = ReturnType<typeof monitorEventLoopDelay>

/**
 * The metrics of one gateway, in a registry of its own.
 *
 * @param notReady why no push is taken at the moment, or null
 */
export function createMetrics(sources: MetricSources, notReady: () => string | null): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  registerIntake(registry, sources)
  registerAdmission(registry, sources)
  registerLog(registry, sources)
  registerDestinations(registry, sources)
  registerMemory(registry, sources)
  gauge(registry, 'sluice_ready', '1 while pushes are taken, as /-/ready says; else 0.', () => {
    return notReady() === null ? 1 : 0
  })

  const delay = monitorEventLoopDelay({ resolution: EVENT_LOOP_RESOLUTION_MS })
  delay.enable()
  registerProcess(registry, delay)
  registerClock(registry, sources)

  const commits = new Histogram({
    name: 'sluice_persist_commit_seconds',
    help: 'Time from the start of a group commit until it is on disk.',
    buckets: COMMIT_BUCKETS_SECONDS,
    registers: [registry],
  })
  return {
    text: () => registry.metrics(),
    contentType: registry.contentType,
    observeCommit: (seconds) => commits.observe(seconds),
    stop: () => {
      delay.disable()
      registry.clear()
    },
  }
}

/** Of all threads together. */
function sumOf(sources: MetricSources, of: (one: RequestStatus) => number): number {
  return sources.requests().reduce((sum, one) => sum + of(one), 0)
}

function answersOf(sources: MetricSources): Map<string, number> {
  const all = new Map<string, number>()
  for (const { answers } of sources.requests()) {
    for (const [key, requests] of answers) all.set(key, (all.get(key) ?? 0) + requests)
  }
  return all
}

function registerIntake(registry: Registry, sources: MetricSources): void {
  counters(registry, 'sluice_receive_requests_total', 'Write requests answered.', {
    labels: ['protocol', 'status'],
    read: () =>
      Array.from(answersOf(sources), ([key, requests]): Point => {
        const [protocol = '', status = ''] = key.split(' ')
        return [{ protocol, status }, requests]
      }),
  })
  counter(
    registry,
    'sluice_receive_retried_requests_total',
    'Write requests whose sender said that it tries again.',
    () => sumOf(sources, ({ retries }) => retries),
  )
  counters(registry, 'sluice_receive_pushes_total', 'Write requests read, by outcome.', {
    labels: ['outcome'],
    read: () => Object.entries(sources.pushes()).map(([outcome, n]): Point => [{ outcome }, n]),
  })
  counter(
    registry,
    'sluice_receive_misnamed_requests_total',
    'Requests of version 2.0 whose Content-Type does not say so: they seem to be empty.',
    sources.misnamedPushes,
  )
  for (const kind of ['samples', 'histograms', 'exemplars'] as const) {
    counter(
      registry,
      `sluice_receive_${kind}_total`,
      `${kind[0]!.toUpperCase()}${kind.slice(1)} received, refused ones and duplicates included.`,
      () => sources.received()[kind],
    )
  }
  counter(
    registry,
    'sluice_receive_gone_requests_total',
    'Write requests whose sender went away before they were whole.',
    () => sumOf(sources, ({ gone }) => gone),
  )
  counter(
    registry,
    'sluice_receive_refused_bodies_total',
    'Times that a request body found no room in memory.',
    () => sumOf(sources, ({ withoutRoom }) => withoutRoom),
  )
  gauge(registry, 'sluice_receive_bodies_bytes', 'Memory taken by request bodies.', () => {
    return sumOf(sources, ({ bodyBytes }) => bodyBytes)
  })
  gauge(registry, 'sluice_receive_bodies_limit_bytes', 'Memory request bodies may take.', () => {
    return sources.bodyBytesMax()
  })
}

function registerAdmission(registry: Registry, sources: MetricSources): void {
  counters(
    registry,
    'sluice_admit_duplicate_samples_total',
    'Samples that were there already: exact repeats, other values for the same time, whole pushes.',
    {
      labels: ['kind'],
      read: () => Object.entries(sources.duplicates()).map(([kind, n]): Point => [{ kind }, n]),
    },
  )
  counters(
    registry,
    'sluice_admit_rejected_elements_total',
    'Samples, histograms and exemplars refused, by reason.',
    {
      labels: ['reason'],
      read: () => Array.from(sources.rejected(), ([reason, n]): Point => [{ reason }, n]),
    },
  )
  counters(
    registry,
    'sluice_admit_rejected_samples_total',
    'Samples and histograms refused, by the cluster that sent them and the reason.',
    {
      labels: ['cluster', 'reason'],
      read: () => Array.from(sources.clusters()).flatMap(reasonsOf),
    },
  )
  counter(
    registry,
    'sluice_admit_untracked_samples_total',
    'Samples that passed without deduplication, because the series table was full.',
    () => sources.series().untrackedSamples,
  )
  counters(registry, 'sluice_admit_dropped_exemplars_total', 'Exemplars that went no further.', {
    labels: ['reason'],
    read: () => {
      const { held: _, ...dropped } = sources.exemplars()
      return Object.entries(dropped).map(([reason, n]): Point => [{ reason }, n])
    },
  })
  gauge(registry, 'sluice_admit_held_exemplars', 'Exemplars that wait for a sample.', () => {
    return sources.exemplars().held
  })
  gauge(registry, 'sluice_admit_series', 'Series in the table of active series.', () => {
    return sources.series().active
  })
  gauge(registry, 'sluice_admit_series_max', 'Series that the table has room for.', () => {
    return sources.series().max
  })
  if (sources.deltas() === null) return
  gauge(registry, 'sluice_otlp_delta_series', 'Series whose deltas are added up.', () => {
    return sources.deltas()?.held ?? 0
  })
  gauge(registry, 'sluice_otlp_delta_series_max', 'Series whose deltas may be added up.', () => {
    return sources.deltas()?.max ?? 0
  })
}

function registerLog(registry: Registry, { log }: MetricSources): void {
  gauge(registry, 'sluice_persist_log_bytes', 'Size of the log on disk.', () => log().bytes)
  gauge(registry, 'sluice_persist_quota_bytes', 'Size that the log may have.', () => {
    return log().quotaBytes
  })
  counter(registry, 'sluice_persist_records_total', 'Number of the newest record.', () => {
    return log().lastLsn
  })
  gauge(registry, 'sluice_persist_uncommitted_records', 'Records not on disk yet.', () => {
    return Math.max(0, log().lastLsn - log().committedLsn)
  })
}

function registerClock(registry: Registry, { clockJumps }: MetricSources): void {
  const help = 'Times that the clock of the machine was set by two seconds or more.'
  counter(registry, 'sluice_process_clock_jumps_total', help, () => clockJumps().count)
  gauge(
    registry,
    'sluice_process_clock_jumped_seconds',
    'By how much the clock of the machine was set since the start, altogether.',
    () => clockJumps().seconds,
  )
}

function reasonsOf([cluster, { reasons }]: [string, ClusterCounts]): Point[] {
  return Array.from(reasons, ([reason, samples]): Point => [{ cluster, reason }, samples])
}

function registerProcess(registry: Registry, delay: EventLoopDelay): void {
  gauges(registry, 'sluice_build_info', 'Always 1; the version is a label.', {
    labels: ['version', 'node'],
    read: () => [[{ version: VERSION, node: process.versions.node }, 1]],
  })
  gauges(
    registry,
    'sluice_process_event_loop_delay_seconds',
    'How late the event loop was since the last scrape, by quantile; 1 is the worst.',
    {
      labels: ['quantile'],
      read: () => {
        // It measures the distance of its own timer's calls, so being punctual is not zero.
        const late = (ns: number) =>
          Number.isFinite(ns) ? Math.max(0, ns / NS_PER_SECOND - EVENT_LOOP_RESOLUTION_MS / 1e3) : 0
        const points: Point[] = [
          [{ quantile: '0.5' }, late(delay.percentile(50))],
          [{ quantile: '0.99' }, late(delay.percentile(99))],
          [{ quantile: '1' }, delay.count === 0 ? 0 : late(delay.max)],
        ]
        delay.reset()
        return points
      },
    },
  )
}
