import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../base/clock.ts'
import type { LogFields, Logger } from '../base/log.ts'
import { release } from '../base/memory.ts'
import { type Push, readPush } from '../ingest.ts'
import { AT_IS_IN_USE } from '../kernel/layout.ts'
import { createBatch } from '../model/batch.ts'
import type { Outcome } from '../model/outcome.ts'
import { Permits } from '../receive/permit.ts'
import { createEndpoint, DRAIN_MS } from './endpoint.ts'
import type { FromThread, ThreadData, ToThread } from './messages.ts'
import { createReadParts } from './reader.ts'

/**
 * An intake thread: receives, decompresses and decodes; the owner of the table does the rest.
 *
 * A batch lies in memory that both see. It is ours from `takeSlot` to the message that hands
 * it over, then the owner's until the owner clears AT_IS_IN_USE; the answer comes later, when
 * the block is on disk.
 */
const { listeners, tls, key, otlp, memories, permitBytes, connections } = workerData as ThreadData
const port = parentPort!
const post = (message: FromThread): void => port.postMessage(message)

const batches = memories.map((memory) => createBatch(memory))
const permits = new Permits(permitBytes)
const parts = createReadParts(key, otlp)
const waiting: ((slot: number) => void)[] = []
const open: ((outcome: Outcome) => void)[] = []
/** Numbers that a push had whose outcome is known: each is used again, so `open` stays short. */
const freeIds: number[] = []

const endpoint = createEndpoint({
  listeners,
  tls,
  ingest,
  permits,
  clock: systemClock,
  random: Math.random,
  log: createLog({}),
  connections,
  isShared: true,
})

port.on('message', (message: ToThread) => {
  if (message.kind === 'outcome') conclude(message.id, message.outcome)
  else if (message.kind === 'count') postCounters()
  else void stop()
})

try {
  await endpoint.start()
  post({ kind: 'listening' })
} catch (error) {
  post({ kind: 'failed', message: (error as Error).message })
  port.close()
}

async function ingest(push: Push): Promise<Outcome> {
  const slot = await takeSlot()
  const batch = batches[slot]!
  let reason: string | null
  try {
    reason = readPush(parts, push, batch)
  } catch (error) {
    // A fault of ours, told by whoever called; the slot must not be lost with it.
    giveBack(slot)
    throw error
  }
  if (reason !== null) {
    giveBack(slot)
    post({ kind: 'malformed' })
    return { kind: 'malformed', reason }
  }
  return handOver(push, slot)
}

function handOver(push: Push, slot: number): Promise<Outcome> {
  const { bytes, rejections } = batches[slot]!
  const bodyBytes = push.body.length
  const digest = parts.digest(push)
  // The kernel's memory has it, too.
  release(push.body)
  const id = freeIds.pop() ?? open.length
  const { cluster } = push.sender
  const sizes = { rawBytes: bytes.length, bodyBytes }
  post({ kind: 'push', id, slot, cluster, digest, ...sizes, rejections: rejections.plain() })
  return new Promise((resolve) => {
    open[id] = resolve
  })
}

/** A batch that nobody uses. When there is none, every one is on its way to an outcome. */
function takeSlot(): number | Promise<number> {
  const slot = freeSlot()
  return slot >= 0 ? slot : new Promise((resolve) => waiting.push(resolve))
}

function freeSlot(): number {
  for (const [slot, { kernel }] of batches.entries()) {
    if (Atomics.compareExchange(kernel.registers, AT_IS_IN_USE, 0, 1) === 0) return slot
  }
  return -1
}

function giveBack(slot: number): void {
  Atomics.store(batches[slot]!.kernel.registers, AT_IS_IN_USE, 0)
  serveWaiting()
}

function conclude(id: number, outcome: Outcome): void {
  open[id]!(outcome)
  freeIds.push(id)
  serveWaiting()
}

function serveWaiting(): void {
  while (waiting.length > 0) {
    const slot = freeSlot()
    if (slot < 0) return
    waiting.shift()!(slot)
  }
}

function postCounters(): void {
  const { refused: withoutRoom, inUseBytes: bodyBytes } = permits
  post({ kind: 'counters', counters: { ...endpoint.counters(), withoutRoom, bodyBytes } })
}

async function stop(): Promise<void> {
  await endpoint.stop(DRAIN_MS)
  postCounters()
  port.close()
}

function createLog(context: LogFields): Logger {
  const write =
    (level: 'info' | 'warn' | 'error') =>
    (message: string, fields: LogFields = {}): void =>
      post({ kind: 'log', level, message, fields: { ...context, ...fields } })
  return {
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (fields) => createLog({ ...context, ...fields }),
  }
}
