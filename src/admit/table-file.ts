import { crc32 } from 'node:zlib'
import type { Disk, DiskFile } from '../base/disk.ts'
import { replaceFile } from '../base/replace-file.ts'
import type { DigestKey } from '../model/identity.ts'
import {
  BLOCK,
  FAMILY,
  FAMILY_EPOCH,
  ROW_DOUBLES,
  ROW_WORDS,
  SEEN_SECONDS,
  type SeriesTable,
} from './series-table.ts'

const MAGIC = Buffer.from('SLTABLE1')
const HEADER_BYTES = 64
const ROW_BYTES = ROW_WORDS * 4
/** 1 MiB: copied in a millisecond, so that nobody waits for it. */
const CHUNK_ROWS = 16_384
const CHUNK_HEAD_BYTES = 8

/** A table that was saved, open for reading. */
export type SavedTable = {
  /** The identities in it are digests under this key. */
  key: DigestKey
  /** It knows of all blocks up to this one. */
  savedLsn: number
  /** So many samples were on disk then, in all blocks ever: a log that has fewer lost its end. */
  samples: number
  /**
   * Puts the series into `table`, which is empty. What is damaged, or newer than the log, is
   * left out: its series begin anew. Returns how many are newer than the log: it gives their
   * numbers to other blocks soon, so the table is to be saved before that.
   *
   * @param lastLsn of the log, as it is now
   */
  restore(table: SeriesTable, lastLsn: number, nowSeconds: number): Promise<number>
  close(): Promise<void>
}

/**
 * Writes what is known of every series to a file, in place of the one before, so that the next
 * start forwards no sample twice. Only what is on disk counts: series that a block not yet
 * committed has changed come last, as they are when it has been committed or undone. Those that
 * yet another block has changed by then are left out: the log has the block before that, and what
 * came since the save began is read back from there.
 *
 * ```text
 *  0 magic │ 8 key <4 × u32> │ 24 last LSN <f64> │ 32 samples <f64> │ 40 0 … │ 60 crc32 <u32>
 * 64 chunks: rows <u32> │ crc32 <u32> │ rows of 64 bytes, as in the series table
 * ```
 *
 * @param committedLsn asked anew for each chunk
 * @param settle resolves when what is being committed now has been, or was undone
 */
export async function saveTable(
  disk: Disk,
  path: string,
  { key, samples }: Pick<SavedTable, 'key' | 'samples'>,
  table: SeriesTable,
  committedLsn: () => number,
  settle: () => Promise<unknown>,
): Promise<void> {
  await replaceFile(disk, path, async (file) => {
    await file.write([headerOf(key, committedLsn(), samples)], 0)
    let position = HEADER_BYTES
    const write = async (rows: Uint8Array): Promise<void> => {
      const head = Buffer.alloc(CHUNK_HEAD_BYTES)
      head.writeUInt32LE(rows.length / ROW_BYTES, 0)
      head.writeUInt32LE(crc32(rows), 4)
      await file.write([head, rows], position)
      position += CHUNK_HEAD_BYTES + rows.length
    }
    const left: number[] = []
    for (let row = 0; row < table.rowsUsed; row += CHUNK_ROWS) {
      await write(committedRows(table, row, row + CHUNK_ROWS, committedLsn(), left))
    }
    if (left.length === 0) return
    await settle()
    for (let at = 0; at < left.length; at += CHUNK_ROWS) {
      await write(committedOf(table, left.slice(at, at + CHUNK_ROWS), committedLsn()))
    }
  })
}

/** Opens what `saveTable` wrote; null when there is none, or none that can be read. */
export async function openSavedTable(disk: Disk, path: string): Promise<SavedTable | null> {
  const file = await disk.open(path, 'update')
  const header = Buffer.alloc(HEADER_BYTES)
  const length = await file.read(header, 0)
  const isWhole = length === HEADER_BYTES && header.subarray(0, MAGIC.length).equals(MAGIC)
  if (!isWhole || header.readUInt32LE(60) !== crc32(header.subarray(0, 60))) {
    await file.close()
    return null
  }
  const key = Uint32Array.from({ length: 4 }, (_, i) => header.readUInt32LE(8 + 4 * i))
  const savedLsn = header.readDoubleLE(24)
  return {
    key,
    savedLsn,
    samples: header.readDoubleLE(32),
    restore: (table, lastLsn, nowSeconds) =>
      restoreFrom(file, table, { savedLsn, lastLsn, nowSeconds }),
    close: () => file.close(),
  }
}

