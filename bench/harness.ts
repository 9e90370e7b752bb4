/** A piece of work, always the same, measured per unit. */
export type Case = {
  name: string
  /** What one unit is: a sample, a byte, a record. */
  unit: string
  unitsPerRun: number
  /** Returns something that depends on all of the work, so that none can be left out. */
  run: () => number | Promise<number>
}

/** One case measured; a line of JSON on the standard output. */
export type Result = {
  name: string
  unit: string
  /** Nanoseconds per unit, of the run in the middle. */
  ns: number
  /** Between the quartiles, in percent of the median. */
  spread: number
  /** What `run` returned: a benchmark that computes the wrong thing shows. */
  result: number
}

const WARM_UP_MS = 1_000
const RUNS = 15
/** One run repeats the work this long, so that the clock's own cost does not count. */
const RUN_MS = 60

/** Warms up, runs several times, prints medians. */
export async function bench(cases: readonly Case[]): Promise<void> {
  for (const each of cases) console.log(JSON.stringify(await measured(each)))
}

async function measured({ name, unit, unitsPerRun, run }: Case): Promise<Result> {
  const { result, nsPerRun } = await repeated(run, WARM_UP_MS)
  const times = [nsPerRun]
  while (times.length <= RUNS) times.push((await repeated(run, RUN_MS)).nsPerRun)
  const sorted = times.slice(1).sort((one, other) => one - other)
  const median = sorted[RUNS >> 1]!
  const spread = (100 * (sorted[(RUNS * 3) >> 2]! - sorted[RUNS >> 2]!)) / median
  return { name, unit, ns: round(median / unitsPerRun), spread: round(spread), result }
}

async function repeated(run: Case['run'], ms: number) {
  const startMs = performance.now()
  let nowMs = startMs
  let times = 0
  let result = 0
  while (nowMs - startMs < ms) {
    const value = run()
    // Waiting for what is there already would be measured as well.
    result = typeof value === 'number' ? value : await value
    times += 1
    nowMs = performance.now()
  }
  return { result, nsPerRun: ((nowMs - startMs) * 1e6) / times }
}

function round(value: number): number {
  return Number(value.toPrecision(3))
}
