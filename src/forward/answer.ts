import { type Counts, isNothing, minus, noCounts } from '../model/counts.ts'
import { isLate } from './refused.ts'

export type Protocol = 'rw1' | 'rw2'

/** What came back from one POST, before anybody has said what it means. */
export type Answer =
  | {
      kind: 'response'
      status: number
      /** From the Written headers; one that is missing counts as 0. Null when all three are. */
      written: Counts | null
      /** The `Retry-After` header as it was sent. */
      retryAfter: string | null
      /** The first bytes of the body. */
      text: string
      /** After a connection that broke before it said anything. */
      wasSentTwice?: boolean
    }
  | {
      kind: 'failed'
      reason: string
      /** Whether only a person can change it, such as a certificate that has expired. */
      isForPerson?: boolean
      /** False only when no connection was made: otherwise it may all have been stored. */
      maybeStored: boolean
    }

export type AnswerContext = {
  protocol: Protocol
  /** What the request carried. */
  sent: Counts
  nowMs: number
  /** Whether this destination has accepted Remote Write 2.0 since it last fell back. */
  everWorked: boolean
}

/** What an answer means for the request that it answers. */
export type Verdict =
  /** Done. `lost` is what a 2.0 receiver says that it did not write, and usually nothing. */
  | { kind: 'delivered'; lost: Counts }
  /** The good part is stored and `lost` is not: never send it again. */
  | { kind: 'partial'; lost: Counts; reason: string }
  /** It does not speak this version: send the same in the other one. */
  | { kind: 'fallback'; reason: string; maybeStored: boolean }
  /** Nothing is stored, and never will be while its bad part is in it. */
  | { kind: 'rejected'; reason: string }
  /** Nothing wrong with the request: send it again. */
  | {
      kind: 'retry'
      reason: string
      retryAfterMs: number
      maybeStored: boolean
      /** Whether the request itself may be what the receiver cannot digest. */
      mayBePoison: boolean
    }
  /** The destination is set up wrongly. Keep the data, tell somebody, try again slowly. */
  | { kind: 'paused'; reason: string }

/**
 * Maps an answer to what is done about it. This table decides what can get lost: an answer
 * that nobody foresaw pauses, because that loses nothing.
 *
 * @see https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/
 */
export function classify(answer: Answer, context: AnswerContext): Verdict {
  if (answer.kind === 'failed') {
    const { reason, maybeStored, isForPerson = false } = answer
    if (isForPerson) return { kind: 'paused', reason }
    return { kind: 'retry', reason, retryAfterMs: 0, maybeStored, mayBePoison: false }
  }
  const { status, retryAfter } = answer
  const reason = reasonOf(answer)
  if (status >= 200 && status < 300) return success(answer, context, reason)
  if (status >= 500 || status === 429 || status === 408) {
    const retryAfterMs = parseRetryAfter(retryAfter, context.nowMs)
    return {
      kind: 'retry',
      reason,
      retryAfterMs,
      // The others speak of the way, or of everybody.
      mayBePoison: status >= 500 && ![502, 503, 504].includes(status) && retryAfterMs === 0,
      // A proxy's words about a receiver that may have worked on. Prometheus itself has
      // undone what it answers with any other 5xx.
      maybeStored: status === 502 || status === 504,
    }
  }
  switch (status) {
    case 400:
    case 409:
    case 413:
    case 422:
      return refusal(answer, context, reason)
    case 415:
      // Prometheus 3.5 answers 415 to a 2.0 request that its flags forbid, and stores it too.
      return { kind: 'fallback', reason, maybeStored: context.protocol === 'rw2' }
    default:
      return { kind: 'paused', reason }
  }
}

/** Whether the receiver may keep more of a request than its answer says. */
export function maybeStored(answer: Answer, verdict: Verdict): boolean {
  const wasSentTwice = answer.kind === 'response' && answer.wasSentTwice === true
  return wasSentTwice || ('maybeStored' in verdict && verdict.maybeStored)
}

