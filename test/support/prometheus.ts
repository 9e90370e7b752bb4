import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Child, freePort, startChild } from './child.ts'
import { peer } from './peers.ts'
import { type PrometheusApi, prometheusApi } from './prometheus-api.ts'
import { type Matcher, type RemoteSeries, readRemote } from './remote-read.ts'

export type PrometheusOptions = {
  scrape?: ScrapeOptions[]
  remoteWrite?: RemoteWriteOptions[]
  /** Exact labels on everything that it sends. */
  externalLabels?: Record<string, string>
  /** How late a sample may come, such as `30m`; without it, none may. */
  outOfOrderTimeWindow?: string
  /** Takes remote write, which is the default. */
  receiver?: boolean
  features?: string[]
  port?: number
  /** Of an earlier one, to go on over its data. Whoever gives it removes it. */
  directory?: string
  /** See `startChild`. */
  detached?: boolean
}

export type ScrapeOptions = {
  job: string
  target: string
  path?: string
  intervalMs?: number
  labels?: Record<string, string>
}

export type RemoteWriteOptions = {
  url: string
  message: 'prometheus.WriteRequest' | 'io.prometheus.write.v2.Request'
  sendExemplars?: boolean
  sendNativeHistograms?: boolean
  batchSendDeadline?: string
  /** `write_relabel_configs`, as in its configuration. */
  relabel?: readonly object[]
}

const FEATURES = ['native-histograms', 'exemplar-storage', 'metadata-wal-records']

/** A real Prometheus with a directory of its own, on loopback; receives and may scrape and send. */
export type Prometheus = PrometheusApi & {
  url: string
  child: Child
  directory: string
  /** Every sample of the series that match, bit for bit, stale markers and histograms too. */
  read(
    selection: RegExp | string | Matcher[],
    startMs: number,
    endMs: number,
  ): Promise<Map<string, RemoteSeries>>
  stop(): Promise<void>
  /** As a power cut would: what is in the directory stays there. */
  kill(): Promise<void>
}

/** Ready after a fraction of a second; what it scrapes, it scrapes from five seconds on. */
export async function startPrometheus(options: PrometheusOptions = {}): Promise<Prometheus> {
  const { port = await freePort(), detached = false } = options
  const executable = await peer('prometheus')
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'sluice-prometheus-')))
  await writeFile(join(directory, 'prometheus.yml'), configuration(options))
  const child = startChild(executable, argumentsOf(options, directory, port), { detached })
  const stop = async (): Promise<void> => {
    await child.stop()
    if (options.directory === undefined) await rm(directory, { recursive: true, force: true })
  }
  const url = `http://127.0.0.1:${port}`
  try {
    await child.ready(`${url}/-/ready`)
  } catch (error) {
    await stop()
    throw error
  }
  return {
    ...prometheusApi(url),
    url,
    child,
    directory,
    read: (selection, startMs, endMs) =>
      readRemote(`${url}/api/v1/read`, selection, startMs, endMs),
    stop,
    kill: () => child.kill(),
  }
}

function argumentsOf(options: PrometheusOptions, directory: string, port: number): string[] {
  const { features = FEATURES, receiver = true } = options
  return [
    `--config.file=${join(directory, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(directory, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
    // So that a test finds text in it: there is no other way to see metadata that was received.
    '--no-storage.tsdb.wal-compression',
    ...(receiver ? ['--web.enable-remote-write-receiver'] : []),
    ...(features.length > 0 ? [`--enable-feature=${features.join(',')}`] : []),
  ]
}

/** JSON is YAML. */
function configuration(options: PrometheusOptions): string {
  const { scrape = [], remoteWrite = [], externalLabels = {}, outOfOrderTimeWindow } = options
  return JSON.stringify({
    global: { external_labels: externalLabels },
    scrape_configs: scrape.map(({ job, target, path, intervalMs = 1000, labels = {} }) => ({
      job_name: job,
      metrics_path: path ?? '/metrics',
      scrape_interval: `${intervalMs}ms`,
      scrape_timeout: `${Math.ceil(intervalMs * 0.9)}ms`,
      static_configs: [{ targets: [target], labels }],
    })),
    remote_write: remoteWrite.map((each, i) => ({
      name: `to-${i}`,
      url: each.url,
      protobuf_message: each.message,
      send_exemplars: each.sendExemplars ?? true,
      send_native_histograms: each.sendNativeHistograms ?? true,
      write_relabel_configs: each.relabel ?? [],
      metadata_config: { send: true, send_interval: '1s' },
      queue_config: { batch_send_deadline: each.batchSendDeadline ?? '500ms', max_shards: 4 },
    })),
    ...(outOfOrderTimeWindow !== undefined && {
      storage: { tsdb: { out_of_order_time_window: outOfOrderTimeWindow } },
    }),
  })
}
