import { assert } from '../base/errors.ts'
import type { Block } from '../model/block.ts'
import { add, type Counts, minus, noCounts } from '../model/counts.ts'
import type { Part } from './part.ts'

/** What became of everything in a block; the three together are the block's counts. */
export type Delivery = {
  forwarded: Counts
  /** What the receiver said it would not keep. */
  refused: Counts
  /** What Remote Write 1.0 has no place for, at a receiver that speaks nothing else. */
  unsupported: Counts
}

export type Event = { level: 'info' | 'warn' | 'error'; message: string; [key: string]: unknown }

/** Why something was not forwarded, for the one who reads the log. */
export type LossClass =
  /** The receiver refused it. */
  | 'refused'
  /** Refused after an attempt whose outcome nobody knows: it is probably stored already. */
  | 'maybe stored'
  /** Answered as success, with lower counts than were sent. */
  | 'short write'
  | 'unsupported'
  /** Our own record cannot be read any more. */
  | 'unreadable'

/** What was not forwarded, and where it stands in its block. */
export type Loss = {
  lost: Counts
  lossClass: LossClass
  reason: string
  /** Labels of an example, when one is known. */
  series: string | null
  /** Of the block's series, or null when that is not known: then it is some of the block. */
  part: Part | null
}

/** What is known of a block while it is on its way. */
type Sent = Pick<Block, 'cluster' | 'number' | 'counts'>

/**
 * One block on its way. Losses are kept here until the end, so that a delivery which is
 * given up half way has counted and said nothing.
 */
export class Job {
  readonly block: Sent
  readonly signal: AbortSignal
  /** Whether an attempt ended without anybody knowing what it did. */
  maybeStored = false
  readonly refused: Counts = noCounts()
  readonly unsupported: Counts = noCounts()
  readonly losses: Loss[] = []
  /** Series that were not taken; null when nothing was, and so all is to be sent. */
  left: Part[] | null = null
  /** The last part that only the right receiver answers so: it was taken, or it is late. */
  witness: Part | null = null
  /** Whether parts of the block are sent on their own to find out if it is poison. */
  isOnTrial = false
  /** How long it must have failed before that, when nothing else is there to compare with. */
  trialAfterMs = 60_000
  /** Whether it is known to be bad, so that nothing else has to pass before that is believed. */
  wasRefused = false
  /** When it was refused as a whole, by the count of the courier. */
  refusedAt: number | null = null
  /** How often it waited since then for something else to be taken. */
  doubts = 0
  /** How often it was to be sent as 2.0 again, because 1.0 is not taken any more. */
  fallbacks = 0

  constructor(block: Sent, signal: AbortSignal) {
    this.block = block
    this.signal = signal
  }

  lose(
    lost: Counts,
    lossClass: LossClass,
    reason: string,
    { series = null, part = null }: Partial<Loss> = {},
  ): void {
    add(lossClass === 'unsupported' ? this.unsupported : this.refused, lost)
    this.losses.push({ lost, lossClass, reason, series, part })
  }

  /** What is to be told of the losses. */
  *events(): Generator<Event> {
    for (const { lost, lossClass, reason, series } of this.losses) {
      yield {
        // What is probably stored already is nothing to wake anybody for.
        level: lossClass === 'maybe stored' || lossClass === 'unsupported' ? 'warn' : 'error',
        message: 'not kept by the receiver',
        class: lossClass,
        reason,
        cluster: this.block.cluster,
        block: this.block.number,
        ...lost,
        ...(series === null ? {} : { series }),
      }
    }
  }

  /** The class of what a receiver refuses now. */
  get refusalClass(): LossClass {
    return this.maybeStored ? 'maybe stored' : 'refused'
  }

  result(): Delivery {
    const { refused, unsupported } = this
    const forwarded = minus(minus(this.block.counts, refused), unsupported)
    assert(isNatural(forwarded), 'no more is lost of a block than is in it')
    return { forwarded, refused, unsupported }
  }
}

function isNatural({ samples, histograms, exemplars }: Counts): boolean {
  return samples >= 0 && histograms >= 0 && exemplars >= 0
}
