import type { Clock } from '../base/clock.ts'
import type { Counts } from '../model/counts.ts'
import { classify, isFrom2, isOurs, maybeStored, type Protocol, type Verdict } from './answer.ts'
import { backoffMs, PAUSE_BACKOFF, RETRY_BACKOFF } from './backoff.ts'
import type { Event, Job } from './delivery.ts'
import { takesEmptyRequest } from './empty-request.ts'
import { Health } from './health.ts'
import { Pace } from './pace.ts'
import type { Post } from './post.ts'

export type CourierParts = {
  post: Post
  clock: Clock
  /** In [0, 1). */
  random: () => number
  onEvent: (event: Event) => void
  /** `inFlightMax` has grown, though nothing was answered. */
  onRoom?: () => void
}

export type FinalVerdict = Exclude<Verdict, { kind: 'retry' | 'paused' }>

type Retry = Extract<Verdict, { kind: 'retry' }>

/** So many failures with no answer between them mean that the receiver is down. */
const DOWN_FAILURES = 5
/** Blocks that may have left their place to others at a time: memory holds them all. */
const ASIDE_MAX = 32
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
  readonly health: Health
  /** Whether a 2.0 request was answered as a 2.0 receiver does, since the last fallback. */
  hasAccepted2 = false

  readonly #post: Post
  readonly #clock: Clock
  readonly #random: () => number
  readonly #onRoom: () => void
  readonly #pace = new Pace()
  /** Of the newest request. */
  #protocol: Protocol = 'rw2'
  /** Requests that were sent. */
  #requests = 0
  /** Number of the newest request that the receiver has taken, at least in part, or calls late. */
  #accepted = 0
  /** Those who wait for that. */
  readonly #awaitingAcceptance = new Set<AbortController>()
  /** Failures since the last answer; those of one moment are one. */
  #failures = 0
  /** Jobs of such failures that speak against the job first of all: one is one, however often. */
  readonly #suspects = new Set<Job>()
  /** Jobs that wait for a reason of their own. */
  #aside = 0
  #failedMs = Number.NEGATIVE_INFINITY
  /** Nothing is sent before, by the monotonic clock. */
  #quietUntilMs = Number.NEGATIVE_INFINITY

  constructor({ post, clock, random, onEvent, onRoom = () => {} }: CourierParts) {
    this.#post = post
    this.#clock = clock
    this.#random = random
    this.#onRoom = onRoom
    this.health = new Health(clock, onEvent)
  }

  /** Jobs that it is good to have under way; those that wait alone take no place from others. */
  get inFlightMax(): number {
    return this.#pace.limit + Math.min(this.#aside, ASIDE_MAX)
  }

  /** Whether nothing has been answered for so long that it says nothing about any request. */
  get isDown(): boolean {
    return this.#failures >= DOWN_FAILURES
  }

  /** What `hasAcceptedSince` compares with. */
  get moment(): number {
    return this.#requests
  }

  /** Whether the receiver has taken something that was sent after that moment, or calls it late. */
  hasAcceptedSince(moment: number): boolean {
    return this.#accepted > moment
  }

  /**
   * Retries for ever; rejects only with the reason of the job's signal. A request that alone
   * fails again and again is `rejected`, and its job is on trial: see `isOnTrial`.
   */
  async send(job: Job, protocol: Protocol, body: Uint8Array, sent: Counts): Promise<FinalVerdict> {
    const { signal } = job
    let pauses = 0
    const failing = { attempts: 0, sinceMs: 0, since: 0, isAside: false }
    try {
      for (let attempt = 0; ; attempt++) {
        await this.#turn(signal)
        if (attempt > 0) this.retries += 1
        this.#requests += 1
        this.#protocol = protocol
        const number = this.#requests
        const sentMs = this.#clock.monotonicMs()
        const answer = await this.#post.post({ body, protocol, attempt, signal })
        this.#pace.leave()
        // What was given up failed for a reason that says nothing about the receiver.
        if (answer.kind === 'failed') signal.throwIfAborted()

        const nowMs = this.#clock.nowMs()
        const verdict = classify(answer, { protocol, sent, nowMs, everWorked: this.hasAccepted2 })
        if (maybeStored(answer, verdict)) job.maybeStored = true
        if (verdict.kind === 'retry') {
          if (this.#isSuspect(job, verdict, failing, sentMs)) {
            job.isOnTrial = true
            return { kind: 'rejected', reason: verdict.reason }
          }
          await this.#backOff(verdict, attempt - pauses, signal)
          continue
        }
        this.#answered(sentMs)
        if (verdict.kind === 'paused') {
          this.pause(verdict.reason, pauses)
          pauses += 1
          continue
        }
        // 2.0 was not taken before: one that takes neither is not asked in turns without end.
        if (verdict.kind === 'fallback' && protocol === 'rw1') {
          this.pause(verdict.reason, job.fallbacks)
          job.fallbacks += 1
        }
        if (isFrom2(verdict, protocol)) this.hasAccepted2 = true
        if (isOurs(verdict, sent)) this.#noteAccepted(number)
        // A refusal is no end of a pause: it may be one more of what the pause is about.
        else if (this.health.state === 'backing-off') this.health.enter('ok', '')
        return verdict
      }
    } finally {
      if (failing.isAside) this.#aside -= 1
    }
  }

  /** The receiver refuses us as such, for the `times`th time: nothing is sent for a while. */
  pause(reason: string, times: number): void {
    this.health.enter('paused', reason)
    this.#keepQuiet(this.#pauseMs(times))
  }

  /** Whether the receiver takes a request with nothing in it. */
  takesEmptyRequest(signal: AbortSignal): Promise<boolean> {
    return takesEmptyRequest(this.#post, this.#protocol, signal)
  }

  /** Resolves when the receiver has taken something, or after as long as a pause lasts. */
  async untilAccepted(times: number, signal: AbortSignal): Promise<void> {
    const waiting = new AbortController()
    this.#awaitingAcceptance.add(waiting)
    try {
      await this.#sleep(this.#pauseMs(times), AbortSignal.any([signal, waiting.signal]))
    } catch {
      signal.throwIfAborted()
    } finally {
      this.#awaitingAcceptance.delete(waiting)
    }
  }

  /** A job is busy with something that takes no place from others. */
  async aside<T>(work: () => Promise<T>): Promise<T> {
    this.#standAside()
    try {
      return await work()
    } finally {
      this.#aside -= 1
    }
  }

  #standAside(): void {
    this.#aside += 1
    this.#onRoom()
  }

  #answered(sentMs: number): void {
    this.#failures = 0
    this.#suspects.clear()
    this.#pace.answered(this.#clock.monotonicMs() - sentMs)
  }

  #noteAccepted(number: number): void {
    this.#accepted = Math.max(this.#accepted, number)
    this.health.enter('ok', '')
    for (const waiting of this.#awaitingAcceptance) waiting.abort()
  }

  /** What was sent before a failure was known says nothing new by failing too. */
  #noteFailure(job: Job, sentMs: number, { mayBePoison }: Retry): void {
    if (!mayBePoison) this.#pace.failed()
    if (sentMs < this.#failedMs || this.#suspects.has(job)) return
    if (mayBePoison) this.#suspects.add(job)
    this.#failedMs = this.#clock.monotonicMs()
    this.#failures += 1
    if (this.isDown) this.#pace.collapse()
  }

  /** A request that may be poison waits alone; while the receiver is in trouble, all do. */
  async #backOff(verdict: Retry, attempt: number, signal: AbortSignal): Promise<void> {
    const delayMs = (times: number) =>
      backoffMs(times, RETRY_BACKOFF, this.#random(), verdict.retryAfterMs)
    if (!verdict.mayBePoison || this.isDown)
      this.#keepQuiet(delayMs(Math.max(0, this.#failures - 1)))
    // When it is quiet no more, others are there first.
    if (verdict.mayBePoison) await this.#sleep(delayMs(attempt), signal)
  }

  /** Notes a failure. True when it is the request that fails, and not the receiver. */
  #isSuspect(job: Job, verdict: Retry, failing: Failing, sentMs: number): boolean {
    this.#noteFailure(job, sentMs, verdict)
    if (!verdict.mayBePoison) {
      failing.attempts = 0
      this.health.enter('backing-off', verdict.reason)
      return false
    }
    const nowMs = this.#clock.monotonicMs()
    if (failing.attempts === 0) {
      failing.sinceMs = nowMs
      failing.since = this.#requests
    }
    if (!failing.isAside) {
      failing.isAside = true
      this.#standAside()
    }
    failing.attempts += 1
    const doOthersPass = this.hasAcceptedSince(failing.since)
    if (!doOthersPass) this.health.enter('backing-off', verdict.reason)
    if (job.isOnTrial) return failing.attempts >= TRIAL_ATTEMPTS
    if (failing.attempts < SUSPECT_ATTEMPTS) return false
    return doOthersPass || nowMs - failing.sinceMs >= job.trialAfterMs
  }

  #pauseMs(times: number): number {
    return backoffMs(times, PAUSE_BACKOFF, this.#random(), 0)
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
}

/** What is known of a request that fails again and again. */
type Failing = { attempts: number; sinceMs: number; since: number; isAside: boolean }
