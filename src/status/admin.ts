import type { Clock } from '../base/clock.ts'
import { type Answer, refusal } from '../receive/answer.ts'
import { reply } from '../receive/reply.ts'
import type { Handler, Routes } from '../receive/server.ts'
import type { Metrics } from './metrics.ts'
import type { Snapshot } from './snapshot.ts'

export type AdminParts = {
  metrics: Metrics
  snapshot: () => Snapshot
  /** Brings up to date what other threads count. */
  refresh: () => Promise<void>
  /** Why no push is taken at the moment, or null. */
  notReady: () => string | null
  clock: Clock
}

/** What operators, load balancers and Prometheus ask: read only, and never a secret. */
export function createAdminRoutes(parts: AdminParts): Routes {
  const { metrics, snapshot, refresh, notReady, clock } = parts
  const get =
    (read: () => Answer | Promise<Answer>): Handler =>
    async (request, response) => {
      const isRead = request.method === 'GET' || request.method === 'HEAD'
      const answer = isRead
        ? await read()
        : refusal(405, 'this is read by GET: correct the method', { Allow: 'GET, HEAD' })
      await reply(response, answer, clock)
    }

  return {
    '/metrics': get(async () => {
      await refresh()
      return ok(metrics.contentType, await metrics.text())
    }),
    // Alive means that the event loop turns; a destination that is down is no reason to restart.
    '/-/healthy': get(() => ok('text/plain; charset=utf-8', 'sluice is alive\n')),
    '/-/ready': get(() => {
      const reason = notReady()
      if (reason !== null) return refusal(503, `not ready: ${reason}`)
      return ok('text/plain; charset=utf-8', 'sluice is ready\n')
    }),
    '/api/v1/status': get(() =>
      ok('application/json; charset=utf-8', `${JSON.stringify(snapshot(), null, 2)}\n`),
    ),
  }
}

function ok(contentType: string, body: string): Answer {
  const headers = {
    'Content-Type': contentType,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  }
  return { status: 200, headers, body }
}
