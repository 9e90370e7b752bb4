import { hash } from 'node:crypto'
import type { Outcome } from '../model/outcome.ts'

/** A sender that repeats a push after its timeout does so within minutes. */
const REMEMBERED_MS = 10 * 60_000
/** Answers are small; this many of them take about 40 MB. */
const ANSWERS_MAX = 200_000

/**
 * The answers to committed pushes, by the digest of their bytes. The same bytes from the
 * same sender get the same answer without being read again: of a repeated push only each
 * series' newest sample could be recognised one by one.
 */
export class ReplayMemory {
  readonly #answers = new Map<string, { outcome: Outcome; sinceMs: number }>()

  /** Digest of a push: its protocol, its sender and its compressed bytes. */
  static digest(protocol: string, cluster: string, body: Uint8Array): string {
    return `${protocol} ${cluster} ${hash('sha256', body, 'base64')}`
  }

  find(digest: string, nowMs: number): Outcome | undefined {
    const answer = this.#answers.get(digest)
    return answer !== undefined && nowMs - answer.sinceMs <= REMEMBERED_MS
      ? answer.outcome
      : undefined
  }

  /** Only for pushes whose good part is on disk. Times are monotonic milliseconds. */
  remember(digest: string, outcome: Outcome, nowMs: number): void {
    this.#answers.delete(digest)
    this.#answers.set(digest, { outcome, sinceMs: nowMs })
    for (const [oldest, { sinceMs }] of this.#answers) {
      if (this.#answers.size <= ANSWERS_MAX && nowMs - sinceMs <= REMEMBERED_MS) break
      this.#answers.delete(oldest)
    }
  }

  get size(): number {
    return this.#answers.size
  }
}
