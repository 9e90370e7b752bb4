import type { Clock } from '../../src/base/clock.ts'

/** Wall time at the beginning: any will do that is no round number of anything. */
const EPOCH_MS = 1_764_201_600_123

type Sleeper = { atMs: number; wake: () => void }

/** As long as one process lives: what it waits for never comes once that is over. */
export type Life = { isOver: boolean }

/**
 * Time that passes only when everybody waits for it: the next sleeper is woken, whatever can run
 * then runs, and so on. So one order of events is as good as another machine's, and an hour takes
 * a moment.
 */
export class SimulatedClock {
  /** Latest first, so that the next one is taken from the end. */
  readonly #sleepers: Sleeper[] = []
  #elapsedMs = 0

  get elapsedMs(): number {
    return this.#elapsedMs
  }

  /** The clock as one process has it. */
  of(life: Life): Clock {
    return {
      nowMs: () => EPOCH_MS + Math.floor(this.#elapsedMs),
      monotonicMs: () => this.#elapsedMs,
      sleep: (ms, signal) => this.#sleep(ms, life, signal),
    }
  }

  /** The clock of what outlives every process. */
  readonly world: Clock = this.of({ isOver: false })

  /** Lets time pass. */
  async pass(ms: number): Promise<void> {
    const endMs = this.#elapsedMs + ms
    await settle()
    for (;;) {
      const next = this.#sleepers.at(-1)
      if (next === undefined || next.atMs > endMs) break
      this.#sleepers.pop()
      this.#elapsedMs = Math.max(this.#elapsedMs, next.atMs)
      next.wake()
      await settle()
    }
    this.#elapsedMs = endMs
  }

  /** Lets time pass until something is true; false when it does not become so. */
  async passUntil(isDone: () => boolean, withinMs: number, everyMs = 500): Promise<boolean> {
    await this.pass(0)
    for (const endMs = this.#elapsedMs + withinMs; !isDone(); ) {
      if (this.#elapsedMs >= endMs) return false
      await this.pass(everyMs)
    }
    return true
  }

  /** Lets time pass until `promise` is settled, and gives what it gives. */
  async until<T>(promise: Promise<T>, withinMs = 600_000): Promise<T> {
    let isSettled = false
    const settled = () => {
      isSettled = true
    }
    promise.then(settled, settled)
    if (!(await this.passUntil(() => isSettled, withinMs, 10))) throw new Error('never settled')
    return promise
  }

  #sleep(ms: number, life: Life, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason)
        return
      }
      const onAbort = () => {
        const at = this.#sleepers.indexOf(sleeper)
        if (at >= 0) this.#sleepers.splice(at, 1)
        reject(signal?.reason)
      }
      const wake = () => {
        signal?.removeEventListener('abort', onAbort)
        if (!life.isOver) resolve()
      }
      const sleeper = { atMs: this.#elapsedMs + Math.max(0, ms), wake }
      signal?.addEventListener('abort', onAbort)
      const at = this.#sleepers.findLastIndex(({ atMs }) => atMs > sleeper.atMs)
      this.#sleepers.splice(at + 1, 0, sleeper)
    })
  }
}

/** Lets everything that is ready to run, run. */
export function settle(): Promise<unknown> {
  return new Promise((resolve) => setImmediate(resolve))
}
