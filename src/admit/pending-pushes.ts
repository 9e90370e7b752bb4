import { Roster, type Seat } from '../base/roster.ts'
import type { Outcome } from '../model/outcome.ts'
import type { PushDigest } from './push-digest.ts'

export type Pending = Seat<{ readonly digest: PushDigest; readonly outcome: Promise<Outcome> }>

/**
 * Pushes that are judged and not on disk yet, by their digests: a retry that overtakes its own
 * commit would find its samples late, or there already.
 *
 * Looked through from end to end, because there are as many as requests are open.
 */
export class PendingPushes {
  readonly #pending = new Roster<Pending['member']>()

  /** What will be answered, or undefined. */
  find(digest: PushDigest): Promise<Outcome> | undefined {
    return this.#pending.seats.find(({ member }) => isSame(member.digest, digest))?.member.outcome
  }

  add(digest: PushDigest, outcome: Promise<Outcome>): Pending {
    return this.#pending.add({ digest, outcome })
  }

  remove(pending: Pending): void {
    this.#pending.remove(pending)
  }
}

function isSame(one: PushDigest, other: PushDigest): boolean {
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false
  return true
}
