import { join } from 'node:path'
import type { Disk, DiskFile } from '../base/disk.ts'
import { SluiceError } from '../base/errors.ts'
import { RecordScanner } from './scan.ts'
import {
  type Damage,
  decodeSegmentHeader,
  firstLsnOf,
  SEGMENT_HEADER_BYTES,
  type Segment,
  type SegmentHeader,
  seedOf,
} from './segment.ts'
import { readStoreId, refuseNewerFormat, writeStoreId } from './store.ts'

export type RecoveryOptions = {
  disk: Disk
  directory: string
  /** 16 bytes in hexadecimal, for a directory that holds no store yet. */
  newStoreId: string
  onDamage: (damage: Damage) => void
  /** Told when the end of the log is kept aside. */
  onTornTail?: ((tail: TornTail) => void) | undefined
}

/** A commit that was never finished, and so never acknowledged; and the file that has it now. */
export type TornTail = { path: string; bytes: number }

export type Recovered = {
  storeId: string
  /** Segments with committed records, in order. */
  segments: Segment[]
  nextLsn: number
  /** Checksum of the last record's payload; 0 when that is not known. */
  chain: number
  /** Names of segments that hold nothing of ours that is committed. */
  leftover: Set<string>
  /** Names of segments that hold what is not ours. */
  foreign: Set<string>
}

type Found = {
  name: string
  nameLsn: number
  header: SegmentHeader | undefined
  fileBytes: number
}

/**
 * Finds out what a directory holds. Only the last segment is read; for every other one the
 * next one's first LSN tells where it ends, so that a start takes as long with a large backlog
 * as without one.
 *
 * A crash leaves a torn tail in the last segment: records that nobody was told are safe. It is
 * kept aside and cut. Damage with sound records behind it is damage to what was acknowledged:
 * it is reported and stepped over. Neither is a reason not to start.
 *
 * @throws LOG_FORMAT when a newer version has written here, before anything is changed
 * @throws LOG_FAILED when the disk refuses
 */
export async function recover(options: RecoveryOptions): Promise<Recovered> {
  try {
    return await recoverFrom(options)
  } catch (cause) {
    if (cause instanceof SluiceError) throw cause
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new SluiceError(
      'LOG_FAILED',
      `cannot open the log in ${options.directory}: ${message}; ` +
        'see that the directory can be written and that its disk is sound',
      { cause },
    )
  }
}

async function recoverFrom(options: RecoveryOptions): Promise<Recovered> {
  const { disk, directory, onDamage } = options
  await disk.makeDirectory(directory)
  const named = await readStoreId(disk, directory)
  const found = await listSegments(disk, directory)
  const storeId =
    named ?? found.findLast(({ header }) => header)?.header?.storeId ?? options.newStoreId
  if (named === undefined) await writeStoreId(disk, directory, storeId)

  const foreign = new Set<string>()
  const segments: Segment[] = []
  for (const { name, nameLsn, header, fileBytes } of found) {
    const none = { segment: name, fromLsn: nameLsn, toLsn: nameLsn - 1 }
    if (header && (header.storeId !== storeId || header.firstLsn !== nameLsn)) {
      foreign.add(name)
      onDamage({ ...none, bytes: fileBytes, reason: 'foreign segment' })
      continue
    }
    segments.push({
      name,
      path: join(directory, name),
      firstLsn: nameLsn,
      endLsn: nameLsn,
      chain: header?.chain,
      readableBytes: fileBytes,
      fileBytes,
    })
  }
  for (let i = 1; i < segments.length; i++) segments[i - 1]!.endLsn = segments[i]!.firstLsn

  const last = segments.at(-1)
  const tail = last ? await recoverLast(last, storeId, options) : { nextLsn: 1, chain: 0 }
  // A missing header in front of records is damage; in front of nothing it was never written.
  for (const { name, firstLsn, endLsn, chain } of segments) {
    if (chain !== undefined || endLsn === firstLsn) continue
    const none = { segment: name, fromLsn: firstLsn, toLsn: firstLsn - 1 }
    onDamage({ ...none, bytes: SEGMENT_HEADER_BYTES, reason: 'segment header' })
  }
  const leftover = new Set<string>()
  if (last && last.endLsn === last.firstLsn) leftover.add(segments.pop()!.name)
  return { storeId, segments, leftover, foreign, ...tail }
}

