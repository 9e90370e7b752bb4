import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js'
import protobuf from 'protobufjs'
import { type TestGateway, withGateway } from './gateway.ts'
import { decodeOtlpResponse, encodeOtlp, type Message } from './otlp.ts'

/** The three ways by which metrics of OpenTelemetry come in. */
export const DOORS = ['protobuf', 'JSON', 'gRPC'] as const
export type Door = (typeof DOORS)[number]

/** What a sender was told: in the words of HTTP or of gRPC, and what it makes of them. */
export type Told = {
  /** HTTP's status, or gRPC's code. */
  status: number
  /** Points that are lost, by the partial success. */
  rejected: number
  /** Of the partial success, or of the Status that came instead. */
  message: string
  /** When it may come back, if it may. */
  retrySeconds: number | null
  /** Whether the answer was what OTLP says that an answer is. */
  isWellFormed: boolean
}

export type Doors = {
  /** Bytes as they are. */
  bytes(door: Door, body: Uint8Array): Promise<Told>
  /** A message in the door's own encoding. */
  message(door: Door, message: Message): Promise<Told>
}

const PATH = '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export'
const TYPES = { protobuf: 'application/x-protobuf', JSON: 'application/json' }

/** The messages of errors, by another reader than ours. */
const { root } = protobuf.parse(`syntax = "proto3"; package google.rpc;
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message Duration { int64 seconds = 1; int32 nanos = 2; }
  message RetryInfo { Duration retry_delay = 1; }`)

/** The doors of a gateway that takes gRPC; to be closed before it stops. */
export function doorsOf(gateway: TestGateway): Doors & { close(): void } {
  const address = `127.0.0.1:${gateway.gateway.otlpGrpcPort}`
  // Larger messages than ours may be, so that it is the server who refuses them.
  const large = { 'grpc.max_send_message_length': -1 }
  const client = new Client(address, credentials.createInsecure(), large)
  const bytes = (door: Door, message: Uint8Array) =>
    door === 'gRPC' ? called(client, message) : posted(gateway, door, message)
  const message = (door: Door, one: Message) => bytes(door, encodedFor(door, one))
  return { bytes, message, close: () => client.close() }
}

/** A gateway with all doors open. */
export function withDoors(
  body: (doors: Doors, gateway: TestGateway) => Promise<void>,
  options: Parameters<typeof withGateway>[1] = {},
): Promise<void> {
  return withGateway(
    async (gateway) => {
      const doors = doorsOf(gateway)
      try {
        await body(doors, gateway)
      } finally {
        doors.close()
      }
    },
    { ...options, grpc: true },
  )
}

export function encodedFor(door: Door, message: Message): Uint8Array {
  return door === 'JSON' ? Buffer.from(JSON.stringify(message)) : encodeOtlp(message)
}

async function posted(
  { gateway }: TestGateway,
  door: 'protobuf' | 'JSON',
  body: Uint8Array,
): Promise<Told> {
  const url = `http://127.0.0.1:${gateway.otlpHttpPort}/v1/metrics`
  const headers = { 'Content-Type': TYPES[door] }
  const answer = await fetch(url, { method: 'POST', headers, body: Buffer.from(body) })
  const { status, headers: got } = answer
  const bytes = Buffer.from(await answer.arrayBuffer())
  const told = (status === 200 ? readResponse : readStatus)(door, bytes)
  const isWellFormed = told !== null && got.get('content-type') === TYPES[door]
  const retry = got.get('retry-after')
  const retrySeconds = retry === null ? null : Number(retry)
  return { status, rejected: 0, message: '', ...told, retrySeconds, isWellFormed }
}

type Read = { rejected?: number; message?: string } | null

function readResponse(door: Door, body: Buffer): Read {
  try {
    const { partialSuccess } =
      door === 'JSON' ? JSON.parse(body.toString()) : decodeOtlpResponse(body)
    if (partialSuccess === undefined) return {}
    const { rejectedDataPoints = 0, errorMessage } = partialSuccess
    return { rejected: Number(rejectedDataPoints), message: errorMessage }
  } catch {
    return null
  }
}

function readStatus(door: Door, body: Buffer): Read {
  try {
    const { message } = door === 'JSON' ? JSON.parse(body.toString()) : decoded('Status', body)
    return typeof message === 'string' && message !== '' ? { message } : null
  } catch {
    return null
  }
}

function decoded(name: string, bytes: Uint8Array): { [field: string]: unknown } {
  const type = root.lookupType(`google.rpc.${name}`)
  return type.toObject(type.decode(bytes), { longs: Number })
}

function called(client: Client, body: Uint8Array): Promise<Told> {
  const asIs = (bytes: Buffer) => bytes
  const deadline = Date.now() + 20_000
  return new Promise((resolve) => {
    const [bytes, metadata] = [Buffer.from(body), new Metadata()]
    client.makeUnaryRequest(PATH, asIs, asIs, bytes, metadata, { deadline }, (error, got) => {
      if (error !== null) {
        resolve(toldBy(error))
        return
      }
      const read = readResponse('gRPC', got!)
      const common = { status: 0, rejected: 0, message: '', retrySeconds: null }
      resolve({ ...common, ...read, isWellFormed: read !== null })
    })
  })
}

/** What is in the trailer `grpc-status-details-bin`, which the library's own errors have not. */
function toldBy({ code, details, metadata }: ServiceError): Told {
  const common = { status: code, rejected: 0, message: details }
  const trailer = metadata.get('grpc-status-details-bin')[0]
  if (!(trailer instanceof Buffer)) return { ...common, retrySeconds: null, isWellFormed: true }
  const status = decoded('Status', trailer)
  const [detail] = (status['details'] ?? []) as { typeUrl: string; value: Uint8Array }[]
  const isWellFormed = status['code'] === code && status['message'] === details
  if (detail === undefined) return { ...common, retrySeconds: null, isWellFormed }
  const { retryDelay } = decoded('RetryInfo', detail.value) as { retryDelay: { seconds: number } }
  const isRetryInfo = detail.typeUrl === 'type.googleapis.com/google.rpc.RetryInfo'
  const retrySeconds = retryDelay.seconds
  return { ...common, retrySeconds, isWellFormed: isWellFormed && isRetryInfo }
}
