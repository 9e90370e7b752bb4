import { promisify } from 'node:util'
import { gunzip, zstdDecompress } from 'node:zlib'
import { release } from '../base/memory.ts'
import { BODY_BYTES_MAX } from './body.ts'
import type { OtlpCompression } from './otlp-negotiate.ts'

/** What OTLP is expected to grow to: room is asked for before, and corrected afterwards. */
const GROWTH_EXPECTED = 8

export type Decompressed =
  | { kind: 'whole'; bytes: Uint8Array }
  | { kind: 'too-large' }
  | { kind: 'no-room' }
  | { kind: 'damaged'; reason: string }

const DECOMPRESS = {
  gzip: promisify<Uint8Array, { maxOutputLength: number }, Buffer>(gunzip),
  zstd: promisify<Uint8Array, { maxOutputLength: number }, Buffer>(zstdDecompress),
}

/**
 * Decompresses a body, on another thread, to no more than BODY_BYTES_MAX bytes. The body is
 * given.
 *
 * @param grow asked for room; false: there is none
 */
export async function decompressed(
  body: Uint8Array,
  compression: OtlpCompression,
  grow: (bytes: number) => boolean,
): Promise<Decompressed> {
  if (compression === 'none') return { kind: 'whole', bytes: body }
  const expected = Math.min(BODY_BYTES_MAX, body.length * GROWTH_EXPECTED)
  if (!grow(expected)) return { kind: 'no-room' }
  let bytes: Buffer
  try {
    bytes = await DECOMPRESS[compression](body, { maxOutputLength: BODY_BYTES_MAX })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ERR_BUFFER_TOO_LARGE') return { kind: 'too-large' }
    return { kind: 'damaged', reason: `the body is no whole ${compression} (${message})` }
  }
  release(body)
  if (bytes.length > expected && !grow(bytes.length - expected)) return { kind: 'no-room' }
  return { kind: 'whole', bytes }
}
