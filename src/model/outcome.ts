import type { Counts } from './counts.ts'

/** Who the credential says is writing. Labels are only a claim. */
export type Sender = {
  cluster: string
}

/** What became of a push: all that a handler needs in order to answer. */
export type Outcome =
  /** Everything is on disk, or was there already. */
  | { kind: 'accepted'; written: Counts }
  /** The good part is on disk; `reason` is for a person and names what was refused. */
  | {
      kind: 'partial'
      written: Counts
      /** Of OTLP, whose senders are told how many. */
      rejectedPoints: number
      reason: string
    }
  | { kind: 'malformed'; reason: string }
  /** Nothing was kept: the sender repeats. */
  | { kind: 'backlogged'; reason: string }
