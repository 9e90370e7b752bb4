import type { Clock } from '../base/clock.ts'
import type { Event } from './delivery.ts'
import type { Refused } from './refused.ts'

/** Resolves when it is kept; rejects when `signal` aborts. */
export type Keep = (refused: Refused, signal: AbortSignal) => Promise<void>

/** After the disk would not take it. */
const AGAIN_MS = 5_000

/**
 * Keeps what was refused, however often `keep` has to be asked: were the block sent again
 * instead, its good part would arrive twice.
 */
export function keepForSure(
  keep: (refused: Refused) => Promise<void>,
  clock: Clock,
  onEvent: (event: Event) => void,
): Keep {
  return async (refused, signal) => {
    for (;;) {
      try {
        return await keep(refused)
      } catch (error) {
        const message = 'what the receiver refuses cannot be set aside: it is tried again'
        onEvent({ level: 'error', message, error })
      }
      await clock.sleep(AGAIN_MS, signal)
    }
  }
}
