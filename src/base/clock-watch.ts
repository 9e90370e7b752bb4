import type { Clock } from './clock.ts'

/** A clock that is corrected bit by bit moves less than this between two looks, a second apart. */
const JUMP_MS_MIN = 2_000
/** So long after a jump nobody knows which of the two times was right. */
const DOUBT_MS = 10 * 60_000
/** Those before are older than anything that still waits, or their clock is beyond help. */
const JUMPS_MAX = 100

export type ClockWatchParts = {
  clock: Clock
  /** Of what is numbered in the order of time, such as records of a log: the last one so far. */
  lastNumber: () => number
  onJump: (byMs: number) => void
}

/**
 * Wall time that somebody may set. A timeout, a delay or an age is measured by the monotonic
 * clock; but a sample has wall time only, and so has what a process before this one has written.
 *
 * A class, because it compares what the clocks say now with what they said at the last look.
 */
export class ClockWatch {
  /** How often the wall clock has jumped. */
  jumpCount = 0
  readonly #parts: ClockWatchParts
  /** Wall time less monotonic time. */
  #offsetMs: number
  /** The largest offset from before a jump that is still in doubt. */
  #doubtedOffsetMs = 0
  /** By the monotonic clock. */
  #doubtUntilMs = Number.NEGATIVE_INFINITY
  /** Oldest first. */
  readonly #jumps: { lastNumber: number; byMs: number }[] = []

  constructor(parts: ClockWatchParts) {
    this.#parts = parts
    this.#offsetMs = parts.clock.nowMs() - parts.clock.monotonicMs()
  }

  /** To be called once a second at least. */
  look(): void {
    const { clock, lastNumber, onJump } = this.#parts
    const monotonicMs = clock.monotonicMs()
    const offsetMs = clock.nowMs() - monotonicMs
    const byMs = offsetMs - this.#offsetMs
    if (Math.abs(byMs) >= JUMP_MS_MIN) {
      const isInDoubt = monotonicMs < this.#doubtUntilMs
      const doubtedMs = isInDoubt ? this.#doubtedOffsetMs : Number.NEGATIVE_INFINITY
      this.#doubtedOffsetMs = Math.max(doubtedMs, this.#offsetMs)
      this.#doubtUntilMs = monotonicMs + DOUBT_MS
      this.#jumps.push({ lastNumber: lastNumber(), byMs })
      if (this.#jumps.length > JUMPS_MAX) this.#jumps.shift()
      this.jumpCount += 1
      onJump(byMs)
    }
    this.#offsetMs = offsetMs
  }

  /** By how much the wall clock has jumped altogether in this process. */
  get jumpedMs(): number {
    return this.#jumps.reduce((sum, { byMs }) => sum + byMs, 0)
  }

  /**
   * Wall time, or for ten minutes after a jump the time that it would be without it, if that is
   * later: what lies behind this is from the future by every clock that may be right.
   */
  latestMs(): number {
    this.look()
    const { clock } = this.#parts
    const [nowMs, monotonicMs] = [clock.nowMs(), clock.monotonicMs()]
    const isInDoubt = monotonicMs < this.#doubtUntilMs
    return isInDoubt ? Math.max(nowMs, monotonicMs + this.#doubtedOffsetMs) : nowMs
  }

  /** How long ago the wall clock said `atMs`, when what has `number` was written. */
  agoMs(atMs: number, number: number): number {
    this.look()
    const since = this.#jumps.filter(({ lastNumber }) => number <= lastNumber)
    const jumpedMs = since.reduce((sum, { byMs }) => sum + byMs, 0)
    return Math.max(0, this.#parts.clock.nowMs() - jumpedMs - atMs)
  }
}
