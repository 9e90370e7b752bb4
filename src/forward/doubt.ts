import type { Courier } from './courier.ts'
import type { Job } from './delivery.ts'
import { isLate } from './refused.ts'

/** So many blocks that are refused as a whole, and nothing that is not, mean a wrong receiver. */
const WRONG_BLOCKS = 3
/** A block is doubted so often before the receiver is asked by an empty request. */
const DOUBTS_BEFORE_ASKING = 2
/** Earlier than any request. */
const BEFORE_ALL = -1

/**
 * Whether what is refused as a whole is to blame for that, or the receiver is the wrong one.
 *
 * A class, because it remembers what was refused since anything was taken.
 */
export class Doubts {
  readonly #courier: Courier
  readonly #jobs = new Set<Job>()
  /** When the first of them was refused, by the count of the courier. */
  #since = 0

  constructor(courier: Courier) {
    this.#courier = courier
  }

  /**
   * A job was refused as a whole. True when that is to be tried again, because nothing else was
   * taken since: then it is the receiver that is wrong, for all that is known. It waits until
   * something is taken, or for a while, and leaves its place to others.
   *
   * False when others pass, or an empty request has: then the job is to blame. And when it is
   * refused for its times, which only the right receiver does.
   */
  async isInDoubt(job: Job, reason: string): Promise<boolean> {
    const courier = this.#courier
    if (job.wasRefused || isLate(reason)) return false
    if (job.refusedAt !== null && courier.hasAcceptedSince(job.refusedAt)) return false
    job.refusedAt ??= courier.moment
    courier.health.enter('paused', reason)
    // It may be an older one by now.
    courier.hasAccepted2 = false
    this.#remember(job)
    const times = job.doubts
    job.doubts += 1
    if (this.#jobs.size >= WRONG_BLOCKS) courier.pause(reason, times)
    else if (times >= DOUBTS_BEFORE_ASKING) {
      // After a crash all that is new may wait for this block, and nothing else can ever pass.
      if (await courier.takesEmptyRequest(job.signal)) {
        // It may have been the wrong one when it refused: the next refusal counts.
        job.refusedAt = BEFORE_ALL
        return true
      }
    }
    await courier.aside(() => courier.untilAccepted(times, job.signal))
    return true
  }

  #remember(job: Job): void {
    if (this.#courier.hasAcceptedSince(this.#since)) this.#jobs.clear()
    if (this.#jobs.size === 0) this.#since = this.#courier.moment
    this.#jobs.add(job)
  }
}
