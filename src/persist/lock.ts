import { link, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { SluiceError } from '../base/errors.ts'

/** Held until it is released, or until the process ends in whatever way. */
export type Lock = { release(): Promise<void> }

/** Who holds a ticket. A number alone is not enough: the kernel gives numbers out again. */
type Owner = {
  pid: number
  /** Differs after each boot; empty where the system has none. */
  bootId: string
  /** Clock ticks from boot to the start of the process; empty where the system does not say. */
  startTime: string
}

/** `lock.7` is the seventh ticket; the one of a process that has ended counts for nothing. */
const TICKET = /^lock\.(\d+)$/

/** How long the holder of an earlier ticket waits for a later one to step back. */
const PATIENCE_MS = 2000
const POLL_MS = 20

/**
 * Makes this process the only one that writes to `directory`.
 *
 * Whoever wants the lock first shows a ticket, then looks at the others'. Of two who start at
 * once, one must see the other: the later ticket steps back, the earlier one waits until it
 * has. So there may be none who wins, but never two. Tickets of processes that have ended are
 * removed by the winner.
 *
 * It does not see processes that are numbered elsewhere: containers that share a directory
 * must share their process numbers, or there must be one of them only.
 *
 * @throws LOG_LOCKED when another process that is alive has it
 * @throws LOG_FAILED when nothing can be written to the directory
 */
export async function acquireLock(directory: string, clock: Clock): Promise<Lock> {
  const ticket = await showTicket(directory).catch((cause: Error) => {
    const message = `cannot write to ${directory}: ${cause.message}; see that its disk has room`
    throw new SluiceError('LOG_FAILED', message, { cause })
  })
  const path = join(directory, `lock.${ticket}`)
  try {
    for (let leftMs = PATIENCE_MS; ; leftMs -= POLL_MS) {
      const others = (await listTickets(directory)).filter((other) => other !== ticket)
      const rivals = await aliveAmong(directory, others)
      if (rivals.length === 0) {
        for (const stale of others) await rm(join(directory, `lock.${stale}`), { force: true })
        return { release: () => rm(path, { force: true }) }
      }
      const isLater = rivals.some((rival) => rival.ticket < ticket)
      if (isLater || leftMs <= 0) throw lockedError(directory, rivals[0]!.pid)
      await clock.sleep(POLL_MS)
    }
  } catch (error) {
    await rm(path, { force: true })
    throw error
  }
}

/** Puts up a ticket with the next number, whole from the first moment that it can be seen. */
async function showTicket(directory: string): Promise<number> {
  const owner: Owner = await ownerOf(process.pid)
  // Two locks in one process must not write to one draft.
  const draft = join(directory, `lock.draft-${process.pid}-${process.hrtime.bigint()}`)
  try {
    await writeFile(draft, JSON.stringify(owner), { flag: 'wx', mode: 0o600 })
    for (;;) {
      const ticket = Math.max(0, ...(await listTickets(directory))) + 1
      try {
        await link(draft, join(directory, `lock.${ticket}`))
        return ticket
      } catch (error) {
        // Somebody else has taken this number a moment ago.
        if (codeOf(error) !== 'EEXIST') throw error
      }
    }
  } finally {
    await rm(draft, { force: true })
  }
}

async function listTickets(directory: string): Promise<number[]> {
  const tickets: number[] = []
  for (const name of await readdir(directory)) {
    const digits = TICKET.exec(name)?.[1]
    if (digits !== undefined) tickets.push(Number(digits))
  }
  return tickets.sort((a, b) => a - b)
}

async function aliveAmong(
  directory: string,
  tickets: readonly number[],
): Promise<{ ticket: number; pid: number }[]> {
  const alive: { ticket: number; pid: number }[] = []
  for (const ticket of tickets) {
    const owner = await readOwner(join(directory, `lock.${ticket}`))
    if (owner && (await isAlive(owner))) alive.push({ ticket, pid: owner.pid })
  }
  return alive
}

/** Undefined when the ticket is gone by now, or was never written as a whole (a power cut). */
async function readOwner(path: string): Promise<Owner | undefined> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return ''
    throw error
  })
  try {
    const { pid, bootId, startTime } = JSON.parse(text) as Partial<Owner>
    const isWhole = Number.isSafeInteger(pid) && bootId !== undefined && startTime !== undefined
    return isWhole ? { pid: pid!, bootId, startTime } : undefined
  } catch {
    return undefined
  }
}

async function isAlive(owner: Owner): Promise<boolean> {
  const now = await ownerOf(owner.pid)
  if (now.bootId !== owner.bootId) return false
  if (owner.startTime !== '') {
    return now.startTime === owner.startTime && !(await isOver(owner.pid))
  }
  try {
    process.kill(owner.pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

/**
 * Whether all of a process has ended, and only whoever started it has not asked yet. While one of
 * its threads is still about to end, it may be writing.
 */
async function isOver(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  if (stat.charAt(stat.lastIndexOf(')') + 2) !== 'Z') return false
  const threads = await readdir(`/proc/${pid}/task`).catch(() => [])
  return threads.length <= 1
}

async function ownerOf(pid: number): Promise<Owner> {
  const bootId = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  // The second field is the program's name in parentheses, and may hold anything. What follows
  // it begins with the third field; the start time is the 22nd.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { pid, bootId: bootId.trim(), startTime: fields[19] ?? '' }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

function lockedError(directory: string, pid: number): SluiceError {
  return new SluiceError(
    'LOG_LOCKED',
    `${directory} is in use by process ${pid}; stop that process, or give this one another ` +
      'storage.path (two processes in one directory would destroy the log)',
  )
}
