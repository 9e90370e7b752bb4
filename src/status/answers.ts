import type { IncomingMessage } from 'node:http'
import type { Clock } from '../base/clock.ts'
import { type Answer, refusal } from '../receive/answer.ts'
import { reply } from '../receive/reply.ts'
import type { Handler } from '../receive/server.ts'

export type AnswerTo = (query: URLSearchParams) => Promise<Answer>

/** Answers what somebody asks of the gateway or wants it to do. */
export function handlerOf(method: 'GET' | 'POST', answerTo: AnswerTo, clock: Clock): Handler {
  return async (request, response) => {
    await reply(response, await answered(request, method, answerTo), clock)
  }
}

async function answered(
  request: IncomingMessage,
  method: 'GET' | 'POST',
  answerTo: AnswerTo,
): Promise<Answer> {
  const is = request.method === 'HEAD' ? 'GET' : request.method
  if (is !== method) {
    return refusal(405, `this takes ${method}: correct the method`, { Allow: method })
  }
  // A page that somebody looks at must not act in his name.
  const { origin, host } = request.headers
  if (origin !== undefined && URL.parse(origin)?.host !== host) {
    return refusal(403, 'this is not for pages of other sites: call it from here')
  }
  return answerTo(new URLSearchParams((request.url ?? '').split('?', 2)[1] ?? ''))
}

/** An answer that nobody may keep for later. */
export function okAnswer(contentType: string, body: string): Answer {
  const headers = {
    'Content-Type': contentType,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  }
  return { status: 200, headers, body }
}

export function jsonAnswer(value: unknown): Answer {
  return okAnswer('application/json; charset=utf-8', `${JSON.stringify(value, null, 2)}\n`)
}
