import { ProtobufWriter } from '../wire/protobuf-writer.ts'
import { DIGEST_WORDS, grown } from './batch.ts'
import { type DigestKey, digestBytes } from './identity.ts'
import { SYMBOLS } from './request-tags.ts'

/**
 * The symbol table of one block: every string once, the empty one first (Remote Write
 * 2.0, "Symbols"). Strings are told apart by their digests under the key of the process,
 * so pushes that share a block share their symbols too.
 */
export class SymbolWriter {
  /** The table as protobuf, ready to be the beginning of a message. */
  readonly out = new ProtobufWriter(16 * 1024)
  readonly #key: DigestKey
  readonly #scratch = new Uint32Array(DIGEST_WORDS)
  #count = 0
  /** Symbols before this one have a slot. */
  #placed = 0
  #digests = new Uint32Array(1024 * DIGEST_WORDS)
  /** Symbol number, 0 = empty: symbol 0 is never looked up. Linear probing. */
  #slots = new Uint32Array(4096)

  constructor(key: DigestKey) {
    this.#key = key
    this.clear()
  }

  /** Only the empty symbol is left. */
  clear(): void {
    this.out.clear()
    this.out.uint32(SYMBOLS)
    this.out.uint32(0)
    this.#count = 1
    if (this.#placed > 1) this.#slots.fill(0)
    this.#placed = 1
  }

  /** The number of the next symbol while all have been appended, else 0. */
  get nextToAppend(): number {
    return this.#placed === 1 ? this.#count : 0
  }

  /**
   * Adds symbols that have the next numbers already, and are known to be no two the same.
   *
   * @param symbols as they stand in the table
   */
  append(symbols: Uint8Array, digests: Uint32Array): void {
    const count = this.#count + digests.length / DIGEST_WORDS
    this.#digests = grown(this.#digests, count * DIGEST_WORDS)
    this.#digests.set(digests, this.#count * DIGEST_WORDS)
    this.#count = count
    this.out.raw(symbols, 0, symbols.length)
  }

  /** The number of the symbol `bytes[from..to)`; for strings that come without a digest. */
  intern(bytes: Uint8Array, from = 0, to = bytes.length): number {
    digestBytes(this.#key, bytes, from, to, this.#scratch, 0)
    return this.internDigested(bytes, from, to, this.#scratch, 0)
  }

  /** The same with the string's digest at `digest[at]`. */
  internDigested(
    bytes: Uint8Array,
    from: number,
    to: number,
    digest: Uint32Array,
    at: number,
  ): number {
    if (from === to) return 0
    if (this.#placed < this.#count) this.#placeAppended()
    const mask = this.#slots.length - 1
    let slot = digest[at]! & mask
    for (let symbol = this.#slots[slot]!; symbol !== 0; symbol = this.#slots[slot]!) {
      if (this.#isSymbol(symbol, digest, at)) return symbol
      slot = (slot + 1) & mask
    }
    const symbol = this.#count++
    this.#slots[slot] = symbol
    this.#digests = grown(this.#digests, this.#count * DIGEST_WORDS)
    for (let i = 0; i < DIGEST_WORDS; i++)
      this.#digests[symbol * DIGEST_WORDS + i] = digest[at + i]!
    this.out.uint32(SYMBOLS)
    this.out.lengthDelimited(bytes, from, to)
    this.#placed = this.#count
    if (this.#count * 2 > this.#slots.length) this.#rehash(this.#slots.length * 2)
    return symbol
  }

  #placeAppended(): void {
    let length = this.#slots.length
    while (this.#count * 2 > length) length *= 2
    this.#rehash(length)
    this.#placed = this.#count
  }

  #isSymbol(symbol: number, digest: Uint32Array, at: number): boolean {
    const own = symbol * DIGEST_WORDS
    for (let i = 0; i < DIGEST_WORDS; i++) {
      if (this.#digests[own + i] !== digest[at + i]) return false
    }
    return true
  }

  #rehash(length: number): void {
    const slots = new Uint32Array(length)
    const mask = slots.length - 1
    for (let symbol = 1; symbol < this.#count; symbol++) {
      let slot = this.#digests[symbol * DIGEST_WORDS]! & mask
      while (slots[slot] !== 0) slot = (slot + 1) & mask
      slots[slot] = symbol
    }
    this.#slots = slots
  }
}
