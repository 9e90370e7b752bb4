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
  /** SIGTERM, and SIGKILL when that does not help. Resolves with the exit code. */
  stop(): Promise<number | null>
  kill(): Promise<void>
}

export function startChild(
  command: string,
  args: string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string } = {},
): Child {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
  const lines: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      lines.push(...chunk.toString().trimEnd().split('\n'))
      lines.splice(0, lines.length - OUTPUT_LINES_KEPT)
    })
  }
  const isOver = () => child.exitCode !== null || child.signalCode !== null
  const over = once(child, 'exit').catch((error) => lines.push(String(error)))
  const output = () => lines.join('\n')

  return {
    process: child,
    output,
    ready: async (url, timeoutMs = 20_000) => {
      const deadlineMs = performance.now() + timeoutMs
      while (performance.now() < deadlineMs && !isOver()) {
        const answer = await fetch(url).catch(() => null)
        if (answer?.ok === true) return
        await delay(50)
      }
      throw new Error(`${command} does not answer at ${url}; it says:\n${output()}`)
    },
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

/** A loopback port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
