import { snappy } from '../../src/wire/snappy.ts'
import type { TestGateway } from '../support/gateway.ts'
import { rw2Of } from '../support/remote-write.ts'

/** One series with a sample each tick, which is a millisecond. */
export const labels = { __name__: 'up' }
export const startMs = Date.now() - 60_000

export const bodyAt = (tick: number) =>
  snappy.compress(rw2Of([{ labels, samples: [{ value: tick, timestamp: startMs + tick }] }]))

/** Those that have arrived, in their order. */
export const ticksAt = ({ receiver }: Pick<TestGateway, 'receiver'>) =>
  receiver.samplesOf(labels).map(({ timestampMs }) => timestampMs - startMs)
