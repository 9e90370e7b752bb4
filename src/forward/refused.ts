import type { Block } from '../model/block.ts'
import { type Counts, noCounts } from '../model/counts.ts'
import type { ProtobufWriter } from '../wire/protobuf-writer.ts'
import { snappy } from '../wire/snappy.ts'
import type { Loss } from './delivery.ts'
import { readRemoteWrite2, seriesCount, writePart } from './remote-write-2.ts'

/** A part of a block that the receiver will never take. */
export type Refused = Loss & {
  block: Block
  /** A Remote Write 2.0 request, compressed: the part, or the block where no part is known. */
  message: Uint8Array
}

/** The same, later on. */
export type RefusedBefore = Pick<Block, 'cluster' | 'number' | 'message'> & {
  /** What was refused of it, which may be less than all. */
  lost: Counts
}

/** What is in a request; nothing when it is damaged. `writer` is overwritten. */
export function countsOf(message: Uint8Array, writer: ProtobufWriter): Counts {
  const raw = snappy.decompress(message)
  const request = raw === null ? null : readRemoteWrite2(raw)
  return request === null ? noCounts() : writePart(request, 0, seriesCount(request), writer)
}

/** A request with these series of `message` alone; `writer` is overwritten. */
export function partOf(
  message: Uint8Array,
  part: Loss['part'],
  writer: ProtobufWriter,
): Uint8Array {
  const raw = part === null ? null : snappy.decompress(message)
  const request = raw === null ? null : readRemoteWrite2(raw)
  if (part === null || request === null) return message
  writePart(request, part.from, part.to, writer)
  return snappy.compress(writer.written())
}

/** What Prometheus says of a sample that it has, or has newer ones than. */
const IS_LATE = /out of order|duplicate sample|too old|out of bounds/i

/** Whether a refusal says that samples are there, or newer ones: so does the right receiver. */
export function isLate(reason: string): boolean {
  return IS_LATE.test(reason)
}

/**
 * Whether the receiver refuses what it has already: then nothing is missing there. A receiver of
 * 2.0 has a line for each sample, and one that is bad may be among others that are late.
 */
export function isProbablyStored({ lossClass, reason }: Loss): boolean {
  return lossClass === 'maybe stored' && reason.split('\n').every(isLate)
}
