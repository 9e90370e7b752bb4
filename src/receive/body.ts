import type { IncomingMessage } from 'node:http'
import { release } from '../base/memory.ts'
import { PUSH_BYTES_MAX } from '../kernel/layout.ts'

/** A compressed body may be this long, as with Prometheus. */
export const BODY_BYTES_MAX = PUSH_BYTES_MAX

export type BodyOptions = {
  limitBytes: number
  /** Asked for room before bytes are kept whose number nobody announced; false: there is none. */
  grow: (bytes: number) => boolean
}

export type Body =
  /** Given: nobody else has a view of the bytes. */
  | { kind: 'whole'; bytes: Uint8Array }
  /** Longer than the limit; reading was stopped. */
  | { kind: 'too-large' }
  /** `grow` refused; reading was stopped. */
  | { kind: 'no-room' }
  /** The sender went away, so there is nobody to answer. */
  | { kind: 'gone' }

/** Length that the sender announced, or null when it sends chunks. */
export function announcedBytes({ headers }: IncomingMessage): number | null {
  if (headers['transfer-encoding'] !== undefined) return null
  return Number(headers['content-length'] ?? 0)
}

/** Whether the sender keeps its body back until it is asked for it, by `100 Continue`. */
export function isHeldBack({ headers, httpVersion }: IncomingMessage): boolean {
  return headers.expect !== undefined && httpVersion === '1.1'
}

// A property, and not a WeakMap: through one of those, requests outlive the young generation.
const RECEIVED = Symbol('bytes of a body that is being read')
type Reading = IncomingMessage & { [RECEIVED]?: number | null }

/** How much of the body has come; null when nobody reads it. */
export function receivedBytes(request: IncomingMessage): number | null {
  return (request as Reading)[RECEIVED] ?? null
}

/** Reads a request's body into memory, as it came, and never more than `limitBytes` of it. */
export function readBody(request: Reading, options: BodyOptions): Promise<Body> {
  const announced = announcedBytes(request)
  if (announced !== null && announced > options.limitBytes) {
    return Promise.resolve({ kind: 'too-large' })
  }
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let length = 0

    function onData(chunk: Buffer): void {
      length += chunk.length
      request[RECEIVED] = length
      if (length > options.limitBytes) finish({ kind: 'too-large' })
      else if (announced === null && !options.grow(chunk.length)) finish({ kind: 'no-room' })
      else chunks.push(chunk)
    }
    const onEnd = () => finish(assembled(chunks, length))
    const onGone = () => finish({ kind: 'gone' })

    function finish(body: Body): void {
      request.off('data', onData).off('end', onEnd).off('error', onGone).off('close', onGone)
      request[RECEIVED] = null
      // Whoever sends too much is not listened to any longer; TCP makes him wait.
      if (body.kind !== 'whole') request.pause()
      resolve(body)
    }

    request[RECEIVED] = 0
    request.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone)
    if (request.destroyed && !request.readableEnded) onGone()
  })
}

/** Small bodies come in one piece, which then needs no copy. */
function assembled(chunks: Buffer[], length: number): Body {
  if (chunks.length === 1) return { kind: 'whole', bytes: chunks[0]! }
  const bytes = Buffer.concat(chunks, length)
  for (const chunk of chunks) release(chunk)
  return { kind: 'whole', bytes }
}
