import { assert } from '../base/errors.ts'
import type { Block } from '../model/block.ts'

/** Record type of a block in the log. */
export const BLOCK_RECORD = 1

const FORMAT = 1
const FIXED_BYTES = 88

/**
 * Payload of a block record, little-endian:
 *
 * ```text
 *  0  format <u16> │ cluster length <u16> │ raw bytes <u32>
 *  8  fence <u64>
 * 16  samples <u32> │ histograms <u32> │ exemplars <u32> │ 0 <u32>
 * 32  min timestamp ms <f64> │ max timestamp ms <f64> │ received ms <f64>
 * 56  samples before <u64> │ bytes before <u64> │ number <u64> │ totals LSN <u64>
 * 88  cluster <utf-8> │ message <snappy, io.prometheus.write.v2.Request>
 * ```
 *
 * Returned in two parts, so that the message is not copied.
 *
 * @param totalsLsn number of the last totals record before it; 0 when there is none, and all
 *   blocks before it are of its own cluster
 */
export function encodeBlock(block: Block, totalsLsn = 0): Uint8Array[] {
  const cluster = Buffer.from(block.cluster)
  const header = Buffer.alloc(FIXED_BYTES + cluster.length)
  header.writeUInt16LE(FORMAT, 0)
  header.writeUInt16LE(cluster.length, 2)
  header.writeUInt32LE(block.rawBytes, 4)
  writeNumber(header, block.fence, 8)
  header.writeUInt32LE(block.counts.samples, 16)
  header.writeUInt32LE(block.counts.histograms, 20)
  header.writeUInt32LE(block.counts.exemplars, 24)
  header.writeDoubleLE(block.minTimestampMs, 32)
  header.writeDoubleLE(block.maxTimestampMs, 40)
  header.writeDoubleLE(block.receivedMs, 48)
  writeNumber(header, block.samplesBefore, 56)
  writeNumber(header, block.bytesBefore, 64)
  writeNumber(header, block.number, 72)
  writeNumber(header, totalsLsn, 80)
  header.set(cluster, FIXED_BYTES)
  return [header, block.message]
}

/** Reads what `encodeBlock` wrote, its parts in one; the message is a view of it. */
export function decodeBlock(payload: Uint8Array): Block {
  const header = Buffer.from(payload.buffer, payload.byteOffset, payload.length)
  assert(
    header.length >= FIXED_BYTES && header.readUInt16LE(0) === FORMAT,
    'a block is read as it was written',
  )
  const messageAt = FIXED_BYTES + header.readUInt16LE(2)
  return {
    number: readNumber(header, 72),
    fence: readNumber(header, 8),
    cluster: header.toString('utf8', FIXED_BYTES, messageAt),
    counts: {
      samples: header.readUInt32LE(16),
      histograms: header.readUInt32LE(20),
      exemplars: header.readUInt32LE(24),
    },
    minTimestampMs: header.readDoubleLE(32),
    maxTimestampMs: header.readDoubleLE(40),
    receivedMs: header.readDoubleLE(48),
    rawBytes: header.readUInt32LE(4),
    samplesBefore: readNumber(header, 56),
    bytesBefore: readNumber(header, 64),
    message: payload.subarray(messageAt),
  }
}

/** Of a block record; see `encodeBlock`. */
export function totalsLsnOf(payload: Uint8Array): number {
  return readNumber(Buffer.from(payload.buffer, payload.byteOffset, payload.length), 80)
}

function writeNumber(buffer: Buffer, value: number, at: number): void {
  buffer.writeUInt32LE(value % 2 ** 32, at)
  buffer.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4)
}

function readNumber(buffer: Buffer, at: number): number {
  return buffer.readUInt32LE(at) + buffer.readUInt32LE(at + 4) * 2 ** 32
}
