import type { Delivered } from '../deliver.ts'
import type { Destination } from '../forward/destination.ts'
import type { Block } from '../model/block.ts'
import { noCounts, samplesOf } from '../model/counts.ts'
import type { DigestKey } from '../model/identity.ts'
import { Tally } from '../model/tally.ts'
import { Relabeler } from '../relabel/relabeler.ts'
import type { RelabelRule } from '../relabel/rule.ts'

export type OutgoingParts = {
  rules: readonly RelabelRule[]
  key: DigestKey
  destination: Pick<Destination, 'deliver'>
  /** No rule can be applied to it, so it must not go out. */
  onUnreadable: (block: Block) => void
}

/**
 * Blocks on their way to one destination, as its rules make them; without rules they go as they
 * are, unopened.
 *
 * A class, because of what it counts.
 */
export class Outgoing {
  /** Samples of series that the rules drop. */
  readonly dropped = new Tally()
  readonly #parts: OutgoingParts
  readonly #relabeler: Relabeler | null

  constructor(parts: OutgoingParts) {
    const { rules, key } = parts
    this.#parts = parts
    this.#relabeler = rules.length === 0 ? null : new Relabeler(rules, key)
  }

  /** As the destination's own; what is dropped of the block is counted when the rest is there. */
  async deliver(block: Block, signal: AbortSignal, wasSent: boolean): Promise<Delivered> {
    const { destination, onUnreadable } = this.#parts
    if (this.#relabeler === null) return destination.deliver(block, signal, wasSent)
    const relabelled = this.#relabeler.apply(block)
    if (relabelled === null) {
      onUnreadable(block)
      return nothing()
    }
    const left = relabelled.block
    const delivered = left === null ? nothing() : await destination.deliver(left, signal, wasSent)
    this.dropped.add(block.cluster, samplesOf(relabelled.dropped))
    return delivered
  }
}

function nothing(): Delivered {
  return { forwarded: noCounts(), refused: noCounts(), unsupported: noCounts() }
}
