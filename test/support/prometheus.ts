import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Child, freePort, startChild } from './child.ts'
import { peer } from './peers.ts'
import { type RemoteSeries, readRemote } from './remote-read.ts'

export type PrometheusOptions = {
  scrape?: { job: string; target: string; path?: string }[]
  remoteWrite?: {
    url: string
    message: 'prometheus.WriteRequest' | 'io.prometheus.write.v2.Request'
  }[]
  /** Exact labels on everything that it sends. */
  externalLabels?: Record<string, string>
  features?: string[]
  port?: number
}

const FEATURES = ['native-histograms', 'exemplar-storage', 'metadata-wal-records']

/** A real Prometheus with a directory of its own, on loopback; receives and may scrape and send. */
export type Prometheus = {
  url: string
  child: Child
  directory: string
  /** The JSON that its HTTP API answers with, without the envelope. */
  api<T>(path: string): Promise<T>
  /** Every sample of the series that match, bit for bit, stale markers and histograms too. */
  read(name: RegExp | string, startMs: number, endMs: number): Promise<Map<string, RemoteSeries>>
  stop(): Promise<void>
}

export async function startPrometheus(options: PrometheusOptions = {}): Promise<Prometheus> {
  const { features = FEATURES, port = await freePort() } = options
  const directory = await mkdtemp(join(tmpdir(), 'sluice-prometheus-'))
  await writeFile(join(directory, 'prometheus.yml'), configuration(options))
  const child = startChild(await peer('prometheus'), [
    `--config.file=${join(directory, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(directory, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--web.enable-remote-write-receiver',
    // So that a test finds text in it: there is no other way to see metadata that was received.
    '--no-storage.tsdb.wal-compression',
    ...(features.length > 0 ? [`--enable-feature=${features.join(',')}`] : []),
  ])
  const url = `http://127.0.0.1:${port}`
  await child.ready(`${url}/-/ready`)
  return {
    url,
    child,
    directory,
    api: async <T>(path: string) => {
      const answer = await fetch(`${url}/api/v1/${path}`)
      const { status, data, error } = (await answer.json()) as Record<string, unknown>
      if (status !== 'success') throw new Error(`${path}: ${error}`)
      return data as T
    },
    read: (name, startMs, endMs) => readRemote(`${url}/api/v1/read`, name, startMs, endMs),
    stop: async () => {
      await child.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** JSON is YAML. */
function configuration({ scrape = [], remoteWrite = [], externalLabels = {} }: PrometheusOptions) {
  return JSON.stringify({
    global: { scrape_interval: '1s', scrape_timeout: '900ms', external_labels: externalLabels },
    scrape_configs: scrape.map(({ job, target, path = '/metrics' }) => ({
      job_name: job,
      metrics_path: path,
      static_configs: [{ targets: [target] }],
    })),
    remote_write: remoteWrite.map(({ url, message }, i) => ({
      name: `to-${i}`,
      url,
      protobuf_message: message,
      send_exemplars: true,
      send_native_histograms: true,
      metadata_config: { send: true, send_interval: '1s' },
      queue_config: { batch_send_deadline: '500ms', max_shards: 4 },
    })),
  })
}
