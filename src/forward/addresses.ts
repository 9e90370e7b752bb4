import { lookup as systemLookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import type { Clock } from '../base/clock.ts'

type Found = Parameters<Parameters<LookupFunction>[2]>

/**
 * Looks names up as `lookup` does, and serves what it said last while it fails or is slow: a
 * receiver need not be out of reach because a name server is.
 *
 * Of a name that is being looked up nobody asks again: each question of the system's own resolver
 * holds one of the few threads that also sync files.
 *
 * @param patienceMs how long a name is waited for whose address is known
 */
export function lookupWithMemory(
  clock: Clock,
  patienceMs: number,
  lookup: LookupFunction = systemLookup as LookupFunction,
): LookupFunction {
  const known = new Map<string, Found>()
  const asked = new Map<string, ((...found: Found) => void)[]>()

  return (hostname, options, callback) => {
    const key = `${hostname} ${options.family ?? 0} ${options.all ?? false}`
    const over = new AbortController()
    const answer = (...found: Found) => {
      if (over.signal.aborted) return
      over.abort()
      callback(...(known.get(key) ?? found))
    }
    const late = () => answer(null, '')
    if (known.has(key)) clock.sleep(patienceMs, over.signal).then(late, () => {})

    const waiting = asked.get(key)
    if (waiting !== undefined) {
      waiting.push(answer)
      return
    }
    const waiters = [answer]
    asked.set(key, waiters)
    lookup(hostname, options, (...found) => {
      asked.delete(key)
      if (found[0] === null) known.set(key, found)
      for (const waiter of waiters) waiter(...found)
    })
  }
}
