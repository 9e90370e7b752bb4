import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Address } from '../base/units.ts'
import type { Outcome } from '../model/outcome.ts'
import type { Permits } from '../receive/permit.ts'
import { createServer, type Server } from '../receive/server.ts'
import { createWriteHandler, type ReceivedPush, type WriteCounters } from '../receive/write.ts'

/** Open requests get this long to finish when the gateway stops. */
export const DRAIN_MS = 5_000

export type EndpointParts = {
  address: Address
  ingest: (push: ReceivedPush) => Promise<Outcome>
  permits: Permits
  clock: Clock
  /** In [0, 1). */
  random: () => number
  log: Logger
  /** Other threads listen on the same port. */
  isShared: boolean
}

/** Where pushes come in: an HTTP server with the paths of remote write. */
export function createEndpoint(parts: EndpointParts): { server: Server; counters: WriteCounters } {
  const { address, ingest, permits, clock, random, log, isShared } = parts
  // Without configured clusters anyone may write, and a series is what its labels say.
  const identify = () => ({ cluster: 'default' })
  const write = createWriteHandler({ identify, ingest, permits, clock, random, log })
  const routes = { '/api/v1/write': write.handle, '/api/v1/push': write.handle }
  return {
    server: createServer({ ...address, routes, clock, log, isShared }),
    counters: write.counters,
  }
}
