import { Log, type LogOptions } from '../../src/persist/log.ts'
import type { Damage } from '../../src/persist/segment.ts'
import { segmentName } from '../../src/persist/segment.ts'
import type { MemoryDisk } from './memory-disk.ts'

export const DIRECTORY = '/data/log'

/** Opens the log of a memory disk with small segments; `damages` collects what it reports. */
export async function openLog(
  disk: MemoryDisk,
  options: Partial<LogOptions> = {},
): Promise<{ log: Log; damages: Damage[] }> {
  const damages: Damage[] = []
  const onDamage = (damage: Damage) => damages.push(damage)
  const sizes = { segmentBytes: 600, readAheadBytes: 256 }
  const place = { disk: disk.session(), directory: DIRECTORY }
  const log = await Log.open({ ...place, ...sizes, tailBytes: 0, onDamage, ...options })
  return { log, damages }
}

/** A record with its payload in one piece. */
type ReadRecord = { lsn: number; type: number; payload: Uint8Array }

/** Everything that is committed from `fromLsn` on. */
export async function readAll(log: Log, fromLsn = 1): Promise<ReadRecord[]> {
  const reader = log.reader(fromLsn)
  const records: ReadRecord[] = []
  for (let record = await reader.next(); record; record = await reader.next()) {
    records.push(record)
  }
  await reader.close()
  return records
}

export async function lsnsOf(log: Log, fromLsn = 1): Promise<number[]> {
  return (await readAll(log, fromLsn)).map(({ lsn }) => lsn)
}

/** One commit for each payload length, so that each is a group of its own. */
export async function commitEach(log: Log, lengths: readonly number[]): Promise<void> {
  for (const length of lengths) {
    log.append(1, [payloadOf(log.nextLsn, length)])
    await log.commit()
  }
}

/** Bytes that differ from one LSN to the next. */
export function payloadOf(lsn: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (lsn * 31 + i * 7) & 0xff)
}

export function segmentPath(firstLsn: number): string {
  return `${DIRECTORY}/${segmentName(firstLsn)}`
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i)
}
