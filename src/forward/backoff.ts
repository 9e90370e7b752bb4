export type BackoffOptions = {
  minMs: number
  maxMs: number
}

/** After an answer that says "later": soon at first, because most trouble is short. */
export const RETRY_BACKOFF: BackoffOptions = { minMs: 30, maxMs: 5_000 }

/** After an answer that only a person can change, such as 401: slowly, and no slower than this. */
export const PAUSE_BACKOFF: BackoffOptions = { minMs: 1_000, maxMs: 30_000 }

/** More would let a delay be shorter than the one before it; less, gateways retry in step. */
const JITTER = 0.1

/**
 * Delay before retry number `attempt` (0-based): doubles from `minMs` to `maxMs`, give or
 * take a tenth. A receiver's `Retry-After` wins over our guess, and then the tenth is only
 * added: it asked not to be called earlier.
 *
 * Pure: the caller brings the randomness, so every schedule can be replayed.
 *
 * @param random in [0, 1)
 * @param retryAfterMs the receiver's wish, or 0 when it gave none
 */
export function backoffMs(
  attempt: number,
  { minMs, maxMs }: BackoffOptions,
  random: number,
  retryAfterMs: number,
): number {
  if (retryAfterMs > 0) return retryAfterMs * (1 + JITTER * random)
  const middleMs = Math.min(maxMs, minMs * 2 ** attempt)
  return middleMs * (1 - JITTER + 2 * JITTER * random)
}
