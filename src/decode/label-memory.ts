import type { Batch } from '../model/batch.ts'
import { addLabel, createIdentitySum, removeLabel } from '../model/identity.ts'
import { follows } from './label-order.ts'
import { IS_LABEL, IS_NAME_LABEL, type SymbolTable } from './symbols.ts'

/**
 * The labels of the series before, with their identity. Neighbouring series differ in few
 * labels, so most of the next one is known already: that it is sorted and valid, how long
 * it is, and what it adds to the identity.
 *
 * A class, because the range of `labelRefs`, the identity and the bytes must speak of the
 * same labels, or there must be none.
 */
export class LabelMemory {
  /** Of the labels that were taken last. */
  readonly identity = createIdentitySum()
  /** Names and values, written out. */
  bytes = 0
  readonly #symbols: SymbolTable
  /** Range of `labelRefs`; empty when there is nothing to compare with. */
  #from = 0
  #to = 0

  constructor(symbols: SymbolTable) {
    this.#symbols = symbols
  }

  forget(): void {
    this.#to = this.#from
  }

  /** The references from `ref` on are about to be overwritten. */
  forgetFrom(ref: number): void {
    if (this.#from >= ref) this.forget()
  }

  /** Takes the labels from `from` to the last one, which are sorted and valid. */
  take(batch: Batch, from: number, bytes: number): void {
    this.identity.fill(0)
    this.#addLabels(batch, from, batch.labelRefCount)
    this.bytes = bytes
    this.#from = from
    this.#to = batch.labelRefCount
  }

  /**
   * The same by looking only at labels that the series before does not have. False when those
   * take a closer look; then nothing is known any more.
   */
  settle(batch: Batch, from: number): boolean {
    if (this.#settle(batch, from)) return true
    this.forget()
    return false
  }

  #settle(batch: Batch, from: number): boolean {
    const { labelRefs, labelRefCount, symbolCount, symbolDigest } = batch
    const { identity } = this
    const { traits } = this.#symbols
    const before = this.#from
    const count = labelRefCount - from
    const countBefore = this.#to - before
    if (count === 0 || countBefore === 0 || count % 2 !== 0) return false
    // The name comes first in nearly every series; where it does, it is here too.
    if (labelRefs[from] !== labelRefs[before]) return false
    if ((traits[labelRefs[from]!]! & IS_NAME_LABEL) === 0) return false

    const common = Math.min(count, countBefore)
    let i = 0
    for (; i < common; i += 2) {
      const name = labelRefs[from + i]!
      if (name !== labelRefs[before + i]) break
      const value = labelRefs[from + i + 1]!
      const valueBefore = labelRefs[before + i + 1]!
      if (value === valueBefore) continue
      if (value >= symbolCount || (traits[value]! & IS_LABEL) !== IS_LABEL) return false
      removeLabel(identity, symbolDigest, name, valueBefore)
      addLabel(identity, symbolDigest, name, value)
      this.bytes += bytesOf(batch, value) - bytesOf(batch, valueBefore)
    }
    if ((i < count || i < countBefore) && !this.#settleRest(batch, from, i)) return false
    this.#from = from
    this.#to = labelRefCount
    return true
  }

  /** From `i` on one set has labels that the other has not: both are compared from their ends. */
  #settleRest(batch: Batch, from: number, i: number): boolean {
    const { labelRefs, labelRefCount } = batch
    const before = this.#from
    let end = labelRefCount
    let endBefore = this.#to
    while (
      end > from + i &&
      endBefore > before + i &&
      labelRefs[end - 1] === labelRefs[endBefore - 1] &&
      labelRefs[end - 2] === labelRefs[endBefore - 2]
    ) {
      end -= 2
      endBefore -= 2
    }
    this.#removeLabels(batch, before + i, endBefore)
    if (!this.#areLabels(batch, from + i, end)) return false
    this.#addLabels(batch, from + i, end)
    const { followers } = this.#symbols
    for (let at = from + i; at < Math.min(end + 2, labelRefCount); at += 2) {
      if (!follows(batch, followers, labelRefs[at - 2]!, labelRefs[at]!)) return false
    }
    return true
  }

  #areLabels({ labelRefs, symbolCount }: Batch, from: number, to: number): boolean {
    const { traits } = this.#symbols
    for (let i = from; i < to; i++) {
      if (labelRefs[i]! >= symbolCount || (traits[labelRefs[i]!]! & IS_LABEL) !== IS_LABEL) {
        return false
      }
    }
    return true
  }

  #removeLabels(batch: Batch, from: number, to: number): void {
    const { labelRefs, symbolDigest } = batch
    for (let i = from; i < to; i += 2) {
      removeLabel(this.identity, symbolDigest, labelRefs[i]!, labelRefs[i + 1]!)
      this.bytes -= bytesOf(batch, labelRefs[i]!) + bytesOf(batch, labelRefs[i + 1]!)
    }
  }

  #addLabels(batch: Batch, from: number, to: number): void {
    const { labelRefs, symbolDigest } = batch
    for (let i = from; i < to; i += 2) {
      addLabel(this.identity, symbolDigest, labelRefs[i]!, labelRefs[i + 1]!)
      this.bytes += bytesOf(batch, labelRefs[i]!) + bytesOf(batch, labelRefs[i + 1]!)
    }
  }
}

function bytesOf({ symbolStart, symbolEnd }: Batch, symbol: number): number {
  return symbolEnd[symbol]! - symbolStart[symbol]!
}
