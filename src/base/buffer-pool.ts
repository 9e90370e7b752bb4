/** Smaller pieces are not worth keeping, larger ones come seldom. */
const PIECE_BYTES_MIN = 4 * 1024
const PIECE_BYTES_MAX = 4 * 1024 * 1024

/**
 * Memory that is used again and again. What lies outside of the heap makes the collector run by
 * its size, even where each piece lives for a few milliseconds.
 *
 * A class, because there is state with an invariant: a piece is either lent or kept, and what is
 * never given back belongs to the collector.
 */
export class BufferPool {
  readonly #keptBytesMax: number
  /** By the logarithm of their size. */
  readonly #kept: ArrayBuffer[][] = []
  readonly #lent = new WeakSet<ArrayBufferLike>()
  #keptBytes = 0

  constructor(keptBytesMax: number) {
    this.#keptBytesMax = keptBytesMax
  }

  /** What is kept to be used again. */
  get keptBytes(): number {
    return this.#keptBytes
  }

  /** Bytes of any content, the caller's until `give`, or for ever. */
  take(length: number): Uint8Array {
    if (length > PIECE_BYTES_MAX) return Buffer.allocUnsafeSlow(length)
    const size = sizeOf(length)
    const kept = this.#kept[size]?.pop()
    if (kept !== undefined) this.#keptBytes -= kept.byteLength
    const piece = kept ?? Buffer.allocUnsafeSlow(2 ** size).buffer
    this.#lent.add(piece)
    return new Uint8Array(piece, 0, length)
  }

  /** Nobody uses these bytes any more, nor others of their piece. Strange ones are left alone. */
  give({ buffer }: Uint8Array): void {
    if (!(buffer instanceof ArrayBuffer) || !this.#lent.delete(buffer)) return
    if (this.#keptBytes + buffer.byteLength > this.#keptBytesMax) return
    this.#keptBytes += buffer.byteLength
    const size = sizeOf(buffer.byteLength)
    this.#kept[size] ??= []
    this.#kept[size].push(buffer)
  }
}

function sizeOf(length: number): number {
  return Math.ceil(Math.log2(Math.max(length, PIECE_BYTES_MIN)))
}
