import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import type { Disk, DiskFile } from '../base/disk.ts'
import { assert, SluiceError } from '../base/errors.ts'

/** A page each, so that a torn write of one slot cannot touch the other. */
const SLOT_BYTES = 4096
const SLOT_COUNT = 2
const FILE_BYTES = SLOT_BYTES * SLOT_COUNT

/** What is used of a slot. */
const ENTRY_BYTES = 40
const CRC_AT = 36
const MAGIC = Uint8Array.of(0xc5, 0x53, 0x4c, 0x32)

/** Where a destination begins that has no cursor: with the oldest record. */
const FIRST_POSITION = 1

type Entry = { generation: number; position: number; samplesBefore: number }

/**
 * How far a destination has come: the lowest LSN that it has not acknowledged yet.
 *
 * The file has two slots that are written in turn. A crash in the middle of a write leaves the
 * other one, which is older: what was sent since then is sent again, and nothing is left out.
 * Both are there from the beginning, so that saving a position needs no room on a full disk.
 *
 * A class, because there is state with an invariant: the slot that is written next is never
 * the one that holds the newest position.
 */
export class Cursor {
  readonly #disk: Disk
  readonly #path: string
  /** Undefined after a failure: what a failed write left is not known, so that file is given up. */
  #file: DiskFile | undefined
  #generation: number
  #position: number
  #samplesBefore: number | null
  #saving: Promise<void> = Promise.resolve()
  /** Neither slot could be read although something was written: begins with the oldest record. */
  readonly isDamaged: boolean

  private constructor(
    disk: Disk,
    path: string,
    file: DiskFile,
    newest: Entry | undefined,
    isEmpty: boolean,
  ) {
    this.#disk = disk
    this.#path = path
    this.#file = file
    this.#generation = newest?.generation ?? 0
    this.#position = newest?.position ?? FIRST_POSITION
    this.#samplesBefore = newest?.samplesBefore ?? null
    this.isDamaged = newest === undefined && !isEmpty
  }

  /**
   * Opens the cursor in the file `path`, or makes one that begins with the oldest record.
   *
   * @throws LOG_FAILED when the disk refuses
   */
  static async open(disk: Disk, path: string): Promise<Cursor> {
    try {
      return await Cursor.#open(disk, path)
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause)
      throw new SluiceError('LOG_FAILED', `cannot open ${path}: ${message}`, { cause })
    }
  }

  static async #open(disk: Disk, path: string): Promise<Cursor> {
    const file = await disk.open(path, 'update')
    try {
      const slots = new Uint8Array(FILE_BYTES)
      const length = await file.read(slots, 0)
      if (length < FILE_BYTES) {
        await file.write([slots.subarray(length)], length)
        await file.datasync()
        await disk.syncDirectory(dirname(path))
      }
      const isEmpty = slots.every((byte) => byte === 0)
      return new Cursor(disk, path, file, newestOf(slots), isEmpty)
    } catch (error) {
      await file.close().catch(() => undefined)
      throw error
    }
  }

  /** The position that was saved last. */
  get position(): number {
    return this.#position
  }

  /**
   * Samples in all blocks before the position, so that nothing between can go unnoticed; null
   * before the first save.
   */
  get samplesBefore(): number | null {
    return this.#samplesBefore
  }

  /**
   * Resolves when `position` survives a power cut. It may be lower than before: then what lies
   * between is sent again.
   *
   * @throws LOG_FAILED when it was not saved; the next call tries again in a new file
   */
  save(position: number, samplesBefore: number): Promise<void> {
    assert(Number.isSafeInteger(position) && position >= 1, 'a position is an LSN')
    const save = this.#saving.then(() => this.#save(position, samplesBefore))
    this.#saving = save.catch(() => undefined)
    return save
  }

  async close(): Promise<void> {
    await this.#saving
    await this.#file?.close()
    this.#file = undefined
  }

  async #save(position: number, samplesBefore: number): Promise<void> {
    const entry = { generation: this.#generation + 1, position, samplesBefore }
    try {
      if (this.#file) await writeEntry(this.#file, entry)
      else this.#file = await this.#replace(entry)
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause)
      await this.#file?.close().catch(() => undefined)
      this.#file = undefined
      throw new SluiceError('LOG_FAILED', `cannot save ${this.#path}: ${message}`, { cause })
    }
    this.#generation = entry.generation
    this.#position = position
    this.#samplesBefore = samplesBefore
  }

  /** A new file under the old name, so that there is one of them whole at any moment. */
  async #replace(entry: Entry): Promise<DiskFile> {
    const path = `${this.#path}.new`
    await this.#disk.remove(path)
    const file = await this.#disk.open(path, 'create')
    try {
      await file.write([new Uint8Array(FILE_BYTES)], 0)
      await writeEntry(file, entry)
      await this.#disk.rename(path, this.#path)
      await this.#disk.syncDirectory(dirname(this.#path))
      return file
    } catch (error) {
      await file.close().catch(() => undefined)
      throw error
    }
  }
}

/**
 * Writes an entry at the start of the slot whose turn it is, little-endian.
 *
 * ```text
 *  0        4        8                  16               24                    32       36
 * ┌────────┬────────┬──────────────────┬────────────────┬─────────────────────┬────────┬───────┐
 * │ magic  │ 0 <u32>│ generation <u64> │ position <u64> │ samples before <u64>│ 0 <u32>│ crc32 │
 * └────────┴────────┴──────────────────┴────────────────┴─────────────────────┴────────┴───────┘
 * ```
 *
 * The slot is the generation modulo two: the newest entry is never the one written over.
 */
async function writeEntry(file: DiskFile, entry: Entry): Promise<void> {
  const { generation, position, samplesBefore } = entry
  const bytes = new Uint8Array(ENTRY_BYTES)
  const view = new DataView(bytes.buffer)
  bytes.set(MAGIC)
  view.setBigUint64(8, BigInt(generation), true)
  view.setBigUint64(16, BigInt(position), true)
  view.setBigUint64(24, BigInt(samplesBefore), true)
  view.setUint32(CRC_AT, crc32(bytes.subarray(0, CRC_AT)), true)
  await file.write([bytes], (generation % SLOT_COUNT) * SLOT_BYTES)
  await file.datasync()
}

function newestOf(slots: Uint8Array): Entry | undefined {
  let newest: Entry | undefined
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    const entry = decodeEntry(slots.subarray(slot * SLOT_BYTES, slot * SLOT_BYTES + ENTRY_BYTES))
    if (entry && entry.generation > (newest?.generation ?? 0)) newest = entry
  }
  return newest
}

function decodeEntry(bytes: Uint8Array): Entry | undefined {
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, ENTRY_BYTES)
  if (view.getUint32(CRC_AT, true) !== crc32(bytes.subarray(0, CRC_AT))) return undefined
  return {
    generation: Number(view.getBigUint64(8, true)),
    position: Number(view.getBigUint64(16, true)),
    samplesBefore: Number(view.getBigUint64(24, true)),
  }
}
