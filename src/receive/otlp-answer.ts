import type { Outcome } from '../model/outcome.ts'
import { ProtobufWriter } from '../wire/protobuf-writer.ts'
import { type Answer, REASON_BYTES_MAX, refusal, retryAfterSeconds } from './answer.ts'
import type { GrpcAnswer } from './grpc.ts'
import type { OtlpEncoding } from './otlp-negotiate.ts'
import { encodeRpcStatus, RPC } from './rpc-status.ts'

/** In gRPC's numbers, for bodies over HTTP. */
const RPC_CODES: Record<number, number> = {
  400: RPC.INVALID_ARGUMENT,
  405: RPC.UNIMPLEMENTED,
  413: RPC.RESOURCE_EXHAUSTED,
  415: RPC.INVALID_ARGUMENT,
  503: RPC.UNAVAILABLE,
}

const CONTENT_TYPES = { protobuf: 'application/x-protobuf', json: 'application/json' }

/**
 * What a sender of OTLP over HTTP is told. It repeats on 503, and throws away on any other
 * error; what a partial success rejects is lost, so duplicates are never among it.
 *
 * | outcome    | status | body                                               |
 * |------------|--------|----------------------------------------------------|
 * | accepted   | 200    | an empty response                                  |
 * | partial    | 200    | a response with the number of points, and why      |
 * | malformed  | 400    | a Status                                           |
 * | backlogged | 503    | a Status                                           |
 *
 * @param random in [0, 1)
 * @see https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
 */
export function answerExport(outcome: Outcome, encoding: OtlpEncoding, random: number): Answer {
  switch (outcome.kind) {
    case 'accepted':
      return withBody(200, encoding, encoding === 'json' ? '{}' : '')
    case 'partial': {
      const { rejectedPoints, reason } = outcome
      const message = shortened(reason)
      const partialSuccess = { rejectedDataPoints: String(rejectedPoints), errorMessage: message }
      const body =
        encoding === 'json'
          ? JSON.stringify({ partialSuccess })
          : encodePartialSuccess(rejectedPoints, message)
      return withBody(200, encoding, body)
    }
    case 'malformed':
      return refuseExport(400, outcome.reason, encoding)
    case 'backlogged':
      return overloadExport(outcome.reason, encoding, random)
  }
}

export function overloadExport(
  reason: string,
  encoding: OtlpEncoding,
  random: number,
  waitSeconds: number | null = null,
): Answer {
  const headers = { 'Retry-After': retryAfterSeconds(random, waitSeconds) }
  return refuseExport(503, reason, encoding, headers)
}

/** An error: a Status in the request's encoding, or text when nobody knows which that is. */
export function refuseExport(
  status: number,
  reason: string,
  encoding: OtlpEncoding | null,
  headers: Answer['headers'] = {},
): Answer {
  if (encoding === null) return refusal(status, reason, headers)
  const code = RPC_CODES[status] ?? RPC.UNKNOWN
  const message = shortened(reason)
  const body =
    encoding === 'json' ? JSON.stringify({ code, message }) : encodeRpcStatus(code, message)
  const answer = withBody(status, encoding, body)
  return { ...answer, headers: { ...answer.headers, ...headers } }
}

/** The same over gRPC. */
export function answerCall(outcome: Outcome, random: number): GrpcAnswer {
  switch (outcome.kind) {
    case 'accepted':
      return { message: new Uint8Array(0) }
    case 'partial': {
      const { rejectedPoints, reason } = outcome
      return { message: encodePartialSuccess(rejectedPoints, shortened(reason)) }
    }
    case 'malformed':
      return { code: RPC.INVALID_ARGUMENT, reason: shortened(outcome.reason) }
    case 'backlogged': {
      const retrySeconds = retryAfterSeconds(random)
      return { code: RPC.UNAVAILABLE, reason: shortened(outcome.reason), retrySeconds }
    }
  }
}

function withBody(status: number, encoding: OtlpEncoding, body: string | Uint8Array): Answer {
  const headers = { 'Content-Type': CONTENT_TYPES[encoding], 'Content-Length': body.length }
  return { status, headers, body }
}

/** An ExportMetricsServiceResponse with a partial success. */
function encodePartialSuccess(points: number, message: string): Uint8Array {
  const writer = new ProtobufWriter(256)
  const text = new TextEncoder().encode(message)
  writer.uint32(0x0a)
  const partialSuccess = writer.open()
  if (points > 0) {
    writer.uint32(0x08)
    writer.int64(points)
  }
  writer.uint32(0x12)
  writer.lengthDelimited(text, 0, text.length)
  writer.close(partialSuccess)
  return writer.written()
}

/** Senders log the message; it also goes into a header of gRPC. */
function shortened(reason: string): string {
  return reason.slice(0, REASON_BYTES_MAX / 4)
}
