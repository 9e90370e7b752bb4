/** Every operating error has one of these codes, and each code has a heading in README.md. */
export type ErrorCode =
  | 'CONFIG_INVALID'
  | 'LISTEN_FAILED'
  | 'LOG_LOCKED'
  | 'LOG_FORMAT'
  | 'LOG_CORRUPT'
  | 'LOG_FAILED'
  | 'ADMIN_UNREACHABLE'
  | 'ADMIN_REFUSED'

/** An operating error: expected to happen in production, and handled by code. */
export class SluiceError extends Error {
  override readonly name = 'SluiceError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** A programmer's error: the only correct answer is to stop the process. */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new Error(`bug: ${invariant}`)
}
