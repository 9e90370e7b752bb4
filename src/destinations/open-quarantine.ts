import { join } from 'node:path'
import type { Disk } from '../base/disk.ts'
import type { Logger } from '../base/log.ts'
import type { Refused } from '../forward/refused.ts'
import { Log } from '../persist/log.ts'
import { Quarantine, type QuarantineHead } from '../persist/quarantine.ts'
import type { Losses } from './losses.ts'

/** Of one destination, on disk. */
const BYTES_MAX = 256 * 1024 * 1024
/** Their heads are in memory. */
const ENTRIES_MAX = 10_000
const SEGMENT_BYTES = 16 * 1024 * 1024

/** A quarantine, and how to close it. */
export type OpenQuarantine = { quarantine: Quarantine; close: () => Promise<void> }

export type QuarantineFiles = { disk: Disk; directory: string; logger: Logger; losses: Losses }

/** Opens the quarantine of a destination, or makes one. */
export async function openQuarantine(
  name: string,
  { disk, directory, logger, losses }: QuarantineFiles,
): Promise<OpenQuarantine> {
  const log = await Log.open({
    disk,
    directory: join(directory, name),
    segmentBytes: SEGMENT_BYTES,
    // It is read by people, who can wait for the disk.
    tailBytes: 0,
    onDamage: (damage) => {
      const message = 'a part of the quarantine is damaged'
      logger.error(message, { destination: name, ...damage })
    },
    onTornTail: (tail) => {
      const message = 'the last entry of the quarantine was cut off, and is kept aside'
      logger.warn(message, { destination: name, ...tail })
    },
  })
  const quarantine = await Quarantine.open({
    log,
    bytesMax: BYTES_MAX,
    entriesMax: ENTRIES_MAX,
    onEvicted: (entries) => losses.tellDiscarded(entries, 'the quarantine is full'),
    onDamage: (hole) =>
      losses.tell({ kind: 'damaged', ...hole, reason: 'entries of the quarantine are damaged' }),
  })
  return { quarantine, close: () => log.close() }
}

/** What is known of a part that was refused at `refusedMs`, by wall time. */
export function headOf(refused: Refused, refusedMs: number): QuarantineHead {
  const { block, lossClass, lost, reason, series } = refused
  return {
    cluster: block.cluster,
    block: block.number,
    receivedMs: block.receivedMs,
    refusedMs,
    attempts: 0,
    class: lossClass,
    reason,
    lost,
    series,
  }
}
