import type { PushDigest } from '../admit/push-digest.ts'
import type { LogFields } from '../base/log.ts'
import type { TlsFiles } from '../base/tls-files.ts'
import type { KernelMemory } from '../kernel/kernel.ts'
import type { Outcome } from '../model/outcome.ts'
import type { PlainRejections } from '../model/rejection.ts'
import type { OtlpOptions } from '../otlp/options.ts'
import type { RequestStatus } from '../status/sources.ts'
import type { ConnectionLimits } from './endpoint.ts'
import type { Listeners } from './listeners.ts'

/** What an intake thread is started with. */
export type ThreadData = {
  listeners: Listeners
  tls: TlsFiles | null
  /** That of the digests: identities are compared between threads. */
  key: Uint32Array
  otlp: OtlpOptions
  /** One for each push that may be read and not judged yet. */
  memories: KernelMemory[]
  permitBytes: number
  connections: ConnectionLimits
}

/** From an intake thread to the owner of the table. */
export type FromThread =
  | { kind: 'listening' }
  | { kind: 'failed'; message: string }
  /** The batch in `slot` is read, and the owner's until AT_IS_IN_USE is 0 there. */
  | {
      kind: 'push'
      id: number
      slot: number
      cluster: string
      digest: PushDigest
      rawBytes: number
      bodyBytes: number
      rejections: PlainRejections
    }
  | { kind: 'malformed' }
  /** What a thread counts on its own; the owner of the table counts the rest. */
  | { kind: 'counters'; counters: RequestStatus }
  | { kind: 'log'; level: 'info' | 'warn' | 'error'; message: string; fields: LogFields }

/** From the owner of the table to an intake thread. */
export type ToThread =
  | { kind: 'outcome'; id: number; outcome: Outcome }
  /** Asks for the counters. */
  | { kind: 'count' }
  /** Asks it to take no more pushes, answer the open ones, and end. */
  | { kind: 'stop' }
