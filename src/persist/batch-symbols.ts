import { type Batch, createBatch, DIGEST_WORDS, grown } from '../model/batch.ts'
import type { SymbolWriter } from './symbol-writer.ts'

/** What the symbols of one batch are called in the message that is being written. */
export class BatchSymbols {
  /** Per symbol of the batch: its number in the message, 0 when it has none yet. */
  symbolOf = new Uint32Array(1024)
  readonly #writer: SymbolWriter
  #batch: Batch = createBatch()

  constructor(writer: SymbolWriter) {
    this.#writer = writer
  }

  /** No symbol of `batch` has a number yet, but equal strings of earlier ones keep theirs. */
  begin(batch: Batch): void {
    this.#batch = batch
    this.symbolOf = grown(this.symbolOf, batch.symbolCount)
    this.symbolOf.fill(0, 0, batch.symbolCount)
  }

  /** The number of a symbol; symbol 0 is empty everywhere. */
  numberOf(symbol: number): number {
    return symbol === 0 ? 0 : this.symbolOf[symbol]! || this.add(symbol)
  }

  /** Gives a symbol that has none a number. */
  add(symbol: number): number {
    const { bytes, symbolStart, symbolEnd, symbolDigest } = this.#batch
    const number = this.#writer.internDigested(
      bytes,
      symbolStart[symbol]!,
      symbolEnd[symbol]!,
      symbolDigest,
      symbol * DIGEST_WORDS,
    )
    this.symbolOf[symbol] = number
    return number
  }
}
