import { crc32 } from 'node:zlib'
import { assert } from '../base/errors.ts'

export const RECORD_HEADER_BYTES = 32

/** Far above any push that is let in; what a sound header may ask a reader to hold in memory. */
export const RECORD_PAYLOAD_BYTES_MAX = 256 * 1024 * 1024

/** What a search for the next record looks for. No text and no small number looks like it. */
export const RECORD_MARKER = Uint8Array.of(0xa7, 0x53, 0x4c, 0xd2)

const FLAG_GROUP_START = 1

export type RecordHeader = {
  lengthBytes: number
  /** What the payload is: the log does not care. */
  type: number
  /**
   * The first record of a commit. All records before it were on disk when it was written, so
   * after a crash only what follows the last such record is in doubt.
   */
  isGroupStart: boolean
  lsn: number
  /** Checksum of the payload of the record before. */
  chain: number
  payloadCrc: number
}

/**
 * Writes a record's header, little-endian. The payload follows it directly, and the next
 * record follows the payload directly.
 *
 * ```text
 *  0             4             8            10            12                 16
 * ┌─────────────┬─────────────┬────────────┬─────────────┬──────────────────┐
 * │ marker <u32>│ length <u32>│ type <u16> │ flags <u16> │ payload crc <u32>│
 * ├─────────────┴─────────────┼────────────┴─────────────┼──────────────────┤
 * │ LSN <u64>                 │ chain <u32>              │ header crc <u32> │
 * └───────────────────────────┴──────────────────────────┴──────────────────┘
 * 16                          24                         28                 32
 * ```
 *
 * The header has a checksum of its own, so that a flipped length is never followed. That
 * checksum starts from `seed`, which differs between stores, so that a record of another
 * store is not a record here; and LSN and chain tell a record that was left over from an
 * earlier life from the one that belongs here.
 */
export function encodeRecordHeader(header: RecordHeader, seed: number): Uint8Array {
  assert(header.lengthBytes <= RECORD_PAYLOAD_BYTES_MAX, 'a record is not larger than its maximum')
  assert(header.type >= 0 && header.type <= 0xffff, 'a record type has 16 bits')
  const bytes = new Uint8Array(RECORD_HEADER_BYTES)
  const view = new DataView(bytes.buffer)
  bytes.set(RECORD_MARKER)
  view.setUint32(4, header.lengthBytes, true)
  view.setUint16(8, header.type, true)
  view.setUint16(10, header.isGroupStart ? FLAG_GROUP_START : 0, true)
  view.setUint32(12, header.payloadCrc, true)
  view.setBigUint64(16, BigInt(header.lsn), true)
  view.setUint32(24, header.chain, true)
  view.setUint32(28, crc32(bytes.subarray(0, 28), seed), true)
  return bytes
}

/** The header at `offset`, or undefined when there is no sound one of this store. */
export function decodeRecordHeader(
  bytes: Uint8Array,
  offset: number,
  seed: number,
): RecordHeader | undefined {
  if (offset + RECORD_HEADER_BYTES > bytes.length) return undefined
  for (let i = 0; i < RECORD_MARKER.length; i++) {
    if (bytes[offset + i] !== RECORD_MARKER[i]) return undefined
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, RECORD_HEADER_BYTES)
  const crc = crc32(bytes.subarray(offset, offset + 28), seed)
  if (view.getUint32(28, true) !== crc) return undefined
  return {
    lengthBytes: view.getUint32(4, true),
    type: view.getUint16(8, true),
    isGroupStart: (view.getUint16(10, true) & FLAG_GROUP_START) !== 0,
    lsn: Number(view.getBigUint64(16, true)),
    chain: view.getUint32(24, true),
    payloadCrc: view.getUint32(12, true),
  }
}

/** Checksum of a payload that lies in several pieces. */
export function payloadCrcOf(parts: readonly Uint8Array[]): number {
  let crc = 0
  for (const part of parts) crc = crc32(part, crc)
  return crc
}
