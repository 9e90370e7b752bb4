/** What a group commit asks of the log. */
export type CommitParts<Group> = {
  /** Takes everything that waits to be written. Synchronous, so that nothing slips between. */
  take(): Group
  /** Resolves when the group is on disk. */
  write(group: Group): Promise<void>
  /** Told before anybody who waited; makes the error that they get. */
  fail(cause: unknown): Error
}

/**
 * Group commit: everything that arrives while a write and its sync run is written and synced
 * together by the next one. There is no timer: an idle log commits at once, and the slower the
 * disk, the larger the groups.
 *
 * A class, because there is state with an invariant: whoever asks for a commit waits for the
 * group that is taken next, and at most one group is being written.
 */
export class GroupCommit<Group> {
  readonly #parts: CommitParts<Group>
  /** Those who wait for the group that is taken next. */
  #waiting: PromiseWithResolvers<void> | undefined
  /** Those who wait for the group that is being written. */
  #written: PromiseWithResolvers<void> | undefined
  #isRunning = false

  constructor(parts: CommitParts<Group>) {
    this.#parts = parts
  }

  /** Resolves when everything that the next `take` hands over is on disk. */
  request(): Promise<void> {
    this.#waiting ??= Promise.withResolvers()
    const { promise } = this.#waiting
    if (!this.#isRunning) void this.#run()
    return promise
  }

  /**
   * Whoever waits now is told `error`, and nothing else changes: what is being written goes on, and
   * what waits to be written is written next.
   */
  refuseWaiting(error: Error): void {
    this.#written?.reject(error)
    if (this.#waiting === undefined) return
    this.#waiting.reject(error)
    this.#waiting = Promise.withResolvers()
    // Perhaps nobody joins it.
    this.#waiting.promise.catch(() => undefined)
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    // Whoever asked may not be done with its synchronous stretch.
    await undefined
    for (let waiting = this.#nextWaiting(); waiting !== undefined; waiting = this.#nextWaiting()) {
      this.#written = waiting
      const group = this.#parts.take()
      try {
        await this.#parts.write(group)
      } catch (cause) {
        // Whoever asked meanwhile had built on records that are gone now. All of this is one
        // synchronous stretch: what is appended after it belongs to a new beginning.
        const later = this.#nextWaiting()
        const error = this.#parts.fail(cause)
        waiting.reject(error)
        later?.reject(error)
        continue
      }
      waiting.resolve()
    }
    this.#written = undefined
    this.#isRunning = false
  }

  #nextWaiting(): PromiseWithResolvers<void> | undefined {
    const waiting = this.#waiting
    this.#waiting = undefined
    return waiting
  }
}
