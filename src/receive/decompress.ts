import { promisify } from 'node:util'
import { gunzip, gunzipSync, zstdDecompress, zstdDecompressSync } from 'node:zlib'
import { release } from '../base/memory.ts'
import { BODY_BYTES_MAX } from './body.ts'
import type { OtlpCompression } from './otlp-negotiate.ts'

/** What OTLP is expected to grow to: room is asked for before, and corrected afterwards. */
const GROWTH_EXPECTED = 8
/** So much takes half a millisecond, and another thread costs more than it takes off this one. */
const AT_ONCE_BYTES_MAX = 512 * 1024
/** With less, the library stops just before the end, and looks for more of it. */
const SPARE_BYTES = 64
/** A body that says it is next to nothing is not taken apart crumb by crumb. */
const CHUNK_BYTES_MIN = 16 * 1024
/** Behind a gzip, the size of what it holds, modulo 2^32. */
const SIZE_BYTES = 4

export type Decompressed =
  | { kind: 'whole'; bytes: Uint8Array }
  | { kind: 'too-large' }
  | { kind: 'no-room' }
  | { kind: 'damaged'; reason: string }

type Limits = { maxOutputLength: number; chunkSize: number }

const HERE = { gzip: gunzipSync, zstd: zstdDecompressSync }
const ELSEWHERE = {
  gzip: promisify<Uint8Array, Limits, Buffer>(gunzip),
  zstd: promisify<Uint8Array, Limits, Buffer>(zstdDecompress),
}

/**
 * Decompresses a body to no more than BODY_BYTES_MAX bytes: at once when it seems small, on
 * another thread when it is not. The body is given.
 *
 * 1,080 points in gzip, 93 kB, take 90 µs of CPU so; in the library's pieces of 16 kB, each
 * handed to a thread and back, 300 µs.
 *
 * @param grow asked for room; false: there is none
 */
export async function decompressed(
  body: Uint8Array,
  compression: OtlpCompression,
  grow: (bytes: number) => boolean,
): Promise<Decompressed> {
  if (compression === 'none') return { kind: 'whole', bytes: body }
  const expected = Math.min(BODY_BYTES_MAX, expectedBytes(body, compression))
  if (!grow(expected)) return { kind: 'no-room' }
  let bytes: Uint8Array
  try {
    bytes = decompressedHere(body, compression, expected) ?? (await inThread(body, compression))
  } catch (error) {
    if (isTooLarge(error)) return { kind: 'too-large' }
    const { message } = error as Error
    return { kind: 'damaged', reason: `the body is no whole ${compression} (${message})` }
  }
  release(body)
  if (bytes.length > expected && !grow(bytes.length - expected)) return { kind: 'no-room' }
  return { kind: 'whole', bytes }
}

/** A guess: a body says what it likes. */
function expectedBytes(body: Uint8Array, compression: 'gzip' | 'zstd'): number {
  if (compression === 'zstd' || body.length < SIZE_BYTES) return body.length * GROWTH_EXPECTED
  return new DataView(body.buffer, body.byteOffset + body.length - SIZE_BYTES).getUint32(0, true)
}

/** Null for what is more than it seemed: that is for another thread. */
function decompressedHere(
  body: Uint8Array,
  compression: 'gzip' | 'zstd',
  expected: number,
): Uint8Array | null {
  if (expected > AT_ONCE_BYTES_MAX) return null
  const chunkSize = Math.max(expected + SPARE_BYTES, CHUNK_BYTES_MIN)
  try {
    const bytes = HERE[compression](body, { maxOutputLength: AT_ONCE_BYTES_MAX, chunkSize })
    // Memory of its own, so that it can be released; of larger pieces the rest is cut off.
    return bytes.buffer.byteLength === chunkSize ? new Uint8Array(cut(bytes)) : bytes
  } catch (error) {
    if (isTooLarge(error)) return null
    throw error
  }
}

function cut({ buffer, length }: Buffer<ArrayBuffer>): ArrayBuffer {
  return buffer.transfer(length)
}

function inThread(body: Uint8Array, compression: 'gzip' | 'zstd'): Promise<Uint8Array> {
  const limits = { maxOutputLength: BODY_BYTES_MAX, chunkSize: AT_ONCE_BYTES_MAX }
  return ELSEWHERE[compression](body, limits)
}

function isTooLarge(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
}
