import { isUtf8 } from 'node:buffer'
import { type Batch, DIGEST_WORDS, grown, growSymbols } from '../model/batch.ts'
import { type DigestKey, digestBytes } from '../model/identity.ts'

/** Traits of a symbol, judged once per request however many labels refer to it. */
export const IS_UTF8 = 1
export const IS_NAME_LABEL = 2
export const IS_FILLED = 4
/** What name and value of a label have to be. */
export const IS_LABEL = IS_UTF8 | IS_FILLED

const NAME_LABEL = Buffer.from('__name__')

/** Slots that are tried before a string simply becomes one more symbol. */
const PROBES_MAX = 32

/**
 * Fills the symbols of a batch, with their digests and traits.
 *
 * A class, because there is state with an invariant: `traits` and the interner's slots speak
 * of the symbols of the batch that `begin` named last.
 *
 * Remote Write 2.0 brings its symbols along, and `add` takes them as they are. Remote Write
 * 1.0 repeats every string, and `intern` finds the symbol that a string has already: only
 * the first of its kind is digested under the key. The interner's own hash has no key, so
 * somebody may send strings that all collide; hence a bound on probes, after which a symbol
 * is double. That costs a little and changes nothing: equal strings have equal digests.
 */
export class SymbolTable {
  /** One byte per symbol of the batch. */
  traits: Uint8Array = new Uint8Array(1024)
  /** Per symbol, one that is known to come after it in the order of bytes; 0 for none. */
  followers: Uint32Array = new Uint32Array(1024)

  readonly #key: DigestKey
  #batch: Batch | null = null
  #view: DataView = new DataView(new ArrayBuffer(0))

  /** Open addressing. A slot is free unless it was taken during this request. */
  #slotRequest = new Uint32Array(4096)
  #slotSymbol = new Uint32Array(4096)
  #slotsTaken = 0
  #request = 0
  /** The interner's hash, per symbol. */
  #hashes = new Uint32Array(1024)

  constructor(key: DigestKey) {
    this.#key = key
  }

  /** Starts over with an empty batch. */
  begin(batch: Batch): void {
    const { bytes } = batch
    this.#batch = batch
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#slotsTaken = 0
    this.#request += 1
    if (this.#request === 2 ** 32) {
      this.#slotRequest.fill(0)
      this.#request = 1
    }
  }

  /** The range `from` up to `to` of the batch's bytes as a new symbol. */
  add(from: number, to: number): number {
    const batch = this.#batch!
    const symbol = batch.symbolCount++
    growSymbols(batch, batch.symbolCount)
    if (symbol >= this.traits.length) {
      this.traits = grown(this.traits, symbol + 1)
      this.followers = grown(this.followers, symbol + 1)
    }
    this.followers[symbol] = 0
    batch.symbolStart[symbol] = from
    batch.symbolEnd[symbol] = to
    digestBytes(this.#key, batch.bytes, from, to, batch.symbolDigest, symbol * DIGEST_WORDS)
    this.traits[symbol] = traitsOf(batch.bytes, from, to)
    return symbol
  }

  /** The symbol of a string, a new one if need be; `guess` is one that is likely to be it. */
  intern(from: number, to: number, guess: number): number {
    if (from === to) return 0
    if (guess !== 0 && this.#isAt(guess, from, to)) return guess
    const hash = this.#hash(from, to)
    const mask = this.#slotSymbol.length - 1
    let slot = hash & mask
    for (let probe = 0; probe < PROBES_MAX; probe++) {
      if (this.#slotRequest[slot] !== this.#request) {
        return this.#take(slot, hash, this.add(from, to))
      }
      const symbol = this.#slotSymbol[slot]!
      if (this.#hashes[symbol] === hash && this.#isAt(symbol, from, to)) return symbol
      slot = (slot + 1) & mask
    }
    return this.add(from, to)
  }

  #take(slot: number, hash: number, symbol: number): number {
    this.#slotRequest[slot] = this.#request
    this.#slotSymbol[slot] = symbol
    this.#hashes = grown(this.#hashes, symbol + 1)
    this.#hashes[symbol] = hash
    this.#slotsTaken += 1
    if (this.#slotsTaken * 2 > this.#slotSymbol.length) this.#widen()
    return symbol
  }

  #widen(): void {
    const { length } = this.#slotSymbol
    const mask = length * 2 - 1
    const slotRequest = new Uint32Array(length * 2)
    const slotSymbol = new Uint32Array(length * 2)
    for (let i = 0; i < length; i++) {
      if (this.#slotRequest[i] !== this.#request) continue
      const symbol = this.#slotSymbol[i]!
      let slot = this.#hashes[symbol]! & mask
      while (slotRequest[slot] === this.#request) slot = (slot + 1) & mask
      slotRequest[slot] = this.#request
      slotSymbol[slot] = symbol
    }
    this.#slotRequest = slotRequest
    this.#slotSymbol = slotSymbol
  }

  #isAt(symbol: number, from: number, to: number): boolean {
    const { symbolStart, symbolEnd } = this.#batch!
    const start = symbolStart[symbol]!
    const length = to - from
    return symbolEnd[symbol]! - start === length && this.commonBytes(start, from, length) === length
  }

  /** How many bytes of the body are equal from `one` and from `other` on, `max` at most. */
  commonBytes(one: number, other: number, max: number): number {
    // The runtime keeps up with this form only: a local view, and places that move on.
    const view = this.#view
    const end = one + max
    let a = one
    let b = other
    for (; a + 8 <= end; a += 8, b += 8) {
      const eight = view.getFloat64(a, true)
      // Numbers are quick to compare, but 0 equals -0, and NaN nothing: those go one by one.
      if (eight !== view.getFloat64(b, true) || eight === 0) break
    }
    while (a < end && view.getUint8(a) === view.getUint8(b)) {
      a++
      b++
    }
    return a - one
  }

  #hash(from: number, to: number): number {
    const view = this.#view
    let hash = to - from
    let at = from
    for (; at + 4 <= to; at += 4) {
      hash = Math.imul(hash ^ view.getUint32(at, true), 0x9e37_79b1)
      hash ^= hash >>> 15
    }
    for (; at < to; at++) hash = Math.imul(hash ^ view.getUint8(at), 0x85eb_ca6b)
    return (hash ^ (hash >>> 13)) >>> 0
  }
}

function traitsOf(bytes: Uint8Array, from: number, to: number): number {
  const filled = from === to ? 0 : IS_FILLED
  let at = from
  while (at < to && bytes[at]! < 0x80) at++
  // Nearly every label is ASCII, and asking the runtime needs a view of the range.
  if (at < to && !isUtf8(bytes.subarray(at, to))) return filled
  return filled | IS_UTF8 | (isNameLabel(bytes, from, to) ? IS_NAME_LABEL : 0)
}

function isNameLabel(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from !== NAME_LABEL.length) return false
  for (let i = 0; i < NAME_LABEL.length; i++) if (bytes[from + i] !== NAME_LABEL[i]) return false
  return true
}
