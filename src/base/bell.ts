/** Wakes those who wait; costs nothing while nobody does. */
export class Bell {
  #waiting: PromiseWithResolvers<void> | undefined

  ring(): void {
    this.#waiting?.resolve()
    this.#waiting = undefined
  }

  /** Resolves at the next ring. */
  wait(): Promise<void> {
    this.#waiting ??= Promise.withResolvers<void>()
    return this.#waiting.promise
  }
}
