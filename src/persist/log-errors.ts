import { SluiceError } from '../base/errors.ts'

export function closedError(): SluiceError {
  return new SluiceError('LOG_FAILED', 'the log is closed')
}

export function writeFailed(directory: string, cause: unknown): SluiceError {
  const message = cause instanceof Error ? cause.message : String(cause)
  return new SluiceError(
    'LOG_FAILED',
    `cannot write to the log in ${directory}: ${message}; what was waiting is ` +
      'refused, and the next commit tries a new file; see that the disk has room and is sound',
    { cause },
  )
}
