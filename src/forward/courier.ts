import type { Clock } from '../base/clock.ts'
import type { Counts } from '../model/counts.ts'
import { classify, type Protocol, type Verdict } from './answer.ts'
import { backoffMs, PAUSE_BACKOFF, RETRY_BACKOFF } from './backoff.ts'
import type { Event, Job } from './delivery.ts'
import { Pace } from './pace.ts'
import type { Post } from './post.ts'

export type CourierParts = {
  post: Post
  clock: Clock
  /** In [0, 1). */
  random: () => number
  onEvent: (event: Event) => void
}

export type FinalVerdict = Exclude<Verdict, { kind: 'retry' | 'paused' }>

type Retry = Extract<Verdict, { kind: 'retry' }>

/** So many failures with no answer between them mean that the receiver is down. */
const DOWN_FAILURES = 5
/** A request fails so often while others pass before it is suspected. About four seconds. */
const SUSPECT_ATTEMPTS = 8
/** The same of a part of it, once it is on trial. */
const TRIAL_ATTEMPTS = 3

/**
 * Sends requests to one receiver until each has a final answer, and knows how that
 * receiver is.
 *
 * A class, because there is state that all requests share: while the receiver asks for
 * quiet, or refuses us as such, none of them is sent.
 */
export class Courier {
  retries = 0
  state: 'ok' | 'backing-off' | 'paused' = 'ok'
  /** Why `state` is what it is; empty while all is well. */
  reason = ''
  /** When `state` changed last, by the monotonic clock. */
  sinceMs: number
  /** Whether a 2.0 request was answered as a 2.0 receiver does, since the last fallback. */
  hasAccepted2 = false

  readonly #post: Post
  readonly #clock: Clock
  readonly #random: () => number
  readonly #onEvent: (event: Event) => void
  readonly #pace = new Pace()
  /** Requests that the receiver has taken, in whole or in part. */
  #accepted = 0
  /** Failures since the last answer; those of one moment are one. */
  #failures = 0
  #failedMs = Number.NEGATIVE_INFINITY
  /** Nothing is sent before, by the monotonic clock. */
  #quietUntilMs = Number.NEGATIVE_INFINITY

  constructor({ post, clock, random, onEvent }: CourierParts) {
    this.#post = post
    this.#clock = clock
    this.#random = random
    this.#onEvent = onEvent
    this.sinceMs = clock.monotonicMs()
  }

  /** Requests that it is good to have under way. */
  get inFlightMax(): number {
    return this.#pace.limit
  }

  /**
   * Retries for ever; rejects only with the reason of the job's signal. A request that alone
   * fails again and again is `rejected`, and its job is on trial: see `isOnTrial`.
   */
  async send(job: Job, protocol: Protocol, body: Uint8Array, sent: Counts): Promise<FinalVerdict> {
    const { signal } = job
    let pauses = 0
    const failing = { attempts: 0, sinceMs: 0, acceptedBefore: 0 }
    for (let attempt = 0; ; attempt++) {
      await this.#turn(signal)
      if (attempt > 0) this.retries += 1
      const sentMs = this.#clock.monotonicMs()
      const answer = await this.#post.post({ body, protocol, attempt, signal })
      this.#pace.leave()
      // What was given up failed for a reason that says nothing about the receiver.
      if (answer.kind === 'failed') signal.throwIfAborted()

      const nowMs = this.#clock.nowMs()
      const verdict = classify(answer, { protocol, sent, nowMs, everWorked: this.hasAccepted2 })
      if ('maybeStored' in verdict && verdict.maybeStored) job.maybeStored = true
      if (verdict.kind === 'retry') {
        this.#noteFailure(sentMs, verdict)
        this.#enter('backing-off', verdict.reason)
        if (this.#isSuspect(job, verdict.mayBePoison, failing)) {
          job.isOnTrial = true
          return { kind: 'rejected', reason: verdict.reason }
        }
        await this.#backOff(verdict, attempt - pauses, signal)
        continue
      }
      this.#failures = 0
      this.#pace.answered(this.#clock.monotonicMs() - sentMs)
      if (verdict.kind === 'paused') {
        this.#enter('paused', verdict.reason)
        this.#keepQuiet(backoffMs(pauses, PAUSE_BACKOFF, this.#random(), 0))
        pauses += 1
      } else {
        this.#enter('ok', '')
        if (isFrom2(verdict, protocol)) this.hasAccepted2 = true
        if (verdict.kind === 'delivered' || verdict.kind === 'partial') this.#accepted += 1
        return verdict
      }
    }
  }

