import {
  AT_NAMED_COUNT,
  AT_NEXT_NUMBER,
  AT_OUT_STAMP,
  FAMILIES_MAX,
  FAMILY_OUT,
} from '../kernel/layout.ts'
import { type Batch, DIGEST_WORDS } from '../model/batch.ts'
import type { SymbolWriter } from '../model/symbol-writer.ts'

/** Of a family: the number of the message, its type, and the numbers of its help and its unit. */
const FAMILY_WORDS = 4

/** What the symbols and families of one batch are called in the message that is being written. */
export class BatchSymbols {
  readonly #writer: SymbolWriter
  #batch: Batch | null = null
  /** Of the message; another one may bring the same strings again. */
  #isFirst = false
  #families: Uint32Array = new Uint32Array(0)

  constructor(writer: SymbolWriter) {
    this.#writer = writer
  }

  /**
   * No symbol of `batch` has a number yet, but equal strings of earlier ones keep theirs.
   *
   * @param stamp tells this message from those before
   */
  begin(batch: Batch, stamp: number): void {
    if (batch !== this.#batch) {
      this.#batch = batch
      this.#families = new Uint32Array(batch.kernel.buffer, FAMILY_OUT, FAMILIES_MAX * FAMILY_WORDS)
    }
    this.#isFirst = this.#writer.nextToAppend === 1
    batch.kernel.registers[AT_OUT_STAMP] = stamp
    batch.symbolNumber.fill(0, 0, batch.symbolCount)
  }

  /** To be called before the kernel writes: it names symbols itself while nobody else does. */
  lend(): void {
    const { registers } = this.#batch!.kernel
    registers[AT_NEXT_NUMBER] = this.#isFirst ? this.#writer.nextToAppend : 0
  }

  /** To be called when the kernel has written. */
  takeBack(): void {
    const { kernel } = this.#batch!
    if (kernel.registers[AT_NAMED_COUNT] === 0) return
    const { symbols, digests } = kernel.takeNamed()
    this.#writer.append(symbols, digests)
  }

  /** The number of a symbol; symbol 0 is empty everywhere. */
  numberOf(symbol: number): number {
    return symbol === 0 ? 0 : this.#batch!.symbolNumber[symbol]! || this.add(symbol)
  }

  /** Gives a symbol that has none a number. */
  add(symbol: number): number {
    const { bytes, symbolStart, symbolEnd, symbolDigest, symbolNumber } = this.#batch!
    const number = this.#writer.internDigested(
      bytes,
      symbolStart[symbol]!,
      symbolEnd[symbol]!,
      symbolDigest,
      symbol * DIGEST_WORDS,
    )
    symbolNumber[symbol] = number
    return number
  }

  /** Makes a family known to the kernel: its type, and the numbers of its help and its unit. */
  addFamily(family: number, type: number, help: number, unit: number): void {
    const stamp = this.#batch!.kernel.registers[AT_OUT_STAMP]!
    this.#families.set([stamp, type, help, unit], family * FAMILY_WORDS)
  }
}
