import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** What a helper process can be asked for. Arguments and answers are plain data. */
export type Orders = Record<string, (argument: never) => unknown>

export type Helper<Known extends Orders> = {
  pid: number
  /** One order at a time; rejects with the helper's error, or when the helper ends. */
  ask<Name extends keyof Known & string>(
    name: Name,
    ...argument: Parameters<Known[Name]>
  ): Promise<Awaited<ReturnType<Known[Name]>>>
  stop(): Promise<void>
}

type Question = { name: string; argument: unknown }
type Answer = { value: unknown } | { error: string }

/**
 * Bodies lie outside of the heap, and the engine collects garbage a few times per second on
 * their account: 25 ms each time, in which an answer is noticed late. There is room enough.
 */
const MEMORY = [
  '--max-old-space-size=4096',
  '--initial-old-space-size=2048',
  '--external-memory-accounted-in-global-limit',
]

/** Starts `file` of this folder as a process of its own, so that its work is not the gateway's. */
export function startHelper<Known extends Orders>(file: string): Helper<Known> {
  const path = fileURLToPath(new URL(file, import.meta.url))
  const child = spawn(process.execPath, [...MEMORY, path], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    // Out of reach of Ctrl-C: whoever started the helper ends it.
    detached: true,
  })
  const over = once(child, 'exit').then(() => {
    throw new Error(`${file} has ended`)
  })
  over.catch(() => {})
  return {
    pid: child.pid!,
    ask: async (name, argument) => {
      const answer = once(child, 'message') as Promise<[Answer]>
      child.send({ name, argument } satisfies Question)
      const [message] = await Promise.race([answer, over])
      if ('error' in message) throw new Error(`${file}, ${name}: ${message.error}`)
      return message.value as never
    },
    stop: () => end(child),
  }
}

/** The helper's side: answers orders until the one who gives them is gone. */
export function obey(orders: Orders): void {
  process.on('message', async ({ name, argument }: Question) => {
    let answer: Answer
    try {
      answer = { value: await orders[name]!(argument as never) }
    } catch (error) {
      answer = { error: (error as Error).stack ?? String(error) }
    }
    process.send!(answer)
  })
  process.on('disconnect', () => process.exit(0))
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const over = once(child, 'exit')
  child.kill('SIGKILL')
  await over
}
