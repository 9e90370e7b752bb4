import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import type { Disk } from '../base/disk.ts'
import type { Logger } from '../base/log.ts'
import type { DestinationConfig } from '../config/config.ts'
import type { DigestKey } from '../model/identity.ts'
import { blockFrom } from '../persist/block-search.ts'
import type { BlockTotals } from '../persist/block-writer.ts'
import { Cursor } from '../persist/cursor.ts'
import type { Log } from '../persist/log.ts'
import { Retention } from '../persist/retention.ts'
import type { DestinationStatus, QuarantineSource, RewindSource } from '../status/sources.ts'
import { Lane } from './lane.ts'
import { openQuarantine } from './open-quarantine.ts'

export type DestinationsParts = {
  disk: Disk
  /** Where quarantines lie. */
  directory: string
  log: Log
  cursors: ReadonlyMap<string, Cursor>
  key: DigestKey
  /** Of all blocks in the log. */
  totals: BlockTotals
  quotaBytes: number
  clock: Clock
  /** In [0, 1). */
  random: () => number
  logger: Logger
}

/** Where the gateway forwards to: each has its own cursor, its own connections and its own pace. */
export type Destinations = {
  /** To be called once a second: what all of them have is deleted after a while. */
  release(): Promise<void>
  status(): DestinationStatus[]
  /** By the name of the destination. */
  byName: ReadonlyMap<string, QuarantineSource & RewindSource>
  /** Breaks off what is in flight and saves how far each has come. */
  stop(): Promise<void>
}

/** One cursor per destination, by its name; a name that is new begins with the oldest record. */
export async function openCursors(
  disk: Disk,
  directory: string,
  configs: readonly DestinationConfig[],
  logger: Logger,
): Promise<Map<string, Cursor>> {
  const cursors = new Map<string, Cursor>()
  try {
    for (const { name } of configs) {
      const cursor = await Cursor.open(disk, join(directory, name))
      cursors.set(name, cursor)
      if (!cursor.isDamaged) continue
      const message = 'the cursor is damaged: everything in the log is sent again'
      logger.error(message, { destination: name })
    }
    return cursors
  } catch (error) {
    for (const cursor of cursors.values()) await cursor.close()
    throw error
  }
}

/** @throws LOG_FAILED, LOG_FORMAT when a quarantine cannot be opened; then nothing runs */
export async function startDestinations(
  configs: readonly DestinationConfig[],
  parts: DestinationsParts,
): Promise<Destinations> {
  const { log, clock, quotaBytes, cursors, logger } = parts
  const retention = new Retention({ log, clock, quotaBytes })
  const lanes: Lane[] = []
  const stop = async (): Promise<void> => {
    await Promise.all(lanes.map((lane) => lane.stop()))
  }
  try {
    for (const config of configs) {
      const { name } = config
      const cursor = cursors.get(name)!
      retention.advance(name, cursor.position)
      const quarantine = await openQuarantine(name, parts)
      const onCheckpoint = (position: number) => retention.advance(name, position)
      const next = await blockFrom(log, cursor.position)
      const samplesDone = next?.samplesBefore ?? parts.totals.samples
      const own = { cursor, quarantine, samplesDone, onCheckpoint }
      lanes.push(new Lane(config, { ...parts, ...own }))
    }
  } catch (error) {
    await stop()
    throw error
  }
  let releasing = Promise.resolve()
  return {
    status: () => lanes.map((lane) => lane.status()),
    byName: new Map(lanes.map((lane) => [lane.name, lane])),
    release: () => {
      const onError = (error: unknown) =>
        logger.error('a part of the log that nobody needs cannot be deleted', { error })
      releasing = releasing.then(() => retention.release()).catch(onError)
      return releasing
    },
    stop: async () => {
      await Promise.all([releasing, stop()])
    },
  }
}
