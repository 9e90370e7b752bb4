import { Worker } from 'node:worker_threads'
import { SluiceError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { copyOf } from '../base/memory.ts'
import type { TlsFiles } from '../base/tls-files.ts'
import type { Arrival } from '../ingest.ts'
import { AT_IS_IN_USE } from '../kernel/layout.ts'
import { type Batch, createBatch } from '../model/batch.ts'
import type { DigestKey } from '../model/identity.ts'
import type { Outcome } from '../model/outcome.ts'
import type { OtlpOptions } from '../otlp/options.ts'
import type { RequestStatus } from '../status/sources.ts'
import type { ConnectionLimits } from './endpoint.ts'
import type { Listeners } from './listeners.ts'
import type { FromThread, ThreadData, ToThread } from './messages.ts'

/** Pushes that a thread may have read and not handed over: more are read only when one is free. */
const BATCHES_PER_THREAD = 4

export type PoolParts = {
  key: DigestKey
  otlp: OtlpOptions
  tls: TlsFiles | null
  threads: number
  permitBytes: number
  connections: ConnectionLimits
  /** The batch is done with when it returns. */
  take: (arrival: Arrival) => Promise<Outcome>
  onMalformed: () => void
  log: Logger
  /** What a thread runs; tests have one that dies. */
  entry?: URL
}

const ENTRY = new URL('thread.ts', import.meta.url)

/**
 * Intake threads on one port, as the owner of the table sees them.
 *
 * A class, because threads, their batches and their counters belong together. A thread that
 * dies by a fault of ours takes the pushes with it that nobody has acknowledged; another one
 * takes its place.
 */
export class Pool {
  readonly #parts: PoolParts
  #threads: Thread[] = []
  #isStopping = false
  /** Of threads that have ended. */
  #ended: RequestStatus[] = []

  constructor(parts: PoolParts) {
    this.#parts = parts
  }

  /** @throws LISTEN_FAILED; then no thread is left */
  async start(listeners: Listeners): Promise<void> {
    this.#isStopping = false
    const starting = Array.from({ length: this.#parts.threads }, () => this.#add(listeners))
    for (const started of await Promise.allSettled(starting)) {
      if (started.status === 'fulfilled') continue
      await this.stop()
      throw started.reason
    }
  }

  /** What all threads have counted, up to date when this resolves. */
  async refresh(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.count()))
  }

  get counters(): RequestStatus[] {
    return [...this.#ended, ...this.#threads.map(({ counters }) => counters)]
  }

  /** Takes no more pushes; resolves when all that were taken have their answers. */
  async stop(): Promise<void> {
    this.#isStopping = true
    await Promise.all(this.#threads.map((thread) => thread.stop()))
  }

  async #add(listeners: Listeners): Promise<void> {
    const thread = new Thread(listeners, this.#parts)
    this.#threads.push(thread)
    void this.#replaceAtEnd(thread, listeners)
    await thread.listening
  }

  async #replaceAtEnd(thread: Thread, listeners: Listeners): Promise<void> {
    const error = await thread.ended
    this.#threads = this.#threads.filter((one) => one !== thread)
    this.#ended.push(thread.counters)
    if (this.#isStopping || !thread.isListening) return
    this.#parts.log.error('an intake thread ended by a fault of the gateway', { error })
    try {
      await this.#add(listeners)
    } catch (again) {
      this.#parts.log.error('an intake thread cannot be started', { error: again })
    }
  }
}

/** One of them. */
class Thread {
  /** Rejects with LISTEN_FAILED. */
  readonly listening: Promise<void>
  /** Resolves when it is over, with the fault that ended it, if one did. */
  readonly ended: Promise<unknown>
  isListening = false
  counters: RequestStatus = {
    answers: new Map(),
    retries: 0,
    gone: 0,
    withoutRoom: 0,
    bodyBytes: 0,
  }

  readonly #parts: PoolParts
  readonly #worker: Worker
  readonly #batches: Batch[]
  #onCounters: (() => void)[] = []
  #onListening = (_failure: string | null): void => {}

  constructor(listeners: Listeners, parts: PoolParts) {
    const { key, otlp, tls, permitBytes, connections } = parts
    this.#parts = parts
    this.#batches = Array.from({ length: BATCHES_PER_THREAD }, () => createBatch())
    const memories = this.#batches.map(({ kernel }) => kernel.memory)
    const common = { listeners, tls, key, otlp, memories, permitBytes }
    const workerData: ThreadData = { ...common, connections }
    this.#worker = new Worker(parts.entry ?? ENTRY, { workerData })
    this.#worker.on('message', (message: FromThread) => this.#receive(message))

    this.listening = new Promise((resolve, reject) => {
      this.#onListening = (failure) => {
        if (failure !== null) reject(new SluiceError('LISTEN_FAILED', failure))
        else resolve()
      }
    })
    let fault: unknown
    this.#worker.on('error', (error) => {
      fault = error
    })
    this.ended = new Promise((resolve) => {
      this.#worker.on('exit', () => {
        this.#onListening(`an intake thread ended: ${String(fault ?? 'without a reason')}`)
        resolve(fault)
      })
    })
  }

  /** Brings `counters` up to date, unless the thread ends first. */
  async count(): Promise<void> {
    const counted = new Promise<void>((resolve) => this.#onCounters.push(resolve))
    this.#post({ kind: 'count' })
    await Promise.race([counted, this.ended])
  }

  async stop(): Promise<void> {
    this.#post({ kind: 'stop' })
    await this.ended
  }

  #receive(message: FromThread): void {
    switch (message.kind) {
      case 'push':
        void this.#take(message)
        return
      case 'malformed':
        this.#parts.onMalformed()
        return
      case 'counters':
        this.counters = message.counters
        for (const resolve of this.#onCounters.splice(0)) resolve()
        return
      case 'log':
        this.#parts.log[message.level](message.message, message.fields)
        return
      case 'listening':
        this.isListening = true
        this.#onListening(null)
        return
      case 'failed':
        this.#onListening(message.message)
    }
  }

  async #take(message: FromThread & { kind: 'push' }): Promise<void> {
    const { id, slot, cluster, digest, rawBytes, bodyBytes, rejections } = message
    const batch = this.#batches[slot]!
    const { kernel } = batch
    batch.bytes = kernel.raw(rawBytes)
    batch.rejections.load(rejections)
    // A copy: the memory is the thread's again as soon as the push is judged.
    const body = () => copyOf(kernel.body(bodyBytes), 0, bodyBytes)
    const outcome = this.#outcomeOf({ sender: { cluster }, digest, batch, body })
    Atomics.store(kernel.registers, AT_IS_IN_USE, 0)
    this.#post({ kind: 'outcome', id, outcome: await outcome })
  }

  /** A fault of ours is no fault of the sender's: it keeps its samples and tries again. */
  async #outcomeOf(arrival: Arrival): Promise<Outcome> {
    try {
      return await this.#parts.take(arrival)
    } catch (error) {
      this.#parts.log.error('a push failed by a fault of the gateway', { error })
      return { kind: 'backlogged', reason: 'internal error: nothing was kept, try again later' }
    }
  }

  #post(message: ToThread): void {
    this.#worker.postMessage(message)
  }
}
