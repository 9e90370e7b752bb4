import type { Outcome } from '../model/outcome.ts'
import type { PushDigest } from './push-digest.ts'

export type Pending = {
  readonly digest: PushDigest
  readonly outcome: Promise<Outcome>
  at: number
}

/**
 * Pushes that are judged and not on disk yet, by their digests: a retry that overtakes its own
 * commit would find its samples late, or there already.
 *
 * A list, looked through from end to end, because there are as many as requests are open. In a
 * Map entries come and go so often that it is made anew again and again, and each table that it
 * leaves behind keeps requests alive that are over: 50 MB more.
 *
 * A class, because who is added knows his place, and must be removed.
 */
export class PendingPushes {
  readonly #pending: Pending[] = []

  /** What will be answered, or undefined. */
  find(digest: PushDigest): Promise<Outcome> | undefined {
    return this.#pending.find((one) => isSame(one.digest, digest))?.outcome
  }

  add(digest: PushDigest, outcome: Promise<Outcome>): Pending {
    const pending = { digest, outcome, at: this.#pending.length }
    this.#pending.push(pending)
    return pending
  }

  remove({ at }: Pending): void {
    const last = this.#pending.pop()!
    if (at === this.#pending.length) return
    this.#pending[at] = last
    last.at = at
  }
}

function isSame(one: PushDigest, other: PushDigest): boolean {
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false
  return true
}
