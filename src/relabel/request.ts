import { DIGEST_WORDS, grown } from '../model/batch.ts'
import { type DigestKey, digestBytes } from '../model/identity.ts'
import { LABELS_REFS, SYMBOLS, TIMESERIES } from '../model/request-tags.ts'
import { ProtobufReader } from '../wire/protobuf-reader.ts'

/** A reference that is not packed, as nobody writes them any more. */
const LABEL_REF = 1 << 3

/**
 * A Remote Write 2.0 message that is read for its labels alone; all else stays bytes.
 *
 * A class, because its columns are kept for the next message.
 */
export class RequestReader {
  readonly reader = new ProtobufReader()
  readonly #key: DigestKey
  raw: Uint8Array = new Uint8Array(0)
  symbolCount = 0
  symbolStart = new Uint32Array(1024)
  symbolEnd = new Uint32Array(1024)
  /** Of the symbols that were asked for; see `digest`. */
  digests = new Uint32Array(1024 * DIGEST_WORDS)
  #hasDigest = new Uint8Array(1024)
  /** The same of their texts. */
  readonly #texts: (string | undefined)[] = []
  seriesCount = 0
  /** Where the fields of each series begin and end. */
  seriesStart = new Uint32Array(1024)
  seriesEnd = new Uint32Array(1024)
  /** Label references of all series; those of one end where those of the next begin. */
  refs = new Uint32Array(16 * 1024)
  refsEnd = new Uint32Array(1024)
  #refCount = 0

  constructor(key: DigestKey) {
    this.#key = key
  }

  /** Finds symbols, series and their labels; false when the message is damaged. */
  open(raw: Uint8Array): boolean {
    const { reader } = this
    this.raw = raw
    this.symbolCount = 0
    this.seriesCount = 0
    this.#refCount = 0
    this.#texts.length = 0
    reader.reset(raw)
    while (reader.hasMore()) {
      const tag = reader.uint32()
      if (tag === SYMBOLS) this.#addSymbol(reader.skipBytes())
      else if (tag === TIMESERIES) this.#addSeries()
      else reader.skip(tag)
    }
    this.#hasDigest.fill(0, 0, this.symbolCount)
    return reader.malformed === null && this.#areSymbols()
  }

  refsStart(series: number): number {
    return series === 0 ? 0 : this.refsEnd[series - 1]!
  }

  /** Passes over references to labels; false when `tag` means something else. */
  skipRefs(tag: number): boolean {
    if (tag !== LABELS_REFS && tag !== LABEL_REF) return false
    this.reader.skip(tag)
    return true
  }

  /** Adds what stands behind `tag` to `refs`; false when that is no reference to a label. */
  readRefs(tag: number, refs: number[]): boolean {
    const { reader } = this
    if (tag === LABEL_REF) refs.push(reader.uint32())
    if (tag !== LABELS_REFS) return tag === LABEL_REF
    const outer = reader.enter()
    while (reader.hasMore()) refs.push(reader.uint32())
    reader.leave(outer)
    return true
  }

  /** Makes sure that the digest of a symbol stands in `digests`. */
  digest(symbol: number): void {
    if (this.#hasDigest[symbol] === 1) return
    this.#hasDigest[symbol] = 1
    const { raw, symbolStart, symbolEnd, digests } = this
    const at = symbol * DIGEST_WORDS
    digestBytes(this.#key, raw, symbolStart[symbol]!, symbolEnd[symbol]!, digests, at)
  }

  textOf(symbol: number): string {
    const known = this.#texts[symbol]
    if (known !== undefined) return known
    const { buffer, byteOffset, length } = this.raw
    const bytes = Buffer.from(buffer, byteOffset, length)
    const text = bytes.toString('utf8', this.symbolStart[symbol], this.symbolEnd[symbol])
    this.#texts[symbol] = text
    return text
  }

  #addSymbol(length: number): void {
    const symbol = this.symbolCount++
    this.symbolStart = grown(this.symbolStart, this.symbolCount)
    this.symbolEnd = grown(this.symbolEnd, this.symbolCount)
    this.digests = grown(this.digests, this.symbolCount * DIGEST_WORDS)
    this.#hasDigest = grown(this.#hasDigest, this.symbolCount)
    this.symbolStart[symbol] = this.reader.at - length
    this.symbolEnd[symbol] = this.reader.at
  }

  #addSeries(): void {
    const { reader } = this
    const series = this.seriesCount++
    this.seriesStart = grown(this.seriesStart, this.seriesCount)
    this.seriesEnd = grown(this.seriesEnd, this.seriesCount)
    this.refsEnd = grown(this.refsEnd, this.seriesCount)
    const outer = reader.enter()
    this.seriesStart[series] = reader.at
    const refsStart = this.#refCount
    while (reader.hasMore()) {
      const tag = reader.uint32()
      if (tag === LABELS_REFS) this.#addRefs()
      else if (tag === LABEL_REF) this.#addRef(reader.uint32())
      else reader.skip(tag)
    }
    this.seriesEnd[series] = reader.at
    this.refsEnd[series] = this.#refCount
    if ((this.#refCount - refsStart) % 2 !== 0) reader.fail('a label without a value')
    reader.leave(outer)
  }

  #addRefs(): void {
    const { reader } = this
    const outer = reader.enter()
    const { bytes, limit } = reader
    let { at } = reader
    let count = this.#refCount
    // Each takes one byte at least.
    this.refs = grown(this.refs, count + limit - at)
    const { refs } = this
    while (at < limit) {
      const first = bytes[at]!
      const second = at + 1 < limit ? bytes[at + 1]! : 0x80
      if (first < 0x80) {
        refs[count++] = first
        at += 1
      } else if (second < 0x80) {
        refs[count++] = (first & 0x7f) | (second << 7)
        at += 2
      } else {
        reader.at = at
        refs[count++] = reader.uint32()
        at = reader.at
      }
    }
    reader.at = at
    this.#refCount = count
    reader.leave(outer)
  }

  #addRef(ref: number): void {
    this.refs = grown(this.refs, this.#refCount + 1)
    this.refs[this.#refCount++] = ref
  }

  #areSymbols(): boolean {
    const { refs, symbolCount } = this
    for (let i = 0; i < this.#refCount; i++) if (refs[i]! >= symbolCount) return false
    return true
  }
}
