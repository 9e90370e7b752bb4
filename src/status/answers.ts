import type { Answer } from '../receive/answer.ts'

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
