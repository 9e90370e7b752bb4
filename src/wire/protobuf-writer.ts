import { copyBytes } from '../base/memory.ts'

const TWO_32 = 2 ** 32

/**
 * Writes protobuf into one buffer that grows and is kept. `written()` lends what was
 * written so far; it is valid until the next write.
 */
export class ProtobufWriter {
  bytes: Uint8Array
  at = 0
  /** Over `bytes`, for whoever writes at known places. */
  view: DataView

  constructor(capacityBytes = 64 * 1024) {
    this.bytes = new Uint8Array(capacityBytes)
    this.view = new DataView(this.bytes.buffer)
  }

  clear(): void {
    this.at = 0
  }

  written(): Uint8Array {
    return this.bytes.subarray(0, this.at)
  }

  /** Makes room for `length` more bytes; every method below does so for itself. */
  reserve(length: number): void {
    if (this.at + length <= this.bytes.length) return
    const larger = new Uint8Array(Math.max(this.at + length, this.bytes.length * 2))
    larger.set(this.bytes.subarray(0, this.at))
    this.bytes = larger
    this.view = new DataView(larger.buffer)
  }

  /** A tag or any uint32, as a varint. */
  uint32(value: number): void {
    this.reserve(5)
    const { bytes } = this
    let rest = value >>> 0
    let at = this.at
    while (rest > 0x7f) {
      bytes[at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    bytes[at++] = rest
    this.at = at
  }

  sint32(value: number): void {
    this.uint32((value << 1) ^ (value >> 31))
  }

  /** A 64-bit varint from its two unsigned words. */
  varint64(low: number, high: number): void {
    this.reserve(10)
    const { bytes } = this
    let at = this.at
    while (high !== 0 || low > 0x7f) {
      bytes[at++] = (low & 0x7f) | 0x80
      low = ((low >>> 7) | (high << 25)) >>> 0
      high >>>= 7
    }
    bytes[at++] = low
    this.at = at
  }

  /** An integer of at most 2^53 in size, as an int64 varint; a negative one takes ten bytes. */
  int64(value: number): void {
    const high = Math.floor(value / TWO_32)
    this.varint64((value - high * TWO_32) >>> 0, high >>> 0)
  }

  fixed64(low: number, high: number): void {
    this.reserve(8)
    this.view.setUint32(this.at, low, true)
    this.view.setUint32(this.at + 4, high, true)
    this.at += 8
  }

  /** Raw bytes without a length. */
  raw(source: Uint8Array, from: number, to: number): void {
    this.reserve(to - from)
    const { bytes } = this
    const length = to - from
    // A short copy by hand is cheaper than a call.
    if (length < 32) for (let i = 0; i < length; i++) bytes[this.at + i] = source[from + i]!
    else copyBytes(source, from, to, bytes, this.at)
    this.at += length
  }

  /** A length and then the bytes. */
  lengthDelimited(source: Uint8Array, from: number, to: number): void {
    this.uint32(to - from)
    this.raw(source, from, to)
  }

  /**
   * Starts a nested message: one byte is reserved for its length. Hand the result to
   * `close`, which widens the length only when the message outgrew 127 bytes.
   */
  open(): number {
    this.reserve(1)
    return this.at++
  }

  close(opened: number): void {
    const length = this.at - opened - 1
    if (length < 0x80) {
      this.bytes[opened] = length
      return
    }
    const extra = varintBytes(length) - 1
    // Now, while `at` covers the content: growing keeps what lies before `at`, and below
    // `at` goes back to the length, whose writing must not find too little room.
    this.reserve(5)
    if (extra > 0) this.bytes.copyWithin(opened + 1 + extra, opened + 1, this.at)
    this.at = opened
    this.uint32(length)
    this.at += length
  }
}

/** Bytes that `value` takes as a varint. */
export function varintBytes(value: number): number {
  if (value < 0x80) return 1
  if (value < 0x4000) return 2
  if (value < 0x20_0000) return 3
  return value < 0x1000_0000 ? 4 : 5
}
