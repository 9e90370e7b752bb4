import { DIGEST_WORDS, grown } from '../model/batch.ts'
import type { DigestKey } from '../model/identity.ts'
import {
  EXEMPLARS,
  LABELS_REFS,
  METADATA,
  METADATA_HELP,
  METADATA_UNIT,
  TIMESERIES,
} from '../model/request-tags.ts'
import { SymbolWriter } from '../model/symbol-writer.ts'
import { ProtobufWriter } from '../wire/protobuf-writer.ts'
import type { Rewritten, Text } from './outcome-cache.ts'
import type { RequestReader } from './request.ts'

/**
 * Writes series of a request into a new one, whose symbols are those that it needs: what rules
 * have taken out of the labels does not travel.
 *
 * A class, because symbols and the references to them must fit together.
 */
export class SeriesWriter {
  readonly #request: RequestReader
  readonly #symbols: SymbolWriter
  readonly #out = new ProtobufWriter()
  /** What a symbol of the request is called in the new one; 0 when it has no number yet. */
  #numbers = new Uint32Array(1024)
  /** Counts messages, so that what was numbered for one is not taken for another. */
  #stamp = 0

  constructor(request: RequestReader, key: DigestKey) {
    this.#request = request
    this.#symbols = new SymbolWriter(key)
  }

  /** Starts over for the request that is open now. */
  clear(): void {
    this.#symbols.clear()
    this.#out.clear()
    this.#stamp += 1
    this.#numbers = grown(this.#numbers, this.#request.symbolCount)
    this.#numbers.fill(0, 0, this.#request.symbolCount)
  }

  /** All that was written; lent until the next `clear`. */
  message(): Uint8Array {
    const { out } = this.#symbols
    out.raw(this.#out.bytes, 0, this.#out.at)
    return out.written()
  }

  /** Adds a series with these labels; false when it is damaged. */
  add(series: number, labels: 'as it is' | Rewritten): boolean {
    const request = this.#request
    const start = request.refsStart(series)
    this.#out.uint32(TIMESERIES)
    const opened = this.#out.open()
    if (labels === 'as it is') this.#writeRefs(request.refs, start, request.refsEnd[series]!)
    else this.#writeRewritten(labels, start)
    this.#copyRest(series)
    this.#out.close(opened)
    return request.reader.malformed === null
  }

  #writeRefs(refs: ArrayLike<number>, from: number, to: number): void {
    this.#out.uint32(LABELS_REFS)
    const opened = this.#out.open()
    for (let i = from; i < to; i++) this.#out.uint32(this.#numberOf(refs[i]!))
    this.#out.close(opened)
  }

  #writeRewritten(labels: Rewritten, start: number): void {
    const { refs } = this.#request
    this.#out.uint32(LABELS_REFS)
    const opened = this.#out.open()
    for (const part of labels) {
      const isOwn = typeof part === 'number'
      this.#out.uint32(isOwn ? this.#numberOf(refs[start + part]!) : this.#numberOfText(part))
    }
    this.#out.close(opened)
  }

  /** All but the labels: as it is, unless it refers to symbols too. */
  #copyRest(series: number): void {
    const { reader, raw, seriesStart, seriesEnd } = this.#request
    const out = this.#out
    reader.reset(raw, seriesStart[series]!, seriesEnd[series]!)
    while (reader.hasMore()) {
      const from = reader.at
      const tag = reader.uint32()
      if (this.#request.skipRefs(tag)) continue
      if (tag === EXEMPLARS || tag === METADATA) {
        out.uint32(tag)
        const opened = out.open()
        const outer = reader.enter()
        if (tag === EXEMPLARS) this.#copyExemplar()
        else this.#copyMetadata()
        reader.leave(outer)
        out.close(opened)
      } else {
        reader.skip(tag)
        out.raw(raw, from, reader.at)
      }
    }
  }

  /** The labels go last, when they are all read. */
  #copyExemplar(): void {
    const { reader, raw } = this.#request
    const refs: number[] = []
    while (reader.hasMore()) {
      const from = reader.at
      const tag = reader.uint32()
      if (this.#request.readRefs(tag, refs)) continue
      reader.skip(tag)
      this.#out.raw(raw, from, reader.at)
    }
    this.#writeRefs(refs, 0, refs.length)
  }

  #copyMetadata(): void {
    const { reader, raw } = this.#request
    while (reader.hasMore()) {
      const from = reader.at
      const tag = reader.uint32()
      if (tag === METADATA_HELP || tag === METADATA_UNIT) {
        const number = this.#numberOf(reader.uint32())
        this.#out.uint32(tag)
        this.#out.uint32(number)
      } else {
        reader.skip(tag)
        this.#out.raw(raw, from, reader.at)
      }
    }
  }

  #numberOf(symbol: number): number {
    const request = this.#request
    if (symbol >= request.symbolCount) {
      request.reader.fail('a reference beyond the symbol table')
      return 0
    }
    return this.#numbers[symbol]! || this.#addSymbol(symbol)
  }

  #numberOfText(text: Text): number {
    if (text.stamp === this.#stamp) return text.symbol
    const { bytes, digest } = text
    text.stamp = this.#stamp
    text.symbol = this.#symbols.internDigested(bytes, 0, bytes.length, digest, 0)
    return text.symbol
  }

  #addSymbol(symbol: number): number {
    const { raw, symbolStart, symbolEnd, digests } = this.#request
    this.#request.digest(symbol)
    const [from, to] = [symbolStart[symbol]!, symbolEnd[symbol]!]
    const number = this.#symbols.internDigested(raw, from, to, digests, symbol * DIGEST_WORDS)
    this.#numbers[symbol] = number
    return number
  }
}
