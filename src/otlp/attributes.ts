import { internSymbol } from '../decode/symbols.ts'
import { IS_UTF8, NUMBER_BYTES_MAX, NUMBER_SYMBOLS_MAX, SYMBOL_ROOM } from '../kernel/layout.ts'
import type { Batch } from '../model/batch.ts'
import type { ProtobufReader } from '../wire/protobuf-reader.ts'
import { readAnyText } from './any-value.ts'
import { ATTRIBUTES_MAX, type AttributeList } from './attribute-list.ts'
import { labelNameOf } from './label-name.ts'
import type { OtlpOptions } from './options.ts'
import type { PlainPoints } from './plain-points.ts'
import type { TextSymbols } from './text-symbols.ts'

/**
 * Reads attributes as symbols, and knows the label name of each key.
 *
 * A class, because names are translated once per request, however many points have them.
 */
export class Attributes {
  readonly #options: OtlpOptions
  readonly #texts: TextSymbols
  readonly #plain: PlainPoints
  /** By the symbol of a key: that of its label name, 0 when nobody asked yet. */
  readonly #nameOf = new Uint32Array(SYMBOL_ROOM)
  #batch!: Batch

  constructor(options: OtlpOptions, texts: TextSymbols, plain: PlainPoints) {
    this.#options = options
    this.#texts = texts
    this.#plain = plain
  }

  beginRequest(batch: Batch): void {
    this.#batch = batch
  }

  endRequest(): void {
    this.#nameOf.fill(0, 0, Math.min(this.#batch.symbolCount + 1, SYMBOL_ROOM))
  }

  /** Reads one KeyValue into `list`; what is beyond the limit is counted and not kept. */
  read(reader: ProtobufReader, list: AttributeList): void {
    const batch = this.#batch
    const place = Math.min(list.count, ATTRIBUTES_MAX)
    let key = 0
    let value = 0
    const outer = reader.enter()
    while (reader.hasMore()) {
      const tag = reader.uint32()
      if (tag === 0x0a) {
        const length = reader.skipBytes()
        // What stood here in the point before is most likely to stand here again.
        key = internSymbol(batch, reader.at - length, reader.at, list.keys[place]!)
      } else if (tag === 0x12) value = this.#readValue(reader, list.values[place]!)
      else reader.skip(tag)
    }
    reader.leave(outer)
    list.keys[place] = key
    list.names[place] = this.nameOf(key)
    list.values[place] = value
    list.count += 1
  }

  /** Guesses of an earlier request mean nothing in this one. */
  forget(list: AttributeList): void {
    list.count = 0
    list.keys.fill(0)
    list.values.fill(0)
  }

  nameOf(key: number): number {
    const known = this.#nameOf[key]!
    if (known !== 0) return known
    // What is no text stays as it is, and is refused as a label.
    const isText = (this.#batch.symbolTraits[key]! & IS_UTF8) !== 0
    if (key === 0 || !isText) return key
    const text = this.#texts.textOf(key)
    const name = labelNameOf(text, this.#options)
    const symbol = name === text ? key : this.#texts.of(name)
    this.#nameOf[key] = symbol
    return symbol
  }

  /** Tells the kernel the text of a number or a boolean. */
  #learn(from: number, to: number, text: number): void {
    const batch = this.#batch
    const isNumber = text !== 0 && to - from <= NUMBER_BYTES_MAX
    if (!isNumber || batch.symbolCount > NUMBER_SYMBOLS_MAX) return
    this.#plain.learnValue(internSymbol(batch, from, to, 0), text)
  }

  /** An AnyValue: nearly always a string and nothing else. */
  #readValue(reader: ProtobufReader, guess: number): number {
    const outer = reader.enter()
    let symbol = 0
    if (reader.hasMore()) {
      const { at } = reader
      if (reader.uint32() === 0x0a) {
        const length = reader.skipBytes()
        symbol = internSymbol(this.#batch, reader.at - length, reader.at, guess)
      }
      if (reader.hasMore() || symbol === 0) {
        reader.at = reader.malformed === null ? at : reader.limit
        symbol = this.#texts.of(readAnyText(reader))
        this.#learn(at, reader.at, symbol)
      }
    }
    reader.leave(outer)
    return symbol
  }
}
