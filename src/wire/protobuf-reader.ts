/** Wire types of Protocol Buffers; groups (3 and 4) are refused. */
export const VARINT = 0
export const FIXED64 = 1
export const BYTES = 2
export const FIXED32 = 5

const TWO_32 = 2 ** 32

/**
 * A cursor over one protobuf message. It never throws and never allocates: the first
 * problem is kept in `malformed`, after which `hasMore()` is false and reads give 0, so
 * a decoder's loops end by themselves and it asks once, at the end.
 *
 * A field number and its wire type stay packed in one number, the *tag*
 * (`field << 3 | wireType`), which is what a decoder switches on.
 */
export class ProtobufReader {
  bytes: Uint8Array
  at = 0
  /** End of the message that is being read. */
  limit = 0
  malformed: string | null = null
  /** Over `bytes`, for whoever reads at known places. */
  view: DataView

  constructor() {
    this.bytes = new Uint8Array(0)
    this.view = new DataView(this.bytes.buffer)
  }

  /** Starts over, at `from` and up to `to` of `bytes`. */
  reset(bytes: Uint8Array, from = 0, to = bytes.length): void {
    if (
      bytes.buffer !== this.view.buffer ||
      bytes.byteOffset !== this.view.byteOffset ||
      bytes.length !== this.view.byteLength
    ) {
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    }
    this.bytes = bytes
    this.at = from
    this.limit = to
    this.malformed = null
  }

  hasMore(): boolean {
    return this.at < this.limit && this.malformed === null
  }

  fail(reason: string): void {
    this.malformed ??= `${reason} at byte ${this.at}`
    this.at = this.limit
  }

  /** Enters a nested message: `const outer = enter(); while (hasMore()) …; leave(outer)`. */
  enter(): number {
    const outer = this.limit
    const length = this.uint32()
    if (length > outer - this.at) this.fail('a field is longer than its message')
    else this.limit = this.at + length
    return outer
  }

  leave(outer: number): void {
    this.limit = outer
  }

  /** Passes over a length-delimited field and returns its length: it lies just before `at`. */
  skipBytes(): number {
    const length = this.uint32()
    if (length > this.limit - this.at) {
      this.fail('a field is longer than its message')
      return 0
    }
    this.at += length
    return length
  }

  /** A tag or any uint32. Larger varints are cut to their low 32 bits, as protobuf asks. */
  uint32(): number {
    const { bytes, limit } = this
    let at = this.at
    if (at < limit && bytes[at]! < 0x80) {
      this.at = at + 1
      return bytes[at]!
    }
    let value = 0
    for (let shift = 0; shift < 70; shift += 7) {
      if (at >= limit) break
      const byte = bytes[at++]!
      if (shift < 32) value |= (byte & 0x7f) << shift
      if (byte < 0x80) {
        this.at = at
        return value >>> 0
      }
    }
    this.fail(at >= limit ? 'a number is cut off' : 'a number has more than ten bytes')
    return 0
  }

  sint32(): number {
    const raw = this.uint32()
    return (raw >>> 1) ^ -(raw & 1)
  }

  /** High word of the last 64-bit read; `varint64` and `fixed64` return the low one. */
  high = 0

  /** A 64-bit varint; returns its low word, the high one is in `high`. Both unsigned. */
  varint64(): number {
    const { bytes, limit } = this
    let at = this.at
    let low = 0
    let high = 0
    for (let shift = 0; shift < 70; shift += 7) {
      if (at >= limit) break
      const byte = bytes[at++]!
      const part = byte & 0x7f
      if (shift < 28) low |= part << shift
      else if (shift === 28) {
        low |= part << 28
        high = part >>> 4
      } else if (shift < 63) high |= part << (shift - 32)
      else high |= (part & 1) << 31
      if (byte < 0x80) {
        this.at = at
        this.high = high >>> 0
        return low >>> 0
      }
    }
    this.fail(at >= limit ? 'a number is cut off' : 'a number has more than ten bytes')
    this.high = 0
    return 0
  }

  /** A signed 64-bit varint as a double: exact to 2^53, and never rounded back below it. */
  int64(): number {
    const low = this.varint64()
    return (this.high | 0) * TWO_32 + low
  }

  /** Eight raw bytes; returns the low word, the high one is in `high`. Both unsigned. */
  fixed64(): number {
    if (this.limit - this.at < 8) {
      this.fail('a 64-bit value is cut off')
      this.high = 0
      return 0
    }
    const low = this.view.getUint32(this.at, true)
    this.high = this.view.getUint32(this.at + 4, true)
    this.at += 8
    return low
  }

  /** Passes over the value of a field that the decoder does not know. */
  skip(tag: number): void {
    if (tag >>> 3 === 0) {
      this.fail('a field has the number 0')
      return
    }
    switch (tag & 7) {
      case VARINT:
        this.varint64()
        return
      case FIXED64:
        this.#advance(8)
        return
      case BYTES:
        this.skipBytes()
        return
      case FIXED32:
        this.#advance(4)
        return
      default:
        this.fail(`wire type ${tag & 7} is not used by this message`)
    }
  }

  #advance(length: number): void {
    if (this.limit - this.at < length) this.fail('a field is cut off')
    else this.at += length
  }
}
