import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Clock } from '../base/clock.ts'
import type { Answer } from './answer.ts'
import { announcedBytes } from './body.ts'

/** An unread rest of a body up to this size is taken off the wire, and the connection stays. */
const DISCARD_BYTES_MAX = 256 * 1024

/** How long a sender that is still talking has time to see our answer. */
const LINGER_MS = 500

/**
 * Sends an answer, whether or not the body has been read.
 *
 * A long body is not read for the sake of good manners: the connection is closed. But to
 * close a socket with unread bytes in it resets it, and the reset overtakes the answer; the
 * sender would see a broken connection and repeat for ever what can never be accepted. So
 * the answer goes out, the socket stays for a moment, unread, and is closed then.
 */
export async function reply(response: ServerResponse, answer: Answer, clock: Clock): Promise<void> {
  if (response.destroyed) return
  const body = Buffer.from(answer.body)
  const headers =
    body.length > 0 ? { ...answer.headers, 'Content-Length': body.length } : answer.headers
  if (isReadOrShort(response)) {
    response.writeHead(answer.status, headers).end(body)
    return
  }
  response.writeHead(answer.status, { ...headers, Connection: 'close' }).write(body)
  await closedWithin(response, LINGER_MS, clock)
  response.end()
}

function isReadOrShort({ req: request }: ServerResponse): boolean {
  const announced = announcedBytes(request)
  return request.readableEnded || (announced !== null && announced <= DISCARD_BYTES_MAX)
}

async function closedWithin(response: ServerResponse, ms: number, clock: Clock): Promise<void> {
  const over = new AbortController()
  const closed = once(response, 'close', { signal: over.signal })
  await Promise.race([closed, clock.sleep(ms, over.signal)]).catch(() => {})
  over.abort()
}
