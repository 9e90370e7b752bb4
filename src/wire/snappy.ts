import { createRequire } from 'node:module'
import type { Kernel } from '../kernel/kernel.ts'

/**
 * Snappy's block format, on one small face over two libraries: `snappy` (native), and
 * `snappyjs` where the native one cannot load. Both keep the same laws.
 *
 * A block is the length of its content as a varint, then literals and copies. The framed
 * format, which remote write forbids, is damage to both: its first bytes read as the
 * length 895 and a copy from before the beginning.
 *
 * @see https://github.com/google/snappy/blob/main/format_description.txt
 */
export type Snappy = {
  /** The content of a block; null when it is damaged or not as long as it declares. */
  decompress(body: Uint8Array): Uint8Array | null
  compress(raw: Uint8Array): Uint8Array
}

/** The densest element is a copy of 64 bytes, which takes three. */
const HONEST_RATIO = 22
/** What rounding can make of a body of a few bytes. */
const HONEST_SLACK_BYTES = 64

/** The length that a block says its content has, or -1 when it does not begin with one. */
export function declaredLength(body: Uint8Array): number {
  let length = 0
  for (let i = 0; i < 5 && i < body.length; i++) {
    const byte = body[i]!
    length += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) return length < 2 ** 32 ? length : -1
  }
  return -1
}

/**
 * Why a block must not be decompressed, for a person; null when it may be. Looks at its
 * first bytes only, so that a lie about its length costs no memory.
 */
export function inspect(body: Uint8Array, limitBytes: number): string | null {
  const length = declaredLength(body)
  if (length === -1) return 'snappy: the body does not begin with its decoded length'
  if (length > limitBytes) {
    return `snappy: decoded length ${length} exceeds limit ${limitBytes} (bytes)`
  }
  if (!isHonest(length, body)) {
    return `snappy: ${body.length} bytes cannot decode to the ${length} that they declare`
  }
  return null
}

/**
 * The content of a block, in the kernel's memory, where the next call overwrites it; null
 * when it is damaged or not as long as it declares. Without a copy and without garbage: half
 * of what the native library takes.
 */
export function decompressInto(kernel: Kernel, body: Uint8Array): Uint8Array | null {
  const length = declaredLength(body)
  if (length === -1 || !isHonest(length, body)) return null
  return kernel.decompress(body, varintBytes(body), length)
}

function varintBytes(body: Uint8Array): number {
  let at = 0
  while (body[at]! >= 0x80) at++
  return at + 1
}

function isHonest(length: number, body: Uint8Array): boolean {
  return length <= HONEST_RATIO * body.length + HONEST_SLACK_BYTES
}

type NativeModule = {
  uncompressSync(body: Uint8Array, options: object): Uint8Array
  compressSync(raw: Uint8Array, options: object): Uint8Array
}

const require = createRequire(import.meta.url)

/** Null where the library has no binary for this machine. */
export function nativeSnappy(): Snappy | null {
  let native: NativeModule
  try {
    native = require('snappy') as NativeModule
  } catch {
    return null
  }
  // Without `copyOutputData` the result is external memory, which costs V8 several times
  // more to track than the copy costs.
  const options = { copyOutputData: true, asBuffer: true }
  return {
    decompress: (body) => checked(body, (block) => native.uncompressSync(block, options)),
    compress: (raw) => native.compressSync(raw, options),
  }
}

type PortableModule = {
  uncompress(body: Uint8Array): Uint8Array
  compress(raw: Uint8Array): Uint8Array
}

export function portableSnappy(): Snappy {
  const portable = require('snappyjs') as PortableModule
  return {
    decompress: (body) =>
      // The library believes the declared length, and does not look at every offset.
      producedLength(body) === declaredLength(body)
        ? checked(body, (block) => portable.uncompress(block))
        : null,
    // The library cannot compress nothing.
    compress: (raw) => (raw.length === 0 ? Uint8Array.of(0) : portable.compress(raw)),
  }
}

export const snappy: Snappy = nativeSnappy() ?? portableSnappy()

/** Both libraries throw on damage; to us it is a verdict on what somebody sent. */
function checked(
  body: Uint8Array,
  decompress: (body: Uint8Array) => Uint8Array,
): Uint8Array | null {
  const length = declaredLength(body)
  if (length === -1 || !isHonest(length, body)) return null
  try {
    const raw = decompress(body)
    return raw.length === length ? raw : null
  } catch {
    return null
  }
}

/**
 * How long the content of a block really is, or -1 when one of its elements is cut off or
 * copies what is not there:
 *
 * ```text
 * literal   ┌─────────────────┬──────────────────────────┬───────┐
 *           │ length - 1 │ 00 │ 0 to 4 more length bytes │ bytes │
 *           └─────────────────┴──────────────────────────┴───────┘
 * copy      ┌─────────────────────────────────────┬────────────────────────┐
 *           │ length and offset │ 01, 10 or 11    │ 1, 2 or 4 offset bytes │
 *           └─────────────────────────────────────┴────────────────────────┘
 * ```
 */
function producedLength(body: Uint8Array): number {
  let at = 0
  while (at < body.length && body[at]! >= 0x80) at++
  at++

  let produced = 0
  while (at < body.length) {
    const tag = body[at++]!
    const kind = tag & 3
    if (kind === 0) {
      const inTag = tag >>> 2
      const extra = Math.max(0, inTag - 59)
      if (at + extra > body.length) return -1
      const length = extra === 0 ? inTag + 1 : littleEndian(body, at, extra) + 1
      at += extra + length
      produced += length
    } else {
      const extra = kind === 3 ? 4 : kind
      if (at + extra > body.length) return -1
      const nearHigh = kind === 1 ? (tag >>> 5) * 256 : 0
      const offset = littleEndian(body, at, extra) + nearHigh
      if (offset === 0 || offset > produced) return -1
      at += extra
      produced += kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1
    }
  }
  return at === body.length ? produced : -1
}

function littleEndian(body: Uint8Array, at: number, length: number): number {
  let value = 0
  for (let i = length - 1; i >= 0; i--) value = value * 256 + body[at + i]!
  return value
}
