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
    package: 'promtool',
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
  strace: {
    executables: ['strace'],
    variable: 'SLUICE_STRACE',
    package: 'strace',
    version: [6, 1],
  },
} satisfies Record<string, Peer>

export type PeerName = keyof typeof PEERS

/** Where Debian puts executables; servers may lie in the second. */
const FOLDERS = [join('usr', 'bin'), join('usr', 'sbin')]

/**
 * Path of a real peer's executable: from its environment variable, from the PATH when new
 * enough, else unpacked from Debian's packages into a cache folder. Never skips: what
 * cannot be had is an error that says what was tried.
 */
export async function peer(name: PeerName): Promise<string> {
  const wanted: Peer = PEERS[name]
  const given = process.env[wanted.variable]
  if (given !== undefined) {
    if (await isExecutable(given)) return given
    throw new Error(`${wanted.variable} is ${given}, which is no file that can be executed`)
  }
  const installed = await onPath(wanted)
  if (installed !== undefined) return installed

  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache')
  const directory = join(cache, 'sluice', 'peers', wanted.package)
  const folders = FOLDERS.map((folder) => join(directory, folder))
  const cached = await firstExecutable(wanted, folders)
  if (cached !== undefined) return cached
  const remedy = `install it, or set ${wanted.variable} to its path`
  try {
    await unpackDebianPackage(wanted.package, directory)
  } catch (cause) {
    const tried = `the PATH has no ${name} of at least ${wanted.version.join('.')}, and`
    const message = `${tried} Debian's package ${wanted.package} could not be fetched: ${remedy}`
    throw new Error(message, { cause })
  }
  const fetched = await firstExecutable(wanted, folders)
  if (fetched !== undefined) return fetched
  const found = `Debian's package ${wanted.package}, unpacked in ${directory}, holds no ${name}`
  throw new Error(`${found}: remove that folder to fetch it again, ${remedy}`)
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
      if (await isExecutable(path)) return path
    }
  }
  return undefined
}

function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}

/** A build that does not tell its version is taken for too old. */
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
