import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Context, Row } from './context.ts'
import { leaveTargetCore } from './cpu.ts'
import { writeResults } from './results.ts'
import { stopAll } from './rig.ts'
import { ROWS } from './rows.ts'
import { type Measurement, tableHead, tableLine, withRatios } from './table.ts'
import { compile } from './target.ts'

const USAGE = `npm run bench -- [options]

  --quick           shorter windows and fewer rows: ends in two minutes
  --only ROW        this row; may be given several times: ${ROWS.map(({ name }) => name).join(' ')}
  --warm-up SECONDS, --seconds SECONDS   before the measurement, and of it
  --minutes N       of the row uptime, which is run only when it is named; 30
  --no-peers        Sluice alone
  --source DIR      measures another checkout of Sluice with this benchmark
  --cpu-prof DIR    writes a CPU profile of Sluice for each row
  --out FILE        where results go; bench/results.json for a whole run, nowhere for --only
`

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
    'warm-up': { type: 'string' },
    seconds: { type: 'string' },
    minutes: { type: 'string', default: '30' },
    'no-peers': { type: 'boolean', default: false },
    source: { type: 'string' },
    'cpu-prof': { type: 'string' },
    out: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

const PROJECT = fileURLToPath(new URL('..', import.meta.url))
/** A quick run begins no further row after this. */
const QUICK_MS = 105_000
/** Nothing takes so long, unless it hangs. */
const ROW_SECONDS_MAX = 600

let isEnding = false

async function main(): Promise<void> {
  const rows = ROWS.filter(({ name, isLong, isOnDemand }) =>
    values.only === undefined
      ? !(isOnDemand || (values.quick && isLong))
      : values.only.includes(name),
  )
  if (values.help || rows.length === 0) return void console.log(USAGE)
  await leaveTargetCore()
  await compile(values.source)
  const caches = join(PROJECT, '.cache')
  await mkdir(caches, { recursive: true })
  const workspace = await mkdtemp(join(caches, 'bench-'))
  endOnSignals(workspace)
  let deadline: NodeJS.Timeout | undefined
  try {
    const lines: Measurement[] = []
    console.log(tableHead())
    for (const row of rows) {
      if (values.quick && performance.now() > QUICK_MS) {
        console.log(`${row.name.padEnd(12)}  left out: the time of a quick run is over`)
        continue
      }
      deadline = setTimeout(() => endOf(row), secondsMax(row) * 1000)
      for await (const line of row.run(contextOf(workspace, lines))) {
        lines.push(withRatios(line, lines))
        console.log(tableLine(lines.at(-1)!))
      }
      clearTimeout(deadline)
    }
    const out = values.out ?? (values.only ? undefined : join(PROJECT, 'bench', 'results.json'))
    if (out !== undefined) await writeResults(resolve(out), lines, values)
  } finally {
    clearTimeout(deadline)
    await stopAll()
    await rm(workspace, { recursive: true, force: true })
  }
}

function contextOf(workspace: string, measured: readonly Measurement[]): Context {
  const { quick, source, 'cpu-prof': profiles } = values
  return {
    setting: {
      workspace,
      warmUpSeconds: Number(values['warm-up'] ?? (quick ? 3 : 20)),
      windowSeconds: Number(values.seconds ?? (quick ? 2 : 12)),
      windows: quick ? 3 : 9,
    },
    peers: values['no-peers'] ? [] : ['vmagent', 'prometheus'],
    measured,
    isQuick: quick,
    minutes: Number(values.minutes),
    sluice: {
      ...(source !== undefined && { source: resolve(source) }),
      ...(profiles !== undefined && { profiles: resolve(profiles) }),
    },
  }
}

/** What was started is ended, whatever ends us. */
function endOnSignals(workspace: string): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, async () => {
      isEnding = true
      await stopAll()
      await rm(workspace, { recursive: true, force: true })
      process.exit(130)
    })
  }
}

function secondsMax({ isOnDemand }: Row): number {
  return ROW_SECONDS_MAX + (isOnDemand ? Number(values.minutes) * 60 : 0)
}

function endOf(row: Row): void {
  console.error(`${row.name} took more than ${secondsMax(row)} seconds`)
  process.kill(process.pid, 'SIGTERM')
}

try {
  await main()
} catch (error) {
  // Whoever pressed Ctrl-C need not hear that the helpers are gone.
  if (!isEnding) {
    console.error(error)
    process.exitCode = 1
  }
}
