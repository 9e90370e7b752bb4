import type { IncomingMessage } from 'node:http'
import type { Clock } from '../base/clock.ts'
import { type Answer, refusal } from '../receive/answer.ts'
import { reply } from '../receive/reply.ts'
import type { Handler } from '../receive/server.ts'

type Method = 'GET' | 'POST'

export type AnswerTo = (query: URLSearchParams) => Answer | Promise<Answer>

/** Answers what somebody asks of the gateway (GET) or wants it to do (POST). */
export function handlerOf(method: Method, answerTo: AnswerTo, clock: Clock): Handler {
  return async (request, response) => {
    const query = new URLSearchParams((request.url ?? '').split('?', 2)[1] ?? '')
    await reply(response, refusalOf(request, method) ?? (await answerTo(query)), clock)
  }
}

function refusalOf({ method, headers }: IncomingMessage, allowed: Method): Answer | null {
  const is = method === 'HEAD' ? 'GET' : method
  if (is !== allowed) {
    const Allow = allowed === 'GET' ? 'GET, HEAD' : allowed
    return refusal(405, `this takes ${allowed}: correct the method`, { Allow })
  }
  // A page that somebody looks at must not act in his name.
  const { origin, host } = headers
  if (is === 'POST' && origin !== undefined && URL.parse(origin)?.host !== host) {
    return refusal(403, 'this is not for pages of other sites: call it from here')
  }
  return null
}

/** What somebody is told who names a destination that is not there. */
export function unknownDestination(name: string, known: Iterable<string>): Answer {
  const names = [...known].join(', ')
  return refusal(404, `no destination is called ${JSON.stringify(name)}; there are: ${names}`)
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
