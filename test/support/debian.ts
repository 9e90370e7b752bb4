import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Newer than what a stable Debian has: the suite in which packages arrive first. */
const SUITE = 'sid'
const SOURCES = '/etc/apt'
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'

/**
 * Unpacks a Debian package into `directory` without installing it: apt is given its own
 * configuration, lists and cache, so the machine's own are neither used nor changed.
 *
 * The mirror is the one that the machine itself uses for Debian.
 */
export async function unpackDebianPackage(name: string, directory: string): Promise<void> {
  await mkdir(dirname(directory), { recursive: true })
  const draft = await mkdtemp(join(dirname(directory), `${basename(directory)}-`))
  try {
    const environment = { ...process.env, APT_CONFIG: await writeConfiguration(draft) }
    const options = { cwd: draft, env: environment, timeout: 240_000 }
    await run('apt-get', ['update'], options)
    await run('apt-get', ['download', name], options)
    const archive = (await readdir(draft)).find((file) => file.endsWith('.deb'))
    if (archive === undefined) throw new Error(`apt-get has downloaded no package of ${name}`)
    const unpacked = join(draft, 'unpacked')
    await run('dpkg', ['-x', join(draft, archive), unpacked])
    await moved(unpacked, directory)
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

/** At once or not at all; somebody else may have been quicker, and then theirs is as good. */
async function moved(from: string, to: string): Promise<void> {
  try {
    await rename(from, to)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error
  }
}

async function writeConfiguration(directory: string): Promise<string> {
  const { uri, keyring } = await machineMirror()
  for (const folder of ['state/lists/partial', 'cache/archives/partial', 'etc/preferences.d']) {
    await mkdir(join(directory, folder), { recursive: true })
  }
  await writeFile(join(directory, 'status'), '')
  await writeFile(
    join(directory, 'sources.list'),
    `deb [signed-by=${keyring}] ${uri} ${SUITE} main\n`,
  )
  const path = join(directory, 'apt.conf')
  await writeFile(
    path,
    `${[...OWN_SETTINGS(directory), ...(await networkSettings())].join('\n')}\n`,
  )
  return path
}

const OWN_SETTINGS = (directory: string): string[] => [
  `Dir "${directory}";`,
  'Dir::State "state";',
  `Dir::State::status "${directory}/status";`,
  'Dir::Cache "cache";',
  `Dir::Etc "${directory}/etc";`,
  `Dir::Etc::SourceList "${directory}/sources.list";`,
  'Dir::Etc::SourceParts "/dev/null";',
  'Dir::Etc::Parts "/dev/null";',
  'Acquire::Languages "none";',
  // A mirror may lag behind, or our clock be ahead; the signature is checked all the same.
  'Acquire::Check-Valid-Until "false";',
  'Acquire::Retries "3";',
  // The folder belongs to whoever runs the tests.
  `APT::Sandbox::User "${process.getuid?.() === 0 ? 'root' : ''}";`,
]

/** How the machine reaches the network: proxies and certificates. */
async function networkSettings(): Promise<string[]> {
  const { stdout } = await run('apt-config', ['dump'])
  return stdout.split('\n').filter((line) => /^Acquire::https?::\S+ ".+";$/.test(line))
}

type Mirror = { uri: string; keyring: string }

/** The first of the machine's sources that is Debian's main archive. */
async function machineMirror(): Promise<Mirror> {
  const folder = join(SOURCES, 'sources.list.d')
  const names = (await readdir(folder).catch(() => [])).map((name) => join(folder, name))
  for (const path of [join(SOURCES, 'sources.list'), ...names.sort()]) {
    const text = await readFile(path, 'utf8').catch(() => '')
    const mirror = path.endsWith('.sources') ? fromDeb822(text) : fromLines(text)
    if (mirror !== undefined) return mirror
  }
  throw new Error(`no source in ${SOURCES} is Debian's archive, so packages cannot be fetched`)
}

function fromDeb822(text: string): Mirror | undefined {
  for (const paragraph of text.split(/\n\s*\n/)) {
    const field = (name: string) =>
      new RegExp(`^${name}:\\s*(.+)$`, 'im').exec(paragraph)?.[1]?.trim()
    const uri = field('URIs')?.split(/\s+/).find(isDebianArchive)
    if (uri !== undefined) return { uri, keyring: field('Signed-By') ?? KEYRING }
  }
  return undefined
}

function fromLines(text: string): Mirror | undefined {
  for (const line of text.split('\n')) {
    const [, options = '', uri] = /^deb\s+(?:\[(.*?)\]\s+)?(\S+)/.exec(line) ?? []
    if (uri === undefined || !isDebianArchive(uri)) continue
    return { uri, keyring: /signed-by=(\S+)/.exec(options)?.[1] ?? KEYRING }
  }
  return undefined
}

/** Not the archive of security updates, which has no such suite. */
function isDebianArchive(uri: string): boolean {
  return /\/debian\/?$/.test(uri)
}