/** Whether it is the verdict on an answer that only a receiver of 2.0 gives. */
export function isFrom2({ kind }: Verdict, protocol: Protocol): boolean {
  return protocol === 'rw2' && (kind === 'delivered' || kind === 'partial')
}

/** Whether the receiver has taken the request, or a part of it. */
export function hasTaken(verdict: Verdict, sent: Counts): boolean {
  if (verdict.kind === 'partial') return !isNothing(minus(sent, verdict.lost))
  return verdict.kind === 'delivered'
}

/** Whether the receiver is ours: it took some of this, or has newer samples of the series. */
export function isOurs(verdict: Verdict, sent: Counts): boolean {
  const isRefusal = verdict.kind === 'rejected' || verdict.kind === 'partial'
  return hasTaken(verdict, sent) || (isRefusal && isLate(verdict.reason))
}

type Response = Extract<Answer, { kind: 'response' }>

function success({ written }: Response, context: AnswerContext, reason: string): Verdict {
  // A 1.0 receiver has nothing to say about counts, and one version said wrong zeros.
  if (context.protocol === 'rw1') return { kind: 'delivered', lost: noCounts() }
  if (written === null) {
    return {
      kind: 'fallback',
      reason: `${reason} without Written headers: a receiver of Remote Write 1.0 alone`,
      maybeStored: true,
    }
  }
  return { kind: 'delivered', lost: shortfall(context.sent, written) }
}

function refusal({ status, written }: Response, context: AnswerContext, reason: string): Verdict {
  if (context.protocol === 'rw1') return { kind: 'rejected', reason }
  if (written !== null) return { kind: 'partial', lost: shortfall(context.sent, written), reason }
  // Receivers of 1.0 fail to parse a 2.0 message and say so with 400 where 415 would be right.
  if (status === 400 && !context.everWorked) return { kind: 'fallback', reason, maybeStored: false }
  return { kind: 'rejected', reason }
}

function shortfall(sent: Counts, written: Counts): Counts {
  return {
    samples: Math.max(0, sent.samples - written.samples),
    histograms: Math.max(0, sent.histograms - written.histograms),
    exemplars: Math.max(0, sent.exemplars - written.exemplars),
  }
}

/** Enough to name the culprit; a page of HTML is not needed to know that a proxy answered. */
const REASON_LENGTH_MAX = 1024

/** Whole lines, the worst of them first: samples that are late are often there already. */
function reasonOf({ status, text }: Response): string {
  const lines = text.trim().split('\n')
  const words = inOneReason([...lines.filter((line) => !isLate(line)), ...lines.filter(isLate)])
  return words === '' ? `HTTP ${status}` : `HTTP ${status}: ${words}`
}

function inOneReason(lines: readonly string[]): string {
  const words = lines.join('\n')
  if (words.length <= REASON_LENGTH_MAX) return words
  const end = words.lastIndexOf('\n', REASON_LENGTH_MAX)
  return words.slice(0, end > 0 ? end : REASON_LENGTH_MAX)
}

/** A receiver that asks for more is asked again after this long all the same. */
const RETRY_AFTER_MS_MAX = 5 * 60_000

const DATE_BEGINS = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/

/**
 * Milliseconds to wait by a `Retry-After` header: whole seconds or an HTTP date. 0 when
 * there is none, when it lies in the past and when it is neither.
 */
export function parseRetryAfter(text: string | null, nowMs: number): number {
  if (text === null) return 0
  const trimmed = text.trim()
  if (/^\d+$/.test(trimmed)) return Math.min(Number(trimmed) * 1000, RETRY_AFTER_MS_MAX)
  // Date.parse takes a great deal for a date ("-5" is one of May), hence the look before.
  if (!DATE_BEGINS.test(trimmed)) return 0
  const dateMs = Date.parse(trimmed.endsWith('GMT') ? trimmed : `${trimmed} GMT`)
  if (Number.isNaN(dateMs)) return 0
  return Math.min(Math.max(0, dateMs - nowMs), RETRY_AFTER_MS_MAX)
}
