import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { REJECT_REASONS } from '../src/model/rejection.ts'

// Length of functions, default exports and floating promises are Biome's to find.

const LINES_MAX = 300
const COLUMNS_MAX = 100

/** What would make a failure impossible to replay, and the only files that use it. */
const DOORS = [
  { what: /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b/, only: ['base/clock.ts'] },
  { what: /\bMath\.random\b/, only: ['commands.ts', 'intake/thread.ts'] },
  // A key that nobody may guess and the name of a log; a test passes its own.
  { what: /\brandom(Bytes|Int|UUID)\b/, only: ['model/identity.ts', 'persist/log.ts'] },
  // One deadline around all of those that the HTTP client has, and the size of the heap.
  {
    what: /\bset(Immediate|Interval|Timeout)\b/,
    only: ['base/clock.ts', 'base/young-generation.ts', 'forward/exchange.ts'],
  },
  {
    what: /'node:fs/,
    only: [
      ...['base/disk.ts', 'base/secret-file.ts', 'commands.ts', 'kernel/kernel.ts'],
      'persist/lock.ts',
      'receive/certificates.ts',
    ],
  },
  { what: /\bprocess\.env\b/, only: [] },
  { what: /\bconsole\./, only: ['commands.ts'] },
]
/** Written apart, so that this file has none itself. */
const MARKS = new RegExp(['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', '@ts-' + '\\w+'].join('|'))
const ANY = /(?:[:<|&,(]|\bas|=>|=)\s*any\b(?=\s*[[\])>,;|&={}]|\s*$)/m

const ROOT = join(import.meta.dirname, '..')
const README = textOf('README.md')
/** Everything written by hand, from the root: `src/wire/snappy.ts`. */
const FILES = ['src', 'test', 'bench', 'deploy'].flatMap(filesIn)
/** From `src`, as the floors are drawn: `wire/snappy.ts`. */
const SOURCES = filesIn('src').map((path) => path.slice('src/'.length))
/** By file or folder, as drawn in ARCHITECTURE.md: `ingest.ts` on 4, `wire/` on 1. */
const FLOORS = new Map(
  [...textOf('ARCHITECTURE.md').matchAll(/^(\d+) {1,2}(\S.*)$/gm)].flatMap(([, floor, rooms]) =>
    [...rooms!.matchAll(/[\w-]+(?:\.[jt]s|\/)/g)].map(([room]) => [room, Number(floor)] as const),
  ),
)

test('every file stands on a floor, and every floor has a file', () => {
  const rooms = [...new Set(SOURCES.map(roomOf))]
  expect(rooms.toSorted()).toEqual([...FLOORS.keys()].toSorted())
})

test('imports only go down, or stay in their own folder', () => {
  const climbing = SOURCES.flatMap((path) =>
    importsOf(path)
      .filter((to) => roomOf(to) !== roomOf(path) && floorOf(to) >= floorOf(path))
      .map((to) => `${path} -> ${to}`),
  )
  expect(climbing).toEqual([])
})

test('no file is among those that it imports', () => {
  // Between folders there can be no circle; within one, types count as well.
  const circling = SOURCES.filter((path) => reachedFrom(path).has(path))
  expect(circling).toEqual([])
})

test('every source but the first is imported by another', () => {
  const imported = new Set(SOURCES.flatMap(importsOf))
  const first = ['intake/thread.ts', 'kernel/assembly/index.ts', 'main.ts']
  expect(SOURCES.filter((path) => !imported.has(path))).toEqual(first)
})

test('no file is longer than a reader can keep in mind, and no line wider than the page', () => {
  const linesOf = (path: string) => textOf(path).replace(/\n$/, '').split('\n')
  const long = FILES.filter((path) => linesOf(path).length > LINES_MAX)
  const wide = FILES.flatMap((path) =>
    linesOf(path).flatMap((line, i) => (widthOf(line) > COLUMNS_MAX ? `${path}:${i + 1}` : [])),
  )
  expect({ long, wide }).toEqual({ long: [], wide: [] })
})

