import type { Clock } from '../base/clock.ts'
import { refusal } from '../receive/answer.ts'
import type { Routes } from '../receive/server.ts'
import { type AnswerTo, handlerOf, jsonAnswer, okAnswer } from './answers.ts'
import type { Balance } from './balance.ts'
import type { Metrics } from './metrics.ts'
import type { Snapshot } from './snapshot.ts'

export type AdminParts = {
  metrics: Metrics
  snapshot: () => Snapshot
  balance: () => Balance
  /** Brings up to date what other threads count. */
  refresh: () => Promise<void>
  /** Why no push is taken at the moment, or null. */
  notReady: () => string | null
  clock: Clock
}

/** What load balancers and Prometheus ask: read only, and never a secret. */
export function createAdminRoutes(parts: AdminParts): Routes {
  const { metrics, snapshot, balance, refresh, notReady, clock } = parts
  const get = (read: AnswerTo) => handlerOf('GET', read, clock)

  return {
    '/metrics': get(async () => {
      await refresh()
      return okAnswer(metrics.contentType, await metrics.text())
    }),
    // Alive means that the event loop turns; a destination that is down is no reason to restart.
    '/-/healthy': get(() => okAnswer('text/plain; charset=utf-8', 'sluice is alive\n')),
    '/-/ready': get(() => {
      const reason = notReady()
      if (reason !== null) return refusal(503, `not ready: ${reason}`)
      return okAnswer('text/plain; charset=utf-8', 'sluice is ready\n')
    }),
    '/api/v1/status': get(() => jsonAnswer(snapshot())),
    '/api/v1/balance': get(() => jsonAnswer(balance())),
  }
}
