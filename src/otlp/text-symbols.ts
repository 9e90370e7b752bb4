import { internSymbol } from '../decode/symbols.ts'
import { RAW, RAW_BYTES_MAX } from '../kernel/layout.ts'
import type { Batch } from '../model/batch.ts'
import type { ProtobufReader } from '../wire/protobuf-reader.ts'

/** Texts that are remembered, and how long they may be. Others are written whenever they come. */
const KNOWN_MAX = 8_192
const KNOWN_LENGTH_MAX = 256

/** A text, and the symbol that it had in the request of this number. */
type Known = { request: number; symbol: number }

/**
 * Symbols of text that does not stand in the body, such as translated names: it is written
 * behind the body, into the room that is left.
 *
 * A class, because it knows where that room begins, and which texts stand in it already: the same
 * come in each request, so what is known of them is kept, and not made anew.
 */
export class TextSymbols {
  readonly #known = new Map<string, Known>()
  #request = 0
  #batch!: Batch
  #reader!: ProtobufReader
  #room!: Buffer
  #at = 0

  /** The batch has been cleared over a body of so many bytes; too much text fails `reader`. */
  beginRequest(batch: Batch, reader: ProtobufReader, bodyBytes: number): void {
    this.#batch = batch
    this.#reader = reader
    this.#room = Buffer.from(batch.kernel.buffer, RAW, RAW_BYTES_MAX)
    this.#at = bodyBytes
    this.#request += 1
    if (this.#known.size >= KNOWN_MAX) this.#known.clear()
    batch.bytes = batch.kernel.raw(RAW_BYTES_MAX)
  }

  /** The batch's bytes are the body and the text behind it. */
  endRequest(): void {
    this.#batch.bytes = this.#batch.kernel.raw(this.#at)
  }

  /** 0 for an empty one. */
  of(text: string): number {
    if (text === '') return 0
    const known = this.#known.get(text)
    if (known?.request === this.#request) return known.symbol
    const symbol = this.#write(text)
    if (known !== undefined) {
      known.request = this.#request
      known.symbol = symbol
    } else if (text.length <= KNOWN_LENGTH_MAX && this.#known.size < KNOWN_MAX) {
      this.#known.set(text, { request: this.#request, symbol })
    }
    return symbol
  }

  #write(text: string): number {
    // No UTF-16 unit takes more than three bytes.
    if (this.#at + text.length * 3 > RAW_BYTES_MAX) {
      this.#reader.fail('labels of too many bytes')
      return 0
    }
    const from = this.#at
    const to = from + this.#room.write(text, from, 'utf8')
    const symbol = internSymbol(this.#batch, from, to, 0)
    // What is a symbol already takes no room.
    if (this.#batch.symbolStart[symbol] === from) this.#at = to
    return symbol
  }

  /** The text of the bytes `[from, to)` of the body. */
  text(from: number, to: number): string {
    return this.#room.toString('utf8', from, to)
  }

  textOf(symbol: number): string {
    const { symbolStart, symbolEnd } = this.#batch
    return this.text(symbolStart[symbol]!, symbolEnd[symbol]!)
  }
}
