import { execFile } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { unpackDebianPackage } from './debian.ts'

const run = promisify(execFile)

type Peer = {
  /** Names of the executable, the most usual first. */
  executables: string[]
  /** Overrides the search. */
  variable: string
  package: string
  /** The oldest that will do, major and minor. */
  version: [number, number]
}

const PEERS = {
  prometheus: {
    executables: ['prometheus'],
    variable: 'SLUICE_PROMETHEUS',
    package: 'prometheus',
    version: [3, 5],
  },
  promtool: {
    executables: ['promtool'],
    variable: 'SLUICE_PROMTOOL',
    package: 'prometheus',
    version: [3, 5],
  },
  node_exporter: {
    executables: ['node_exporter', 'prometheus-node-exporter'],
    variable: 'SLUICE_NODE_EXPORTER',
    package: 'prometheus-node-exporter',
    version: [1, 8],
  },
  vmagent: {
    executables: ['vmagent'],
    variable: 'SLUICE_VMAGENT',
    package: 'victoria-metrics',
    version: [1, 100],
  },
  'nats-server': {
    executables: ['nats-server'],
    variable: 'SLUICE_NATS_SERVER',
    package: 'nats-server',
    version: [2, 10],
  },
} satisfies Record<string, Peer>

export type PeerName = keyof typeof PEERS

/**
 * Path of a real peer's executable: from its environment variable, from the PATH when new
 * enough, else unpacked from Debian's packages into a cache folder. Never skips: what
 * cannot be had is an error that says what was tried.
 */
export async function peer(name: PeerName): Promise<string> {
  const wanted: Peer = PEERS[name]
  const given = process.env[wanted.variable]
  if (given !== undefined) return given
  const installed = await onPath(wanted)
  if (installed !== undefined) return installed

  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache')
  const directory = join(cache, 'sluice', 'peers', wanted.package)
  const unpacked = () => firstExecutable(wanted, [join(directory, 'usr', 'bin')])
  const cached = await unpacked()
  if (cached !== undefined) return cached
  try {
    await unpackDebianPackage(wanted.package, directory)
  } catch (cause) {
    const message = `${name} is not on the PATH, and Debian's package ${wanted.package} could not be fetched; install it, or set ${wanted.variable} to its path`
    throw new Error(message, { cause })
  }
  const fetched = await unpacked()
  if (fetched === undefined) throw new Error(`${wanted.package} holds no ${name}`)
  return fetched
}

async function onPath(wanted: Peer): Promise<string | undefined> {
  const path = await firstExecutable(wanted, (process.env['PATH'] ?? '').split(delimiter))
  return path !== undefined && (await isNewEnough(path, wanted.version)) ? path : undefined
}

async function firstExecutable(
  { executables }: Peer,
  directories: string[],
): Promise<string | undefined> {
  for (const directory of directories.filter((each) => each !== '')) {
    for (const name of executables) {
      const path = join(directory, name)
      const isThere = await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
      if (isThere) return path
    }
  }
  return undefined
}

async function isNewEnough(path: string, [major, minor]: [number, number]): Promise<boolean> {
  const { stdout, stderr } = await run(path, ['--version']).catch(() => ({
    stdout: '',
    stderr: '',
  }))
  const found = /(\d+)\.(\d+)/.exec(`${stdout}${stderr}`)
  if (found === null) return false
  const [foundMajor, foundMinor] = [Number(found[1]), Number(found[2])]
  return foundMajor > major || (foundMajor === major && foundMinor >= minor)
}