async function listSegments(disk: Disk, directory: string): Promise<Found[]> {
  const found: Found[] = []
  for (const name of (await disk.list(directory)).sort()) {
    const nameLsn = firstLsnOf(name)
    if (nameLsn === undefined) continue
    const path = join(directory, name)
    const file = await disk.open(path, 'read')
    try {
      const bytes = new Uint8Array(SEGMENT_HEADER_BYTES)
      const length = await file.read(bytes, 0)
      const header = decodeSegmentHeader(bytes.subarray(0, length))
      if (header) refuseNewerFormat(header.version, path)
      found.push({ name, nameLsn, header, fileBytes: await file.sizeBytes() })
    } finally {
      await file.close()
    }
  }
  return found
}

/** Reads the last segment to its end, makes sure of what it holds and cuts the rest off. */
async function recoverLast(
  segment: Segment,
  storeId: string,
  options: RecoveryOptions,
): Promise<{ nextLsn: number; chain: number }> {
  const { disk, directory, onDamage } = options
  const file = await disk.open(segment.path, 'update')
  try {
    const scanner = new RecordScanner(file, {
      seed: seedOf(storeId),
      position: SEGMENT_HEADER_BYTES,
      lsn: segment.firstLsn,
      chain: segment.chain,
    })
    let sound = { nextLsn: segment.firstLsn, chain: segment.chain ?? 0 }
    let soundBytes = segment.chain === undefined ? 0 : SEGMENT_HEADER_BYTES
    let groupStart = 0
    let damages: Damage[] = []
    for (;;) {
      const found = await scanner.next(segment.fileBytes, Number.MAX_SAFE_INTEGER)
      if (found.kind === 'end') break
      if (found.kind === 'damage') {
        const { kind, ...damage } = found
        damages.push({ segment: segment.name, ...damage })
        continue
      }
      // Only what has a sound record behind it is damage; the rest belongs to the torn tail.
      for (const damage of damages) onDamage(damage)
      damages = []
      sound = { nextLsn: scanner.lsn, chain: found.header.payloadCrc }
      soundBytes = scanner.position
      // The first group was written together with the segment's header.
      const isFirst = found.position === SEGMENT_HEADER_BYTES
      if (found.header.isGroupStart) groupStart = isFirst ? 0 : found.position
    }
    segment.endLsn = sound.nextLsn
    segment.readableBytes = soundBytes

    await cutTail(options, file, segment)
    if (sound.nextLsn > segment.firstLsn) await writeAgain(file, groupStart, soundBytes)
    await file.datasync()
    // The file may have been made a moment before the end, its name not synced yet.
    await disk.syncDirectory(directory)
    return sound
  } finally {
    await file.close()
  }
}

/**
 * Writes the last group over itself. Its sync may have failed in the process that wrote it, and
 * the kernel then takes pages for clean that are not on the disk: a sync alone would say yes to
 * records that a power cut still takes away.
 */
async function writeAgain(file: DiskFile, start: number, end: number): Promise<void> {
  const bytes = new Uint8Array(end - start)
  await file.read(bytes, start)
  await file.write([bytes], start)
}

/** Keeps what follows the last sound record in a file beside the segment, and cuts it off. */
async function cutTail(options: RecoveryOptions, file: DiskFile, segment: Segment): Promise<void> {
  const { readableBytes, fileBytes, name } = segment
  if (fileBytes <= readableBytes) return
  const tail = new Uint8Array(fileBytes - readableBytes)
  await file.read(tail, readableBytes)
  if (tail.some((byte) => byte !== 0) && !(await setAside(options, name, tail))) return
  await file.truncate(readableBytes)
  segment.fileBytes = readableBytes
}

/** False when there is no room: then the tail stays, and the next segment's first LSN ends it. */
async function setAside(
  { disk, directory, onTornTail }: RecoveryOptions,
  name: string,
  bytes: Uint8Array,
): Promise<boolean> {
  const names = new Set(await disk.list(directory))
  let number = 1
  while (names.has(`${name}.torn-${number}`)) number++
  const path = join(directory, `${name}.torn-${number}`)
  try {
    const copy = await disk.open(path, 'create')
    try {
      await copy.write([bytes], 0)
      await copy.datasync()
    } finally {
      await copy.close()
    }
    await disk.syncDirectory(directory)
  } catch {
    await disk.remove(path).catch(() => undefined)
    return false
  }
  onTornTail?.({ path, bytes: bytes.length })
  return true
}