test('nothing is put off, hidden from the checker, or of any type', () => {
  expect(FILES.filter((path) => MARKS.test(textOf(path)))).toEqual([])
  expect(FILES.filter((path) => ANY.test(codeOf(path)))).toEqual([])
})

test('no test is left out, runs alone, or replaces a module of ours', () => {
  const slack = /\b(?:test|describe|it)\.(?:only|skip|todo|fails)\b|\bvi\.(?:mock|doMock|spyOn)\b/
  expect(FILES.filter((path) => slack.test(codeOf(path)))).toEqual([])
})

test.for(DOORS)('$what comes in by the doors that are known', ({ what, only }) => {
  expect(SOURCES.filter((path) => what.test(codeOf(`src/${path}`)))).toEqual(only)
})

test('every error code has its heading in the README, and no other has', () => {
  const codes = [...textOf('src/base/errors.ts').matchAll(/^ {2}\| '(\w+)'$/gm)].map(([, c]) => c)
  const headings = [...README.matchAll(/^### (\w+)$/gm)].map(([, heading]) => heading)
  expect(headings.toSorted()).toEqual(codes.toSorted())
  expect(codes).toContain('LOG_FAILED')
})

test('every reason for a refusal has its line in the README, and no other has', () => {
  const [, table = ''] = README.split('\n| reason | |\n')
  const [rows = ''] = table.split('\n\n')
  const reasons = [...rows.matchAll(/^\| `([\w-]+)` \|/gm)].map(([, reason]) => reason)
  expect(reasons).toEqual([...REJECT_REASONS])
})

test('every file that the documents name is there', () => {
  const documents = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md']
  const named = documents.flatMap((document) =>
    [...textOf(document).matchAll(/(?<![\w./])[\w./-]+\.ts\b/g)].map(([path]) => path),
  )
  const known = new Set([...FILES, ...SOURCES])
  expect(named.filter((path) => !known.has(path))).toEqual([])
  expect(named).toContain('test/tidy.test.ts')
})

function filesIn(directory: string): string[] {
  const names = readdirSync(join(ROOT, directory), { recursive: true, encoding: 'utf8' })
  const paths = names.map((name) => `${directory}/${name.replaceAll('\\', '/')}`)
  return paths.filter((path) => /\.[jt]s$/.test(path)).toSorted()
}

function textOf(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

/** Without the comments that stand on lines of their own. */
function codeOf(path: string): string {
  return textOf(path).replace(/^\s*(?:\/\*|\*|\/\/).*$/gm, '')
}

/** Paths from `src` of what `path`, a source, imports of ours. */
function importsOf(path: string): string[] {
  // The compiler of the kernel wants its imports without the end.
  const imports = codeOf(`src/${path}`).matchAll(
    /\b(?:from|import)\s*\(?\s*'((?:\.{1,2}\/)+[^'.]+)(\.[jt]s)?'/g,
  )
  return [...imports].map(([, to, end = '.ts']) => join(dirname(path), `${to}${end}`))
}

/** Every source that is needed to run `path`, and `path` itself only if something imports it. */
function reachedFrom(path: string, reached = new Set<string>()): Set<string> {
  for (const to of importsOf(path)) {
    if (reached.has(to)) continue
    reached.add(to)
    reachedFrom(to, reached)
  }
  return reached
}

/** In columns, without the strings, which stay whole so that one can search for them. */
function widthOf(line: string): number {
  return [...line].length > COLUMNS_MAX ? [...line.replace(/'[^']*'|`[^`]*`/g, '')].length : 0
}

function roomOf(path: string): string {
  const [first, ...rest] = path.split('/')
  return rest.length === 0 ? first! : `${first}/`
}

function floorOf(path: string): number {
  return FLOORS.get(roomOf(path)) ?? Number.NaN
}
