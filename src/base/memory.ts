/**
 * Gives back the memory of bytes that nobody uses any more; they are empty then.
 *
 * What lies outside of the heap is known to the collector by its size alone, and each 64 MiB
 * of it make it look through everything. At a megabyte a push that took a third of the time.
 *
 * Bytes that share their memory with others, as those from a pool do, are left alone.
 */
export function release({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength && !buffer.detached) {
    buffer.transfer(0)
  }
}

/** A copy of a range: `slice` of a Buffer would be a view, which keeps the whole alive. */
export function copyOf(bytes: Uint8Array, from: number, to: number): Uint8Array {
  return new Uint8Array(bytes.subarray(from, to))
}
