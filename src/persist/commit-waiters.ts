import { Roster } from '../base/roster.ts'

type Waiter = { lsn: number; settle: () => void; reject: (reason: unknown) => void }

/** Those who have read everything and wait for more to be committed. */
export class CommitWaiters {
  readonly #waiters = new Roster<Waiter>()

  /** Resolves when `wake` is called with more than `lsn`; rejects when `signal` aborts. */
  wait(lsn: number, signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const leave = () => {
      this.#waiters.remove(seat)
      signal?.removeEventListener('abort', abort)
    }
    const waiter: Waiter = {
      lsn,
      settle: () => {
        leave()
        resolve()
      },
      reject: (reason) => {
        leave()
        reject(reason)
      },
    }
    const abort = () => waiter.reject(signal?.reason)
    if (signal?.aborted) {
      reject(signal.reason)
      return promise
    }
    signal?.addEventListener('abort', abort)
    const seat = this.#waiters.add(waiter)
    return promise
  }

  wake(committedLsn: number): void {
    for (const { member: waiter } of [...this.#waiters.seats]) {
      if (waiter.lsn < committedLsn) waiter.settle()
    }
  }

  rejectAll(reason: unknown): void {
    for (const { member: waiter } of [...this.#waiters.seats]) waiter.reject(reason)
  }
}
