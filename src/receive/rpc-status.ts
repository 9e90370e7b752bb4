import { ProtobufWriter } from '../wire/protobuf-writer.ts'

/** Of gRPC's numbers for errors those that are used, also over HTTP. */
export const RPC = {
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  RESOURCE_EXHAUSTED: 8,
  UNIMPLEMENTED: 12,
  UNAVAILABLE: 14,
} as const

const RETRY_INFO_TYPE = new TextEncoder().encode('type.googleapis.com/google.rpc.RetryInfo')

/**
 * A `google.rpc.Status`, as OTLP wants it in the body of an HTTP error and in the trailer
 * `grpc-status-details-bin`.
 *
 * @param code gRPC's number for it
 * @param retrySeconds whole seconds after which the sender may come back, as a `RetryInfo`
 */
export function encodeRpcStatus(code: number, message: string, retrySeconds?: number): Uint8Array {
  const writer = new ProtobufWriter(256)
  const text = new TextEncoder().encode(message)
  writer.uint32(0x08)
  writer.uint32(code)
  writer.uint32(0x12)
  writer.lengthDelimited(text, 0, text.length)
  if (retrySeconds !== undefined) writeRetryInfo(writer, retrySeconds)
  return writer.written()
}

/** `details`, an `Any` with a `RetryInfo` whose `retry_delay` has `seconds` only. */
function writeRetryInfo(writer: ProtobufWriter, seconds: number): void {
  writer.uint32(0x1a)
  const detail = writer.open()
  writer.uint32(0x0a)
  writer.lengthDelimited(RETRY_INFO_TYPE, 0, RETRY_INFO_TYPE.length)
  writer.uint32(0x12)
  const retryInfo = writer.open()
  writer.uint32(0x0a)
  const delay = writer.open()
  writer.uint32(0x08)
  writer.uint32(seconds)
  writer.close(delay)
  writer.close(retryInfo)
  writer.close(detail)
}
