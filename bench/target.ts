import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { VERSION } from '../src/base/version.ts'
import { type Child, freePort, startChild } from '../test/support/child.ts'
import { peer } from '../test/support/peers.ts'
import { TARGET_CORE } from './cpu.ts'

export type TargetName = 'sluice' | 'vmagent' | 'prometheus'

export type TargetOptions = {
  name: TargetName
  /** An empty directory of its own. */
  directory: string
  /** Where it forwards to. */
  sink: string
  /** Merged into the configuration; for Sluice only. */
  settings?: SluiceSettings
  /** Cores that it may use. */
  cores?: string
  /** Another checkout of Sluice than this one. */
  source?: string
  /** A folder for a CPU profile of Sluice. */
  profiles?: string
}

export type SluiceSettings = {
  storage?: { acknowledge?: 'fsync' | 'page_cache' }
  dedup?: { max_series?: number }
  limits?: { intake_threads?: number }
  otlp?: { promote_all_resource_attributes?: boolean }
}

export type Target = {
  name: TargetName
  /** Takes pushes of remote write. */
  url: string
  otlpUrl: string
  /** Has metrics. */
  adminUrl: string
  child: Child
}

type Command = { executable: string; args: string[]; url: string; otlpPath: string; ready: string }

const PROJECT = fileURLToPath(new URL('..', import.meta.url))

/** Starts a gateway as its users would, but on one core, and waits until it is ready. */
export async function startTarget(options: TargetOptions): Promise<Target> {
  const { name, cores = TARGET_CORE } = options
  const command = await COMMANDS[name](options, await freePort())
  const goThreads = { GOMAXPROCS: String(cores.split(',').length) }
  const child = startChild('taskset', ['-c', cores, command.executable, ...command.args], {
    env: { ...process.env, ...(name !== 'sluice' && goThreads) },
    detached: true,
  })
  try {
    await child.ready(command.ready)
  } catch (error) {
    await child.kill()
    throw error
  }
  const { url, ready, otlpPath } = command
  const otlpUrl = new URL(otlpPath, url).href
  return { name, url, otlpUrl, adminUrl: new URL('/', ready).href, child }
}

const COMMANDS: Record<TargetName, (options: TargetOptions, port: number) => Promise<Command>> = {
  sluice: async ({ directory, sink, settings = {}, source = PROJECT, profiles }, port) => {
    const admin = await freePort()
    const path = join(directory, 'sluice.yaml')
    await writeFile(path, sluiceConfig({ ...settings, directory, sink, port, admin }))
    const profile = profiles === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profiles}`]
    return {
      executable: process.execPath,
      args: [...profile, join(source, 'src', 'sluice.js'), 'serve', '--config', path],
      url: `http://127.0.0.1:${port}/api/v1/write`,
      otlpPath: '/v1/metrics',
      ready: `http://127.0.0.1:${admin}/-/ready`,
    }
  },

  // Its own protocol would save it bytes, but a Prometheus does not speak that.
  vmagent: async ({ directory, sink }, port) => ({
    executable: await peer('vmagent'),
    args: [
      `-httpListenAddr=127.0.0.1:${port}`,
      `-remoteWrite.url=${sink}`,
      '-remoteWrite.forcePromProto=true',
      `-remoteWrite.tmpDataPath=${join(directory, 'queue')}`,
      '-opentelemetry.usePrometheusNaming',
      '-opentelemetry.promoteScopeMetadata=false',
    ],
    url: `http://127.0.0.1:${port}/api/v1/write`,
    otlpPath: '/opentelemetry/v1/metrics',
    ready: `http://127.0.0.1:${port}/health`,
  }),

  prometheus: async ({ directory, sink }, port) => {
    const path = join(directory, 'prometheus.yml')
    await writeFile(path, prometheusConfig(sink))
    return {
      executable: await peer('prometheus'),
      args: [
        '--agent',
        `--config.file=${path}`,
        `--storage.agent.path=${join(directory, 'agent')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--web.enable-remote-write-receiver',
      ],
      url: `http://127.0.0.1:${port}/api/v1/write`,
      otlpPath: '/api/v1/otlp/v1/metrics',
      ready: `http://127.0.0.1:${port}/-/ready`,
    }
  },
}

type Place = { directory: string; sink: string; port: number; admin: number }

/** JSON is YAML. */
function sluiceConfig(options: SluiceSettings & Place): string {
  const { directory, sink, port, admin, storage, dedup, limits, otlp } = options
  return JSON.stringify({
    listen: {
      write: `127.0.0.1:${port}`,
      admin: `127.0.0.1:${admin}`,
      otlp_http: 'off',
      otlp_grpc: 'off',
    },
    storage: { path: join(directory, 'data'), ...storage },
    remote_write: [{ url: sink }],
    ...(dedup !== undefined && { dedup }),
    ...(limits !== undefined && { limits }),
    ...(otlp !== undefined && { otlp }),
  })
}

/** With some shards from the start: the agent would add them after ten seconds at the earliest. */
function prometheusConfig(sink: string): string {
  return JSON.stringify({
    remote_write: [
      {
        url: sink,
        protobuf_message: 'io.prometheus.write.v2.Request',
        metadata_config: { send: false },
        queue_config: { min_shards: 4, batch_send_deadline: '1s' },
      },
    ],
  })
}

/** The first line that it prints about itself. */
export async function versionOf(name: TargetName): Promise<string> {
  if (name === 'sluice') return `sluice ${VERSION}`
  const { stdout, stderr } = await promisify(execFile)(await peer(name), ['--version'])
  return `${stdout}${stderr}`.split('\n')[0]!.trim()
}

/**
 * The first start after an installation strips types and compiles, and keeps what it made of them;
 * it weighs 28 MB more than the starts that follow, which are measured.
 */
export async function compile(source = PROJECT): Promise<void> {
  const cache = join(tmpdir(), 'node-compile-cache')
  const env = { NODE_COMPILE_CACHE: cache, ...process.env }
  const [gateway, main] = ['gateway.ts', 'sluice.js'].map((name) => join(source, 'src', name))
  await promisify(execFile)(process.execPath, ['--import', gateway!, main!, 'help'], { env })
}

/** Whether this version of Sluice knows these settings. */
export async function isAccepted(
  settings: SluiceSettings,
  directory: string,
  source = PROJECT,
): Promise<boolean> {
  const path = join(directory, 'accepted.yaml')
  const place = { directory, sink: 'http://127.0.0.1:1/', port: 1, admin: 2 }
  await writeFile(path, sluiceConfig({ ...settings, ...place }))
  const main = join(source, 'src', 'sluice.js')
  return promisify(execFile)(process.execPath, [main, 'check', path]).then(
    () => true,
    () => false,
  )
}
