import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { VERSION } from '../src/base/version.ts'
import { runCommand } from '../src/commands.ts'

let directory = ''
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sluice-commands-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

let out: string[] = []
let err: string[] = []
beforeEach(() => {
  out = []
  err = []
  Object.assign(console, {
    log: (line: string) => out.push(line),
    error: (line: string) => err.push(line),
  })
})
const { log, error } = console
afterEach(() => void Object.assign(console, { log, error }))

async function fileOf(text: string): Promise<string> {
  const path = join(directory, 'sluice.yaml')
  await writeFile(path, text)
  return path
}

test.for(['version', '--version'])('%s prints the version and nothing else', async (command) => {
  expect(await runCommand([command])).toBe(0)
  expect(out).toEqual([`sluice ${VERSION}`])
})

test.for([['help'], ['--help'], ['-h'], ['serve', '--help']])('%s explains', async (args) => {
  expect(await runCommand(args)).toBe(0)
  expect(out.join()).toContain('sluice check FILE')
  expect(err).toEqual([])
})

test.for([
  [[], 'no command'],
  [['sevre'], 'unknown command "sevre"'],
  [['serve', '--port', '1'], "Unknown option '--port'"],
  [['check'], 'check takes one file'],
  [['check', 'a', 'b'], 'check takes one file'],
] as const)('%j is not understood: exit code 2, and how it is meant', async ([args, problem]) => {
  expect(await runCommand(args)).toBe(2)
  expect(out).toEqual([])
  expect(err.join()).toContain(problem)
  expect(err.join()).toContain('sluice serve')
})

test('check shows what a valid file means, and what of it has no effect', async () => {
  const path = await fileOf(`
storage: { path: /var/lib/sluice, quota: 1KiB }
remote_write: [{ name: mimir, url: http://mimir/push, send_exemplars: true }]
`)
  expect(await runCommand(['check', path])).toBe(0)
  const text = out.join('\n')
  expect(text).toContain(`${path} is valid`)
  expect(text).toContain('/var/lib/sluice, quota 1024 bytes, acknowledges after fsync')
  expect(text).toContain('mimir, http://mimir/push')
  expect(text).toContain('warning: sluice.yaml:3: remote_write[0].send_exemplars: ignored')
  expect(err).toEqual([])
})

test.for(['check', 'serve'])('%s shows every problem of a file and fails', async (command) => {
  const path = await fileOf('listen: { write: x }\nstorage: { quota: y }\n')
  const args = command === 'check' ? [command, path] : [command, '--config', path]
  expect(await runCommand(args)).toBe(1)
  expect(out).toEqual([])
  const [text] = err
  expect(text).toMatch(/^CONFIG_INVALID: sluice\.yaml:1: listen\.write: /)
  expect(text).toContain('sluice.yaml:2: storage.quota: ')
})

test('a file that is not there is named, with what to do', async () => {
  const path = join(directory, 'none.yaml')
  expect(await runCommand(['check', path])).toBe(1)
  const remedy = 'cannot be read (ENOENT): check the path and its permissions'
  expect(err).toEqual([`CONFIG_INVALID: ${path}: ${remedy}`])
})
