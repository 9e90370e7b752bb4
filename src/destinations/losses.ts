import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import { samplesOf } from '../model/counts.ts'
import type { Ledger, Loss } from '../persist/ledger.ts'
import type { QuarantineEntry } from '../persist/quarantine.ts'

type LossOf = Omit<Loss, 'at' | 'destination'>

export type LossParts = { ledger: Ledger; clock: Clock; logger: Logger }

/** The lines that one destination has in the ledger. */
export class Losses {
  readonly #destination: string
  readonly #parts: LossParts

  constructor(destination: string, parts: LossParts) {
    this.#destination = destination
    this.#parts = parts
  }

  /** Before it happens: rejects when it cannot be written, and then it must not. */
  allow(loss: LossOf): Promise<void> {
    const { ledger, clock, logger } = this.#parts
    const at = new Date(clock.nowMs()).toISOString()
    const destination = this.#destination
    logger.error('samples are lost', { destination, ...loss })
    return ledger.append({ at, destination, ...loss })
  }

  /** It has happened already. */
  tell(loss: LossOf): void {
    this.allow(loss).catch((error: unknown) => {
      const message = 'a loss cannot be written to the ledger'
      this.#parts.logger.error(message, { destination: this.#destination, ...loss, error })
    })
  }

  tellDiscarded(entries: readonly QuarantineEntry[], reason: string): void {
    for (const { lost, block } of entries) {
      const blocks = { fromBlock: block, toBlock: block }
      this.tell({ kind: 'discarded', samples: samplesOf(lost), ...blocks, reason })
    }
  }
}
