import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../base/clock.ts'
import type { Sender } from '../model/outcome.ts'
import { type Answer, answerOutcome, answerTooLarge, overload, refusal } from './answer.ts'
import { announcedBytes, BODY_BYTES_MAX, isHeldBack, readBody } from './body.ts'
import { negotiate, type Protocol } from './negotiate.ts'
import type { Permits } from './permit.ts'
import type { Ingest } from './push.ts'
import { reply } from './reply.ts'
import type { Handler } from './server.ts'

export type WriteParts = {
  /** Who the credential says it is. */
  identify: (request: IncomingMessage) => Sender
  /** Never rejects. */
  ingest: Ingest
  permits: Permits
  clock: Clock
  /** In [0, 1). */
  random: () => number
}

/** What was answered, for the metrics. */
export type WriteCounters = {
  /** Requests by `protocol status`, such as `rw2 204`; the protocol is `none` if it is unknown. */
  answers: Map<string, number>
  /** Requests whose sender says that it tries again. */
  retries: number
  /** Senders that went away before their request was whole. */
  gone: number
}

/** `POST /api/v1/write`: negotiates, reads, hands over, answers. Knows HTTP and nothing else. */
export function createWriteHandler(parts: WriteParts): {
  handle: Handler
  counters: WriteCounters
} {
  const { permits, clock, random } = parts
  const counters: WriteCounters = { answers: new Map(), retries: 0, gone: 0 }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.headers['retry-attempt'] !== undefined) counters.retries += 1
    const negotiated = negotiate(request.method, request.headersDistinct)
    if ('status' in negotiated) {
      const { status, reason } = negotiated
      const headers: Answer['headers'] = status === 405 ? { Allow: 'POST' } : {}
      count('none', status)
      return reply(response, refusal(status, reason, headers), clock)
    }
    const { protocol } = negotiated
    const announced = announcedBytes(request) ?? 0
    const permit = announced > BODY_BYTES_MAX ? null : permits.take(announced)
    try {
      const answer =
        permit === null
          ? withoutPermit(announced, protocol)
          : await takePush(request, response, protocol, permit.grow)
      if (answer === null) {
        counters.gone += 1
        return
      }
      count(protocol, answer.status)
      await reply(response, answer, clock)
    } finally {
      permit?.release()
    }
  }

  function withoutPermit(announced: number, protocol: Protocol): Answer {
    if (announced > BODY_BYTES_MAX) return answerTooLarge(BODY_BYTES_MAX, protocol)
    return withoutRoom(protocol)
  }

  function withoutRoom(protocol: Protocol): Answer {
    const reason = 'too many requests at once: try again later'
    return overload(reason, protocol, random(), permits.waitSeconds)
  }

  /** Null when there is nobody to answer any more. */
  async function takePush(
    request: IncomingMessage,
    response: ServerResponse,
    protocol: Protocol,
    grow: (bytes: number) => boolean,
  ): Promise<Answer | null> {
    if (isHeldBack(request)) response.writeContinue()
    const body = await readBody(request, { limitBytes: BODY_BYTES_MAX, grow })
    switch (body.kind) {
      case 'gone':
        return null
      case 'too-large':
        return answerTooLarge(BODY_BYTES_MAX, protocol)
      case 'no-room':
        return withoutRoom(protocol)
      case 'whole': {
        const sender = parts.identify(request)
        const push = { sender, protocol, body: body.bytes, receivedMs: clock.nowMs() }
        return answerOutcome(await parts.ingest(push), protocol, random())
      }
    }
  }

  function count(protocol: Protocol | 'none', status: number): void {
    const key = `${protocol} ${status}`
    counters.answers.set(key, (counters.answers.get(key) ?? 0) + 1)
  }

  return { handle, counters }
}
