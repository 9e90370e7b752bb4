import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

const OUTPUT_LINES_KEPT = 40

/** A process of ours, ended by its own number. */
export type Child = {
  process: ChildProcess
  /** The last lines of what it wrote, for error messages. */
  output(): string
  /** Resolves when `url` answers with success; rejects when it does not, or the process ends. */
  ready(url: string, timeoutMs?: number): Promise<void>
  /** Resolves when `text` is among the lines that are kept; rejects as `ready` does. */
  says(text: string, timeoutMs?: number): Promise<void>
  /** SIGTERM, and SIGKILL when that does not help. Resolves with the exit code. */
  stop(): Promise<number | null>
  kill(): Promise<void>
}

export type ChildOptions = {
  env?: NodeJS.ProcessEnv
  cwd?: string
  /** Out of reach of the terminal, whose Ctrl-C then ends us alone, and we end the child. */
  detached?: boolean
}

export function startChild(command: string, args: string[], options: ChildOptions = {}): Child {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text = (text + chunk).split('\n').slice(-OUTPUT_LINES_KEPT).join('\n')
    })
  }
  const isOver = () => child.exitCode !== null || child.signalCode !== null
  const over = once(child, 'exit').catch((error) => {
    text += String(error)
  })
  const output = () => text.trimEnd()
  const until = async (isDone: () => Promise<boolean>, problem: string, timeoutMs = 20_000) => {
    const deadlineMs = performance.now() + timeoutMs
    while (performance.now() < deadlineMs && !isOver()) {
      if (await isDone()) return
      await delay(50)
    }
    throw new Error(`${command} ${problem}; it says:\n${output()}`)
  }

  return {
    process: child,
    output,
    ready: (url, timeoutMs) => until(() => answers(url), `does not answer at ${url}`, timeoutMs),
    says: (wanted, timeoutMs) =>
      until(async () => text.includes(wanted), `does not say "${wanted}"`, timeoutMs),
    stop: async () => {
      if (!isOver()) child.kill('SIGTERM')
      const inTime = await Promise.race([
        over.then(() => true),
        delay(15_000, false, { ref: false }),
      ])
      if (!inTime) child.kill('SIGKILL')
      await over
      return child.exitCode
    },
    kill: async () => {
      if (!isOver()) child.kill('SIGKILL')
      await over
    },
  }
}

async function answers(url: string): Promise<boolean> {
  // One that takes the connection and is silent must not outlast the deadline.
  const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) }).catch(() => null)
  await answer?.body?.cancel()
  return answer?.ok === true
}

/** A loopback port that was free a moment ago: `wanted` if possible. */
export async function freePort(wanted = 0): Promise<number> {
  const server = createServer()
  const isFree = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(wanted, '127.0.0.1', () => resolve(true))
  })
  if (!isFree && wanted !== 0) return freePort()
  if (!isFree) throw new Error('no loopback port is free')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
