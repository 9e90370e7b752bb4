import { crc32 } from 'node:zlib'
import type { DiskFile } from '../base/disk.ts'
import {
  decodeRecordHeader,
  RECORD_HEADER_BYTES,
  RECORD_MARKER,
  RECORD_PAYLOAD_BYTES_MAX,
  type RecordHeader,
} from './record.ts'
import type { DamageReason } from './segment.ts'

export const READ_AHEAD_BYTES = 1024 * 1024

export type Scanned =
  /** `payload` is lent until the next call. */
  | { kind: 'record'; header: RecordHeader; payload: Uint8Array; position: number }
  /** Stepped over, with sound records behind it. */
  | { kind: 'damage'; fromLsn: number; toLsn: number; bytes: number; reason: DamageReason }
  /** Nothing sound follows; `bytes` are left before the limit. */
  | { kind: 'end'; bytes: number; reason: DamageReason }

export type ScanStart = {
  /** What the store's record checksums start from. */
  seed: number
  position: number
  /** LSN of the record that should lie there. */
  lsn: number
  /** Checksum of the payload before it, or undefined when that is not known. */
  chain: number | undefined
  readAheadBytes?: number
}

/**
 * Reads the records of one segment file in order, and finds the way on after damage.
 *
 * A record counts when its header and its payload have the right checksums, its LSN is the
 * next one and its chain names the record before. One whose header alone is sound can be
 * stepped over exactly; otherwise the next sound header of this store shows the way.
 */
export class RecordScanner {
  readonly #file: DiskFile
  readonly #seed: number
  readonly #readAheadBytes: number
  #position: number
  #lsn: number
  #chain: number | undefined

  /** The bytes of the file from `#bufferStart`; `#bufferLength` of them are meaningful. */
  #buffer = new Uint8Array(0)
  #bufferStart = 0
  #bufferLength = 0

  constructor(file: DiskFile, start: ScanStart) {
    this.#file = file
    this.#seed = start.seed
    this.#readAheadBytes = start.readAheadBytes ?? READ_AHEAD_BYTES
    this.#position = start.position
    this.#lsn = start.lsn
    this.#chain = start.chain
  }

  /** Where the next record should begin: behind everything that was read or stepped over. */
  get position(): number {
    return this.#position
  }

  /** LSN that the next record should have. */
  get lsn(): number {
    return this.#lsn
  }

  /** What comes next among the records below `limitLsn` that end at or before `limitBytes`. */
  async next(limitBytes: number, limitLsn: number): Promise<Scanned> {
    const position = this.#position
    const header = await this.#headerAt(position, limitBytes)
    if (header === undefined) {
      return this.#stepOver(position + 1, limitBytes, limitLsn, 'record header')
    }
    const isOutOfChain =
      header.lsn === this.#lsn && this.#chain !== undefined && header.chain !== this.#chain
    if (header.lsn < this.#lsn || header.lsn >= limitLsn || isOutOfChain) {
      return this.#stepOver(position + 1, limitBytes, limitLsn, 'record out of place')
    }
    if (header.lsn > this.#lsn) return this.#jump(position, header.lsn, 'missing')

    const end = position + RECORD_HEADER_BYTES + header.lengthBytes
    const record = await this.#bytesAt(position, end - position, limitBytes)
    const payload = record.subarray(RECORD_HEADER_BYTES, end - position)
    if (payload.length < header.lengthBytes || crc32(payload) !== header.payloadCrc) {
      return this.#stepOver(end, limitBytes, limitLsn, 'record payload')
    }
    this.#position = end
    this.#lsn = header.lsn + 1
    this.#chain = header.payloadCrc
    return { kind: 'record', header, payload, position }
  }

  /** Gives up on everything before `position`. */
  skipTo(position: number, lsn: number): void {
    this.#position = position
    this.#lsn = lsn
    this.#chain = undefined
  }

  async #stepOver(
    from: number,
    limitBytes: number,
    limitLsn: number,
    reason: DamageReason,
  ): Promise<Scanned> {
    const found = await this.#search(from, limitBytes, limitLsn)
    if (found !== undefined) return this.#jump(found.position, found.lsn, reason)
    return { kind: 'end', bytes: Math.max(0, limitBytes - this.#position), reason }
  }

  #jump(position: number, lsn: number, reason: DamageReason): Scanned {
    const bytes = position - this.#position
    const fromLsn = this.#lsn
    this.skipTo(position, lsn)
    return { kind: 'damage', fromLsn, toLsn: lsn - 1, bytes, reason }
  }

  /** The first sound header at or behind `from` that can belong here. */
  async #search(
    from: number,
    limitBytes: number,
    limitLsn: number,
  ): Promise<{ position: number; lsn: number } | undefined> {
    let at = from
    for (;;) {
      const bytes = await this.#bytesAt(at, RECORD_HEADER_BYTES, limitBytes)
      if (bytes.length < RECORD_HEADER_BYTES) return undefined
      const index = bufferOver(bytes).indexOf(RECORD_MARKER)
      if (index < 0) {
        // A marker may begin in the last bytes read and end in the next.
        at += bytes.length - (RECORD_MARKER.length - 1)
        continue
      }
      at += index
      const header = await this.#headerAt(at, limitBytes)
      if (header !== undefined && header.lsn >= this.#lsn && header.lsn < limitLsn) {
        return { position: at, lsn: header.lsn }
      }
      at += 1
    }
  }

  /** The header of a record that lies wholly before `limitBytes`. */
  async #headerAt(position: number, limitBytes: number): Promise<RecordHeader | undefined> {
    const bytes = await this.#bytesAt(position, RECORD_HEADER_BYTES, limitBytes)
    const header = decodeRecordHeader(bytes, 0, this.#seed)
    if (header === undefined || header.lengthBytes > RECORD_PAYLOAD_BYTES_MAX) return undefined
    const isWhole = position + RECORD_HEADER_BYTES + header.lengthBytes <= limitBytes
    return isWhole ? header : undefined
  }

  /**
   * What is in memory from `position` on, at least `bytes` of it; less only at `limitBytes`
   * or at the end of the file.
   */
  async #bytesAt(position: number, bytes: number, limitBytes: number): Promise<Uint8Array> {
    const wanted = Math.max(0, Math.min(bytes, limitBytes - position))
    const bufferEnd = this.#bufferStart + this.#bufferLength
    if (position < this.#bufferStart || position + wanted > bufferEnd) {
      await this.#fill(position, wanted, limitBytes)
    }
    const start = position - this.#bufferStart
    const end = Math.min(this.#bufferLength, limitBytes - this.#bufferStart)
    return this.#buffer.subarray(start, Math.max(start, end))
  }

  async #fill(position: number, wanted: number, limitBytes: number): Promise<void> {
    const wish = Math.max(wanted, this.#readAheadBytes)
    const length = Math.max(0, Math.min(wish, limitBytes - position))
    // Larger for a record that needs it, and back again, so that one giant is not paid for ever.
    const isGiant = this.#buffer.length > wish
    if (isGiant || this.#buffer.length < length) this.#buffer = new Uint8Array(length)
    this.#bufferStart = position
    this.#bufferLength = 0
    this.#bufferLength = await this.#file.read(this.#buffer.subarray(0, length), position)
  }
}

function bufferOver(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}
