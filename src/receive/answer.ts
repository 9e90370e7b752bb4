import type { Counts } from '../model/counts.ts'
import { noCounts } from '../model/counts.ts'
import type { Outcome } from '../model/outcome.ts'
import type { Protocol } from './negotiate.ts'

/** A whole HTTP answer. An empty body is sent as none. */
export type Answer = {
  status: number
  headers: Record<string, string | number>
  body: string | Uint8Array
}

/** An error's text is cut here; senders log 256 to 1024 bytes of it. */
export const REASON_BYTES_MAX = 4096

/** When nobody knows better, senders that were turned away come back after this long. */
const RETRY_AFTER_SECONDS = 6
const RETRY_AFTER_SECONDS_MAX = 60

/**
 * What a sender is told. It repeats a push on 5xx, and throws it away on any 4xx, so this
 * table decides what can get lost.
 *
 * | outcome    | status | body   |
 * |------------|--------|--------|
 * | accepted   | 204    | none   |
 * | partial    | 400    | reason |
 * | malformed  | 400    | reason |
 * | backlogged | 503    | reason |
 *
 * @param random in [0, 1)
 * @see https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/
 */
export function answerOutcome(outcome: Outcome, protocol: Protocol, random: number): Answer {
  switch (outcome.kind) {
    case 'accepted':
      return { status: 204, headers: writtenHeaders(protocol, outcome.written), body: '' }
    case 'partial':
      return refusal(400, outcome.reason, writtenHeaders(protocol, outcome.written))
    case 'malformed':
      return refusal(400, outcome.reason, writtenHeaders(protocol))
    case 'backlogged':
      return overload(outcome.reason, protocol, random)
  }
}

/** The answer to a body that is too long, whoever found out. */
export function answerTooLarge(limitBytes: number, protocol: Protocol): Answer {
  const reason = `the body is longer than ${limitBytes} bytes: send smaller requests`
  return refusal(413, reason, writtenHeaders(protocol))
}

/** Try again: nothing of this push was kept. `waitSeconds`: when there may be room. */
export function overload(
  reason: string,
  protocol: Protocol,
  random: number,
  waitSeconds: number | null = null,
): Answer {
  const headers = writtenHeaders(protocol)
  return refusal(503, reason, { ...headers, 'Retry-After': retryAfterSeconds(random, waitSeconds) })
}

/**
 * Text for a person. Control characters are escaped, because the text quotes what a sender
 * sent, and ends in logs and on terminals.
 */
export function refusal(
  status: number,
  reason: string,
  headers: Answer['headers'] = {},
): Answer & { body: string } {
  const body = withinLimit(escaped(reason.slice(0, REASON_BYTES_MAX)))
  return { status, headers: { ...headers, 'Content-Type': 'text/plain; charset=utf-8' }, body }
}

/**
 * Remote Write 2.0 is always told the exact counts: without them its senders take a success
 * for a receiver that did not understand. A 1.0 sender would misread them, and gets none.
 */
function writtenHeaders(protocol: Protocol, written: Counts = noCounts()): Answer['headers'] {
  if (protocol === 'rw1') return {}
  return {
    'X-Prometheus-Remote-Write-Samples-Written': written.samples,
    'X-Prometheus-Remote-Write-Histograms-Written': written.histograms,
    'X-Prometheus-Remote-Write-Exemplars-Written': written.exemplars,
  }
}

/**
 * When to come back: `waitSeconds`, give or take half of it, because senders sleep exactly that
 * long, and would all be back at once. Whole seconds from 1 to 60, as fractions are ignored.
 *
 * @param random in [0, 1)
 */
export function retryAfterSeconds(random: number, waitSeconds: number | null = null): number {
  const seconds = waitSeconds ?? RETRY_AFTER_SECONDS
  const least = Math.max(1, Math.floor(seconds / 2))
  const most = Math.min(RETRY_AFTER_SECONDS_MAX, Math.max(least + 1, Math.ceil(1.5 * seconds)))
  return least + Math.floor(random * (most - least + 1))
}

function escaped(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => {
    if (character === '\n') return character
    return `\\x${character.codePointAt(0)!.toString(16).padStart(2, '0')}`
  })
}

/** At most REASON_BYTES_MAX bytes of UTF-8, a final line break among them. */
function withinLimit(text: string): string {
  const bytes = new Uint8Array(REASON_BYTES_MAX - 1)
  const { written } = new TextEncoder().encodeInto(text, bytes)
  return `${new TextDecoder().decode(bytes.subarray(0, written))}\n`
}
