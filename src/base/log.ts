import { pino } from 'pino'
import { type Clock, systemClock } from './clock.ts'
import { withoutCredentials } from './secrets.ts'

export type LogFields = Readonly<Record<string, unknown>>

/** One event per call. `message` is constant and names the event; what varies goes into `fields`. */
export type Logger = {
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A logger that adds `fields` to every event, and throttles on its own. */
  child(fields: LogFields): Logger
}

export type LoggerOptions = {
  level: 'info' | 'warn' | 'error' | 'silent'
  /** On a terminal events are written for people, anywhere else as JSON. */
  destination?: { write(line: string): unknown; isTTY?: boolean | undefined }
  clock?: Clock
}

/** The same event is written at most this often; the next one says how many were left out. */
const REPEAT_AFTER_MS = 10_000
/** Messages are constant, so this is never reached; if one is not, memory stays bounded. */
const MESSAGES_MAX = 1_000

/** Fields that are never written, wherever they lie. */
const SECRET_FIELDS = ['authorization', 'cookie', 'headers', 'password', 'secret', 'token']

/** Writes one line per event to `destination`, or to standard output. */
export function createLogger(options: LoggerOptions): Logger {
  const { level, destination = process.stdout, clock = systemClock } = options
  const format = destination.isTTY === true ? readable : (line: string) => line
  const stream = {
    write: (line: string) => destination.write(format(withoutCredentials(line))),
  }
  const backend = pino(
    {
      level,
      base: null,
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date(clock.nowMs()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: errorFields },
      redact: {
        paths: SECRET_FIELDS.flatMap((name) => [name, `*.${name}`]),
        censor: '[hidden]',
      },
    },
    stream,
  )
  return throttled(backend, clock)
}

function throttled(backend: pino.Logger, clock: Clock): Logger {
  const repeats = new Repeats()
  const write = (level: 'info' | 'warn' | 'error') => (message: string, fields?: LogFields) => {
    const suppressed = repeats.suppressedBefore(`${level} ${message}`, clock.monotonicMs())
    if (suppressed === null) return
    backend[level](suppressed > 0 ? { ...fields, suppressed } : { ...fields }, message)
  }
  return {
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (fields) => throttled(backend.child({ ...fields }), clock),
  }
}

/** What was written when, so that an event that comes a thousand times a second fills no disk. */
class Repeats {
  readonly #byKey = new Map<string, { writtenMs: number; suppressed: number }>()

  /** How many like it were left out since the last one was written; null when this one is, too. */
  suppressedBefore(key: string, nowMs: number): number | null {
    const last = this.#byKey.get(key)
    if (last !== undefined && nowMs - last.writtenMs < REPEAT_AFTER_MS) {
      last.suppressed += 1
      return null
    }
    this.#byKey.delete(key)
    this.#byKey.set(key, { writtenMs: nowMs, suppressed: 0 })
    if (this.#byKey.size > MESSAGES_MAX) {
      const [oldest] = this.#byKey.keys()
      this.#byKey.delete(oldest!)
    }
    return last?.suppressed ?? 0
  }
}

/** Only what names the fault: errors of libraries carry requests, with headers, as properties. */
function errorFields(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error)
  const { code } = error as { code?: unknown }
  return {
    ...(code === undefined ? {} : { code }),
    message: error.message,
    stack: error.stack,
    ...(error.cause instanceof Error ? { cause: error.cause.message } : {}),
  }
}

/** One JSON line as a line for people: `14:03:22.120 WARN  cannot send  destination=central`. */
function readable(line: string): string {
  const { level, time, message, ...fields } = JSON.parse(line) as Record<string, unknown>
  const parts = Object.entries(fields).map(([name, value]) => `${name}=${shown(value)}`)
  const clockTime = String(time).slice(11, 23)
  const head = `${clockTime} ${String(level).toUpperCase().padEnd(5)} ${plain(String(message))}`
  return `${[head, ...parts].join('  ')}\n`
}

function shown(value: unknown): string {
  if (typeof value === 'string') return /^[\w./:@+-]+$/.test(value) ? value : quoted(value)
  if (isErrorFields(value)) {
    const frame = value.stack.split('\n').find((text) => text.startsWith('    at '))
    const fault = value.cause === undefined ? value.message : `${value.message}: ${value.cause}`
    return quoted(frame === undefined ? fault : `${fault} (${frame.trim()})`)
  }
  return plain(JSON.stringify(value))
}

function isErrorFields(
  value: unknown,
): value is { message: string; stack: string; cause?: string } {
  return typeof value === 'object' && value !== null && 'message' in value && 'stack' in value
}

function quoted(text: string): string {
  return plain(JSON.stringify(text))
}

/** Control characters of a sender must not steer the terminal of the person who reads. */
function plain(text: string): string {
  return text.replace(
    /\p{Cc}/gu,
    (character) => `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`,
  )
}
