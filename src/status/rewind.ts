import type { Clock } from '../base/clock.ts'
import { parseDurationMs } from '../base/units.ts'
import { type Answer, refusal } from '../receive/answer.ts'
import type { Routes } from '../receive/server.ts'
import { handlerOf, jsonAnswer, unknownDestination } from './answers.ts'
import type { RewindSource } from './sources.ts'

/**
 * Sends again what a destination has acknowledged and lost: `destination`, and `since`, how far
 * back. It must take samples that old; `force=true` when it does without saying so here.
 */
export function createRewindRoutes(
  destinations: ReadonlyMap<string, RewindSource>,
  clock: Clock,
): Routes {
  async function rewind(query: URLSearchParams): Promise<Answer> {
    const name = query.get('destination') ?? ''
    const destination = destinations.get(name)
    if (destination === undefined) return unknownDestination(name, destinations.keys())
    const sinceMs = parseDurationMs(query.get('since') ?? '')
    if (sinceMs === null) return refusal(400, 'say how far back: since=15m')
    const { outOfOrderWindowMs } = destination
    if (outOfOrderWindowMs < sinceMs && query.get('force') !== 'true') {
      const windowText = `${outOfOrderWindowMs / 1000} s`
      const reason = `${name} takes samples that are ${windowText} late, so it would refuse these`
      return refusal(409, `${reason}: widen out_of_order_time_window there and here, or use force`)
    }
    return jsonAnswer({ destination: name, ...(await destination.rewind(sinceMs)) })
  }
  return { '/api/v1/rewind': handlerOf('POST', rewind, clock) }
}
