type Waiter = { lsn: number; settle: () => void; reject: (reason: unknown) => void }

/** Those who have read everything and wait for more to be committed. */
export class CommitWaiters {
  readonly #waiters = new Set<Waiter>()

  /** Resolves when `wake` is called with more than `lsn`; rejects when `signal` aborts. */
  wait(lsn: number, signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const leave = () => {
      this.#waiters.delete(waiter)
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
    this.#waiters.add(waiter)
    return promise
  }

  wake(committedLsn: number): void {
    for (const waiter of [...this.#waiters]) if (waiter.lsn < committedLsn) waiter.settle()
  }

  rejectAll(reason: unknown): void {
    for (const waiter of [...this.#waiters]) waiter.reject(reason)
  }
}
