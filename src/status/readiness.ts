import type { DestinationStatus } from './sources.ts'

export type ReadinessParts = {
  /** Whether pushes can come in at all. */
  isOpen: () => boolean
  /** Why nothing can be kept at the moment, or null. */
  refusal: () => string | null
  /** That it may stay so. */
  isBroken: () => boolean
  destinations: () => Iterable<DestinationStatus>
}

/**
 * Returns what says why no push is taken at the moment, or null. A process that may never take one
 * again does not end by itself, for the disk may come back, and until then it delivers; but it
 * says whether anything would be held up if somebody ended it.
 */
export function createNotReady(parts: ReadinessParts): () => string | null {
  const { isOpen, refusal, isBroken, destinations } = parts
  return () => {
    if (!isOpen()) return 'the write port is not open yet'
    const reason = refusal()
    return reason === null || !isBroken() ? reason : `${reason}; ${remainder(destinations())}`
  }
}

function remainder(destinations: Iterable<DestinationStatus>): string {
  let samples = 0
  for (const { waitingSamples } of destinations) samples += waitingSamples
  if (samples === 0) return 'everything that was acknowledged is delivered, so it may be ended'
  return `${samples} samples still wait and are being delivered, so let it run`
}
