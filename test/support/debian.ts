import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Newer than what a stable Debian has: the suite in which packages arrive first. */
const SUITE = 'sid'
const SOURCES = '/etc/apt'
const ABANDONED_AFTER_MS = 3_600_000
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'

/**
 * Unpacks a Debian package into `directory` without installing it: apt is given its own
 * configuration, lists and cache, so the machine's own are neither used nor changed.
 *
 * The mirror is the one that the machine itself uses for Debian.
 */
export async function unpackDebianPackage(name: string, directory: string): Promise<void> {
  // Beside the target, so that a rename can move it there.
  const drafts = join(dirname(directory), 'drafts')
  await mkdir(drafts, { recursive: true })
  await removeAbandoned(drafts)
  const draft = await mkdtemp(join(drafts, `${basename(directory)}-`))
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

/** What a process left behind that was killed while it fetched. */
async function removeAbandoned(drafts: string): Promise<void> {
  for (const name of await readdir(drafts)) {
    const path = join(drafts, name)
    // Somebody else may remove it, or finish it, in this moment.
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }))
    if (Date.now() - mtimeMs > ABANDONED_AFTER_MS) await rm(path, { recursive: true, force: true })
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
  const { uri, signedBy } = await machineMirror(SOURCES)
  const folders = ['state/lists/partial', 'cache/archives/partial', 'etc/preferences.d', 'sources']
  for (const folder of folders) await mkdir(join(directory, folder), { recursive: true })
  await writeFile(join(directory, 'status'), '')
  const source = { Types: 'deb', URIs: uri, Suites: SUITE, Components: 'main' }
  const fields = Object.entries({ ...source, 'Signed-By': signedBy })
  await writeFile(
    join(directory, 'sources', 'debian.sources'),
    fields.map(([name, value]) => `${name}: ${value}\n`).join(''),
  )
  const settings = [...ownSettings(directory), ...(await networkSettings())]
  const path = join(directory, 'apt.conf')
  await writeFile(path, `${settings.join('\n')}\n`)
  return path
}

const ownSettings = (directory: string): string[] => [
  `Dir "${directory}";`,
  'Dir::State "state";',
  `Dir::State::status "${directory}/status";`,
  'Dir::Cache "cache";',
  `Dir::Etc "${directory}/etc";`,
  'Dir::Etc::SourceList "/dev/null";',
  `Dir::Etc::SourceParts "${directory}/sources";`,
  'Dir::Etc::Parts "/dev/null";',
  'Acquire::Languages "none";',
  // A mirror may lag behind, or our clock be ahead; the signature is checked all the same.
  'Acquire::Check-Valid-Until "false";',
  'Acquire::Check-Date "false";',
  'Acquire::Retries "3";',
  // Or a mirror that cannot be reached would be a warning, and the package unknown.
  'APT::Update::Error-Mode "any";',
  // The folder belongs to whoever runs the tests.
  `APT::Sandbox::User "${process.getuid?.() === 0 ? 'root' : ''}";`,
]

/** How the machine reaches the network: proxies and certificates. */
async function networkSettings(): Promise<string[]> {
  const { stdout } = await run('apt-config', ['dump'])
  return stdout.split('\n').filter((line) => /^Acquire::https?::\S+ ".+";$/.test(line))
}

/** `signedBy` as in a `.sources` file: paths of keyrings, or a key itself over several lines. */
export type Mirror = { uri: string; signedBy: string }

/**
 * The first source in `folder`, laid out as `/etc/apt` is, that is Debian's main archive.
 * Files that apt itself would not read are not read here either.
 */
export async function machineMirror(folder: string): Promise<Mirror> {
  const parts = join(folder, 'sources.list.d')
  const names = (await readdir(parts).catch(() => [])).sort()
  const paths = [join(folder, 'sources.list'), ...names.map((name) => join(parts, name))]
  for (const path of paths) {
    const parse = path.endsWith('.sources') ? fromDeb822 : fromLines
    if (!/\.(list|sources)$/.test(path)) continue
    const mirror = parse(await readFile(path, 'utf8').catch(() => ''))
    if (mirror !== undefined) return mirror
  }
  throw new Error(`no source in ${folder} is Debian's archive, so packages cannot be fetched`)
}

function fromDeb822(text: string): Mirror | undefined {
  const withoutComments = text.replace(/^#.*\n?/gm, '')
  for (const paragraph of withoutComments.split(/\n\s*\n/)) {
    // A field goes on in the lines below it that are indented.
    const field = (name: string) =>
      new RegExp(`^${name}:((?:.|\\n[ \\t])*)`, 'im').exec(paragraph)?.[1]?.trim()
    if (/^(no|false|0|off)$/i.test(field('Enabled') ?? '')) continue
    const uri = field('URIs')?.split(/\s+/).find(isDebianArchive)
    if (uri !== undefined) return { uri, signedBy: field('Signed-By') ?? KEYRING }
  }
  return undefined
}

function fromLines(text: string): Mirror | undefined {
  for (const line of text.split('\n')) {
    const [, options = '', uri] = /^\s*deb\s+(?:\[(.*?)\]\s+)?(\S+)/.exec(line) ?? []
    if (uri === undefined || !isDebianArchive(uri)) continue
    const keyrings = /signed-by=(\S+)/i.exec(options)?.[1]
    return { uri, signedBy: keyrings?.replaceAll(',', ' ') ?? KEYRING }
  }
  return undefined
}

/** Not the archive of security updates, which has no such suite. */
function isDebianArchive(uri: string): boolean {
  return /\/debian\/?$/.test(uri)
}