function headerOf(key: DigestKey, lastLsn: number, samples: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  MAGIC.copy(header)
  for (const [i, word] of key.entries()) header.writeUInt32LE(word, 8 + 4 * i)
  header.writeDoubleLE(lastLsn, 24)
  header.writeDoubleLE(samples, 32)
  header.writeUInt32LE(crc32(header.subarray(0, 60)), 60)
  return header
}

/** A copy of the rows `[from, to)` that are as the log has them; the others are added to `left`. */
function committedRows(
  { words, doubles, rowsUsed }: SeriesTable,
  from: number,
  to: number,
  committedLsn: number,
  left: number[],
): Uint8Array {
  const end = Math.min(to, rowsUsed)
  const copy = new Uint32Array((end - from) * ROW_WORDS)
  let at = 0
  // In runs, because nearly all rows are copied.
  for (let first = from; first < end; ) {
    let row = first
    while (row < end && isCommitted(doubles[row * ROW_DOUBLES + BLOCK]!, committedLsn)) row += 1
    copy.set(words.subarray(first * ROW_WORDS, row * ROW_WORDS), at)
    at += (row - first) * ROW_WORDS
    if (row < end && doubles[row * ROW_DOUBLES + BLOCK]! >= 0) left.push(row)
    first = row + 1
  }
  return new Uint8Array(copy.buffer, 0, at * 4)
}

/** The same of single rows. */
function committedOf(table: SeriesTable, rows: readonly number[], committedLsn: number) {
  const copy = new Uint32Array(rows.length * ROW_WORDS)
  let at = 0
  for (const row of rows) {
    if (!isCommitted(table.doubles[row * ROW_DOUBLES + BLOCK]!, committedLsn)) continue
    copy.set(table.words.subarray(row * ROW_WORDS, (row + 1) * ROW_WORDS), at)
    at += ROW_WORDS
  }
  return new Uint8Array(copy.buffer, 0, at * 4)
}

/** Free rows have a block below 0. */
function isCommitted(block: number, committedLsn: number): boolean {
  return block >= 0 && block <= committedLsn
}

type Times = { savedLsn: number; lastLsn: number; nowSeconds: number }

async function restoreFrom(file: DiskFile, table: SeriesTable, times: Times): Promise<number> {
  const head = Buffer.alloc(CHUNK_HEAD_BYTES)
  const sizeBytes = await file.sizeBytes()
  let tooNew = 0
  for (let position = HEADER_BYTES; position + CHUNK_HEAD_BYTES <= sizeBytes; ) {
    await file.read(head, position)
    position += CHUNK_HEAD_BYTES
    const bytes = head.readUInt32LE(0) * ROW_BYTES
    if (bytes > CHUNK_ROWS * ROW_BYTES || position + bytes > sizeBytes) break
    const rows = new Uint8Array(bytes)
    await file.read(rows, position)
    position += bytes
    if (crc32(rows) === head.readUInt32LE(4)) tooNew += restoreRows(rows, table, times)
  }
  return tooNew
}

function restoreRows(bytes: Uint8Array, table: SeriesTable, times: Times): number {
  const { savedLsn, lastLsn, nowSeconds } = times
  const words = new Uint32Array(bytes.buffer)
  const doubles = new Float64Array(bytes.buffer)
  let tooNew = 0
  for (let saved = 0; saved * ROW_BYTES < bytes.length; saved++) {
    const from = saved * ROW_WORDS
    // The log has lost what the row tells of.
    if (doubles[saved * ROW_DOUBLES + BLOCK]! > lastLsn) {
      tooNew += 1
      continue
    }
    const row = table.insert(words, from)
    if (row < 0) break
    const at = row * ROW_WORDS
    table.words.set(words.subarray(from, from + ROW_WORDS), at)
    table.words[at + SEEN_SECONDS] = nowSeconds
    table.words[at + FAMILY] = 0
    table.words[at + FAMILY_EPOCH] = 0
    // Which of the blocks since then carried it nobody knows: it waits for all of them.
    if (savedLsn !== lastLsn) table.doubles[row * ROW_DOUBLES + BLOCK] = lastLsn
  }
  return tooNew
}
