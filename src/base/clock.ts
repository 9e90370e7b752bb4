import { setTimeout as delay } from 'node:timers/promises'

/** Time comes in through the door: a test passes a clock, and every failure can be replayed. */
export type Clock = {
  /** Wall time in Unix milliseconds: for timestamps and labels only, it may jump. */
  nowMs(): number
  /** Monotonic milliseconds since an arbitrary start: for every timeout, age and delay. */
  monotonicMs(): number
  /** Resolves after `ms`; rejects at once when `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) => delay(ms, undefined, signal === undefined ? {} : { signal }),
}
