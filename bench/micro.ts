import { execFile } from 'node:child_process'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import type { Result } from './harness.ts'

type Baseline = { cpu: string; node: string; ns: Record<string, number> }

/** Slower than this is worth a look. */
const SLOWER = 1.15
const FOLDER = new URL('.', import.meta.url)
const BASELINE = new URL('baseline.json', import.meta.url)
/** Takes the whole path apart, and compares nothing. */
const OTHERS = ['path.bench.ts']

const { values, positionals } = parseArgs({
  options: { update: { type: 'boolean', default: false } },
  allowPositionals: true,
})

const baseline = JSON.parse(await readFile(BASELINE, 'utf8').catch(() => '{}')) as Partial<Baseline>
const machine = { cpu: cpus()[0]!.model, node: process.version }
const isComparable = baseline.cpu === machine.cpu && baseline.node === machine.node
const ns: Record<string, number> = { ...(isComparable && baseline.ns) }
let slower = 0

for (const file of await benchFiles()) {
  // A process each: a call site that has seen three shapes is slower for all of them.
  const path = fileURLToPath(new URL(file, FOLDER))
  const { stdout } = await promisify(execFile)(process.execPath, [path])
  for (const line of stdout.trim().split('\n')) {
    const result = JSON.parse(line) as Result
    const before = isComparable ? baseline.ns?.[result.name] : undefined
    if (before !== undefined && result.ns > before * SLOWER) slower += 1
    console.log(lineOf(result, before))
    ns[result.name] = result.ns
  }
}
if (values.update) {
  await writeFile(BASELINE, `${JSON.stringify({ ...machine, ns }, null, 2)}\n`)
} else if (!isComparable) {
  console.log('the baseline is from another machine or Node: nothing was compared')
} else if (slower > 0) {
  console.log(`${slower} slower than the baseline by more than 15 %`)
  process.exitCode = 1
}

/** All, or those that were asked for by their beginning: `npm run bench:micro -- decode`. */
async function benchFiles(): Promise<string[]> {
  const files = (await readdir(FOLDER)).filter((name) => name.endsWith('.bench.ts'))
  const isWanted = (name: string) =>
    positionals.length === 0
      ? !OTHERS.includes(name)
      : positionals.some((wanted) => name.startsWith(wanted))
  return files.filter(isWanted).sort()
}

function lineOf({ name, unit, ns: now, spread, result }: Result, before?: number): string {
  const change = before === undefined ? '' : `${(now / before).toFixed(2)} × the baseline`
  const cost = `${now.toPrecision(3)} ns per ${unit}`
  const range = `± ${spread} %`
  return `${name.padEnd(30)} ${cost.padEnd(24)} ${range.padEnd(9)} ${change.padEnd(20)} = ${result}`
}
