import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The kernel counts in these, whatever the machine: USER_HZ is part of its interface. */
const TICK_MICROS = 10_000

/** What is measured has a core of its own; everything else shares the others. */
export const TARGET_CORE = '0'
export const LOAD_CORES = availableParallelism() > 2 ? `1-${availableParallelism() - 1}` : '1'

/** CPU time of all threads of a process since it started, in user and in kernel mode. */
export async function cpuMicros(pid: number): Promise<number> {
  return ticksOf(await readFile(`/proc/${pid}/stat`, 'utf8')) * TICK_MICROS
}

/** The same, thread by thread. */
export async function threadMicros(pid: number): Promise<Map<string, number>> {
  const threads = new Map<string, number>()
  for (const thread of await readdir(`/proc/${pid}/task`)) {
    const stat = await readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8')
    threads.set(thread, ticksOf(stat) * TICK_MICROS)
  }
  return threads
}

/**
 * Time that processes, and the host's other guests, took from the core of the target. What the
 * network costs in interrupts is nobody's.
 */
export async function coreMicros(): Promise<number> {
  const stat = await readFile('/proc/stat', 'utf8')
  const line = stat.split('\n').find((each) => each.startsWith(`cpu${TARGET_CORE} `))!
  const [user, nice, system, , , , , steal] = line.split(' ').slice(1).map(Number)
  return (user! + nice! + system! + steal!) * TICK_MICROS
}

export async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) * 1024
}

/** Moves this process, and what it starts from now on, to the cores that are not measured. */
export async function leaveTargetCore(): Promise<void> {
  if (availableParallelism() < 2) throw new Error('the benchmark needs two cores: one is measured')
  await run('taskset', ['-cp', LOAD_CORES, String(process.pid)])
}

/** Fields 14 and 15; the second field is a name in parentheses and may hold spaces. */
function ticksOf(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return Number(fields[11]) + Number(fields[12])
}
