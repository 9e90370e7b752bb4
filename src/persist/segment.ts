import { crc32 } from 'node:zlib'

/** The newest format that this code writes and the only one that it reads. */
export const FORMAT_VERSION = 1

export const SEGMENT_HEADER_BYTES = 64

/** A segment is the unit of deletion: small enough to free disk soon, large enough to be few. */
export const SEGMENT_BYTES = 64 * 1024 * 1024

export const STORE_ID_BYTES = 16

/** One file of the log and what is known of it without reading its records. */
export type Segment = {
  name: string
  path: string
  firstLsn: number
  /** Records of this LSN and above are elsewhere, even where this file seems to hold them. */
  endLsn: number
  /** Checksum of the payload before the first record; undefined when the header is lost. */
  chain: number | undefined
  /** Committed records end here. */
  readableBytes: number
  /** What the file holds, with what a failed write may have left behind; zeros do not count. */
  fileBytes: number
}

export type DamageReason =
  | 'record header'
  | 'record payload'
  | 'record out of place'
  | 'missing'
  | 'segment header'
  | 'foreign segment'

/**
 * Something of the log that cannot be read. The bytes stay where they are, and reading goes
 * on behind them.
 *
 * Records `fromLsn` to `toLsn` are lost; none when `toLsn` is below `fromLsn`. In the last commit
 * before a power cut they may be records that nobody was told are safe: a torn commit of several
 * records looks like a damaged one. A later process meets and reports the same place again.
 */
export type Damage = {
  segment: string
  fromLsn: number
  toLsn: number
  bytes: number
  reason: DamageReason
}

export type SegmentHeader = {
  version: number
  /** 16 bytes, in hexadecimal. */
  storeId: string
  firstLsn: number
  chain: number
}

const MAGIC = new TextEncoder().encode('SLUICELG')

/**
 * Writes the head of a segment file, little-endian.
 *
 * ```text
 *  0                           8               12            16
 * ┌───────────────────────────┬───────────────┬─────────────┐
 * │ magic "SLUICELG"          │ version <u32> │ chain <u32> │
 * ├───────────────────────────┴───────────────┴─────────────┤
 * │ store <16 bytes>                                        │
 * ├───────────────────────────┬─────────────────────────────┤ 32
 * │ first LSN <u64>           │ zero <20 bytes>             │
 * ├───────────────────────────┴───────────────┬─────────────┤
 * │ …                                         │ crc32 <u32> │
 * └───────────────────────────────────────────┴─────────────┘
 *                                             60            64
 * ```
 *
 * Every later format must keep magic, version and checksum where they are: that is how this
 * code tells a newer log, which it must not touch, from a damaged one, which it must read.
 */
export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES)
  const view = new DataView(bytes.buffer)
  bytes.set(MAGIC)
  view.setUint32(8, header.version, true)
  view.setUint32(12, header.chain, true)
  bytes.set(Buffer.from(header.storeId, 'hex'), 16)
  view.setBigUint64(32, BigInt(header.firstLsn), true)
  view.setUint32(60, crc32(bytes.subarray(0, 60)), true)
  return bytes
}

/** Undefined when `bytes` do not begin with a whole, sound header. */
export function decodeSegmentHeader(bytes: Uint8Array): SegmentHeader | undefined {
  if (bytes.length < SEGMENT_HEADER_BYTES) return undefined
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, SEGMENT_HEADER_BYTES)
  if (view.getUint32(60, true) !== crc32(bytes.subarray(0, 60))) return undefined
  return {
    version: view.getUint32(8, true),
    storeId: Buffer.from(bytes.subarray(16, 16 + STORE_ID_BYTES)).toString('hex'),
    firstLsn: Number(view.getBigUint64(32, true)),
    chain: view.getUint32(12, true),
  }
}

/** Sixteen digits hold every safe integer, so that names sort as their numbers do. */
const NAME = /^(\d{16})\.log$/

export function segmentName(firstLsn: number): string {
  return `${String(firstLsn).padStart(16, '0')}.log`
}

/** The LSN that a file's name promises, or undefined when it is no segment. */
export function firstLsnOf(name: string): number | undefined {
  const digits = NAME.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/** What the record checksums of a store start from. */
export function seedOf(storeId: string): number {
  return crc32(Buffer.from(storeId, 'hex'))
}
