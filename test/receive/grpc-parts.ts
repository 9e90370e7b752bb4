import { Client, type ClientOptions, credentials, Metadata, type ServiceError } from '@grpc/grpc-js'
import protobuf from 'protobufjs'
import { systemClock } from '../../src/base/clock.ts'
import { createLogger } from '../../src/base/log.ts'
import { createGrpcServer, type GrpcHandler, type GrpcParts } from '../../src/receive/grpc.ts'
import { Permits } from '../../src/receive/permit.ts'

export const SERVICE = 'test.Echo'
const log = createLogger({ level: 'silent' })
export const echo: GrpcHandler = async ({ message }) => ({ message })

export type Answered = { code: number; message: string; details: string[]; retrySeconds?: number }

/** What the three messages say, by another reader than ours. */
const { root } = protobuf.parse(`syntax = "proto3"; package google.rpc;
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message Duration { int64 seconds = 1; int32 nanos = 2; }
  message RetryInfo { Duration retry_delay = 1; }`)

function answeredOf({ code, metadata }: ServiceError): Answered {
  const bytes = metadata.get('grpc-status-details-bin')[0]
  if (!(bytes instanceof Buffer)) return { code, message: '', details: [] }
  const read = (name: string, from: Uint8Array) =>
    root
      .lookupType(`google.rpc.${name}`)
      .toObject(root.lookupType(`google.rpc.${name}`).decode(from), { longs: Number })
  const { message, details = [] } = read('Status', bytes)
  const names = details.map(({ typeUrl }: { typeUrl: string }) => typeUrl)
  if (names.length === 0) return { code, message, details: names }
  const { retryDelay } = read('RetryInfo', details[0].value)
  return { code, message, details: names, retrySeconds: retryDelay.seconds }
}

export type Grpc = {
  server: ReturnType<typeof createGrpcServer>
  port: number
  client: Client
  /** Resolves with the answer, or with what was said instead. */
  call(message: Uint8Array, method?: string): Promise<Buffer | Answered>
}

export function callOf(
  client: Client,
  message: Uint8Array,
  path: string,
): Promise<Buffer | Answered> {
  const asIs = (bytes: Buffer) => bytes
  const deadline = Date.now() + 10_000
  return new Promise((resolve) => {
    const [bytes, metadata] = [Buffer.from(message), new Metadata()]
    client.makeUnaryRequest(path, asIs, asIs, bytes, metadata, { deadline }, (error, answer) =>
      resolve(error === null ? answer! : answeredOf(error)),
    )
  })
}

export async function withGrpc(
  handler: GrpcHandler,
  body: (grpc: Grpc) => Promise<void>,
  { options = {}, ...parts }: Partial<GrpcParts> & { options?: ClientOptions } = {},
): Promise<void> {
  const server = createGrpcServer({
    address: { host: '127.0.0.1', port: 0 },
    service: SERVICE,
    methods: { Say: handler },
    permits: new Permits(),
    clock: systemClock,
    random: () => 0.5,
    log,
    ...parts,
  })
  const port = await server.start()
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), options)
  const call = (message: Uint8Array, method = 'Say') =>
    callOf(client, message, `/${SERVICE}/${method}`)
  try {
    await body({ server, port, client, call })
  } finally {
    client.close()
    await server.stop(0)
  }
}
