import { copyBytes } from '../base/memory.ts'
import { Kernel, tooLarge } from '../kernel/kernel.ts'
import { RAW_BYTES_MAX } from '../kernel/layout.ts'
import { ProtobufWriter, varintBytes } from './protobuf-writer.ts'

/**
 * A snappy block that is compressed part by part: its elements are good wherever they stand,
 * because they refer to what lies before them by its distance.
 *
 * A class, because elements and the number of bytes that they stand for must agree.
 */
export class SnappyWriter {
  readonly #kernel = new Kernel()
  readonly #elements = new ProtobufWriter()
  #rawBytes = 0

  clear(): void {
    this.#elements.clear()
    this.#rawBytes = 0
  }

  /** Adds `bytes`, which are not compressed yet. */
  add(bytes: Uint8Array): void {
    if (bytes.length > 0) this.addElements(this.#kernel.compress(bytes), bytes.length)
  }

  /** Adds elements that stand for `rawBytes` bytes. */
  addElements(elements: Uint8Array, rawBytes: number): void {
    this.#elements.raw(elements, 0, elements.length)
    this.#rawBytes += rawBytes
  }

  /**
   * The block, with `head` before all that was added, and the length of its content.
   *
   * @throws RangeError when that is more than a reader takes
   */
  finish(head: Uint8Array): { block: Uint8Array; rawBytes: number } {
    const rawBytes = head.length + this.#rawBytes
    if (rawBytes > RAW_BYTES_MAX) throw tooLarge()
    const first = this.#kernel.compress(head)
    const rest = this.#elements.written()
    const start = varintBytes(rawBytes)
    const block = Buffer.allocUnsafeSlow(start + first.length + rest.length)
    const length = new ProtobufWriter(start)
    length.uint32(rawBytes)
    block.set(length.written())
    copyBytes(first, 0, first.length, block, start)
    block.set(rest, start + first.length)
    return { block, rawBytes }
  }
}
