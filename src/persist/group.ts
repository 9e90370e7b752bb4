import { encodeRecordHeader, payloadCrcOf, RECORD_HEADER_BYTES } from './record.ts'

/** A record without its header: the parts of its payload lie one behind the other. */
export type LoggedRecord = { type: number; parts: readonly Uint8Array[] }

/** Records that are written and synced together. */
export type Group = {
  firstLsn: number
  recordCount: number
  records: LoggedRecord[]
  /** Checksum of the payload before the group, and of its last one. */
  chainBefore: number
  chain: number
  /** Headers and payloads in the order in which they lie in the file; no copies. */
  parts: Uint8Array[]
  bytes: number
}

export function emptyGroup(firstLsn: number, chain: number): Group {
  return { firstLsn, recordCount: 0, records: [], chainBefore: chain, chain, parts: [], bytes: 0 }
}

/** LSN of the record that is added next. */
export function nextLsnOf(group: Group): number {
  return group.firstLsn + group.recordCount
}

/** Frames a record whose payload is `parts`; they must not change until the group is written. */
export function addRecord(
  group: Group,
  type: number,
  parts: readonly Uint8Array[],
  seed: number,
): number {
  const lsn = nextLsnOf(group)
  let lengthBytes = 0
  for (const part of parts) lengthBytes += part.length
  const payloadCrc = payloadCrcOf(parts)
  const isGroupStart = group.recordCount === 0
  const header = { lengthBytes, type, isGroupStart, lsn, chain: group.chain, payloadCrc }
  group.parts.push(encodeRecordHeader(header, seed))
  for (const part of parts) if (part.length > 0) group.parts.push(part)
  group.bytes += RECORD_HEADER_BYTES + lengthBytes
  group.chain = payloadCrc
  group.recordCount += 1
  group.records.push({ type, parts })
  return lsn
}
