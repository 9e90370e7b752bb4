import { assert } from '../base/errors.ts'

/** What became of a part of a request that was sent on its own. */
export type PartVerdict = { kind: 'delivered' } | { kind: 'rejected'; reason: string }

/** Items that were refused for good. More than one only when requests ran out. */
export type Guilt = { from: number; to: number; reason: string }

export type BisectParts = {
  /** What was rejected as a whole, and why. */
  from: number
  to: number
  reason: string
  send: (from: number, to: number) => Promise<PartVerdict>
  requestsMax: number
}

/**
 * Enough for some fifty bad series in a request of the usual size to be found one by one;
 * no more, because everything of the same series waits behind it.
 */
export const BISECT_REQUESTS_MAX = 1024

/**
 * Finds exactly the items for which a request is rejected as a whole, by sending halves of
 * halves, left before right and one at a time, so that what belongs to one series arrives
 * in its order. k bad items among n take about 2·k·log2(n/k) requests.
 *
 * When `requestsMax` is used up, the rest is given up together: the last guilt then spans
 * all that was not sent.
 */
export async function bisect(parts: BisectParts): Promise<Guilt[]> {
  const { from, to, reason, send, requestsMax } = parts
  assert(to > from, 'something was rejected')
  const guilty: Guilt[] = []
  /** The leftmost is on top. */
  const waiting: Guilt[] = []
  const accuse = (part: Guilt): void => {
    if (part.to - part.from === 1) {
      guilty.push(part)
      return
    }
    const middle = (part.from + part.to) >>> 1
    waiting.push({ ...part, from: middle }, { ...part, to: middle })
  }

  accuse({ from, to, reason })
  let requests = 0
  for (let part = waiting.pop(); part !== undefined; part = waiting.pop()) {
    if (requests === requestsMax) {
      guilty.push({ ...part, to })
      break
    }
    requests += 1
    const verdict = await send(part.from, part.to)
    if (verdict.kind === 'rejected') accuse({ ...part, reason: verdict.reason })
  }
  return guilty
}