  /** What was sent before a failure was known says nothing new by failing too. */
  #noteFailure(sentMs: number, { mayBePoison }: Retry): void {
    if (!mayBePoison) this.#pace.failed()
    if (sentMs < this.#failedMs) return
    this.#failedMs = this.#clock.monotonicMs()
    this.#failures += 1
    if (this.#failures >= DOWN_FAILURES) this.#pace.collapse()
  }

  /** A request that may be poison waits alone; while the receiver is in trouble, all do. */
  async #backOff(verdict: Retry, attempt: number, signal: AbortSignal): Promise<void> {
    const isShared = !verdict.mayBePoison || this.#failures >= DOWN_FAILURES
    const times = isShared ? this.#failures - 1 : attempt
    const delayMs = backoffMs(times, RETRY_BACKOFF, this.#random(), verdict.retryAfterMs)
    if (isShared) this.#keepQuiet(delayMs)
    else await this.#sleep(delayMs, signal)
  }

  /** Whether it is the request that fails, and not the receiver. */
  #isSuspect(job: Job, mayBePoison: boolean, failing: Failing): boolean {
    if (!mayBePoison) {
      failing.attempts = 0
      return false
    }
    const nowMs = this.#clock.monotonicMs()
    if (failing.attempts === 0) {
      failing.sinceMs = nowMs
      failing.acceptedBefore = this.#accepted
    }
    failing.attempts += 1
    if (job.isOnTrial) return failing.attempts >= TRIAL_ATTEMPTS
    if (failing.attempts < SUSPECT_ATTEMPTS) return false
    return this.#accepted > failing.acceptedBefore || nowMs - failing.sinceMs >= job.trialAfterMs
  }

  #keepQuiet(ms: number): void {
    this.#quietUntilMs = Math.max(this.#quietUntilMs, this.#clock.monotonicMs() + ms)
  }

  /** Resolves when a request may be sent, which then has entered. */
  async #turn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    for (;;) {
      await this.#pace.enter(signal)
      const leftMs = this.#quietUntilMs - this.#clock.monotonicMs()
      if (leftMs <= 0) return
      // Another one may prolong the quiet meanwhile, hence the loop.
      this.#pace.leave()
      await this.#sleep(leftMs, signal)
    }
  }

  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    try {
      await this.#clock.sleep(ms, signal)
    } catch (error) {
      // Timers reject with an error of their own; the caller knows its reason.
      signal.throwIfAborted()
      throw error
    }
  }

  /** Says something only when the state changes: every retry alike would drown the log. */
  #enter(state: Courier['state'], reason: string): void {
    this.reason = reason
    if (state === this.state) return
    const previous = this.state
    const nowMs = this.#clock.monotonicMs()
    const lastedMs = nowMs - this.sinceMs
    this.state = state
    this.sinceMs = nowMs
    if (state === 'ok') {
      this.#onEvent({ level: 'info', message: 'the receiver answers again', previous, lastedMs })
    } else if (state === 'backing-off') {
      this.#onEvent({ level: 'warn', message: 'the receiver is in trouble: retrying', reason })
    } else {
      const message = 'the receiver refuses this gateway: keeping the data, retrying slowly'
      this.#onEvent({ level: 'error', message, reason })
    }
  }
}

/** What is known of a request that fails again and again. */
type Failing = { attempts: number; sinceMs: number; acceptedBefore: number }

function isFrom2(verdict: FinalVerdict, protocol: Protocol): boolean {
  return protocol === 'rw2' && (verdict.kind === 'delivered' || verdict.kind === 'partial')
}
