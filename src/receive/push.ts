import type { Logger } from '../base/log.ts'
import type { Outcome, Sender } from '../model/outcome.ts'
import type { Protocol } from './negotiate.ts'

/** OTLP over HTTP in its two encodings, and over gRPC. */
export type OtlpProtocol = 'otlp' | 'otlp-json' | 'otlp-grpc'

/** One request that was read. */
export type ReceivedPush = {
  sender: Sender
  protocol: Protocol | OtlpProtocol
  /** Given. Of remote write as it came, in snappy; of OTLP decompressed. */
  body: Uint8Array
  /** Wall time at which the whole body was there. */
  receivedMs: number
}

export type Ingest = (push: ReceivedPush) => Promise<Outcome>

/** A fault of ours is no fault of the sender's: it keeps its samples and tries again. */
export function faultless(ingest: Ingest, log: Logger): Ingest {
  return async (push) => {
    try {
      return await ingest(push)
    } catch (error) {
      log.error('a push failed by a fault of the gateway', { error })
      return { kind: 'backlogged', reason: 'internal error: nothing was kept, try again later' }
    }
  }
}
