import { join } from 'node:path'
import { Admission } from './admit/admission.ts'
import { openSavedTable, saveTable } from './admit/table-file.ts'
import type { Clock } from './base/clock.ts'
import { ClockWatch } from './base/clock-watch.ts'
import { type Disk, withoutSync } from './base/disk.ts'
import { SluiceError } from './base/errors.ts'
import type { Logger } from './base/log.ts'
import type { Config } from './config/config.ts'
import { openCursors } from './destinations/open-cursors.ts'
import { createDigestKey } from './model/identity.ts'
import { DeltaSums } from './otlp/deltas.ts'
import { BlockWriter } from './persist/block-writer.ts'
import { DiskWatch, nominalQuota } from './persist/disk-watch.ts'
import { acquireLock } from './persist/lock.ts'
import { Log } from './persist/log.ts'
import { SEGMENT_BYTES } from './persist/segment.ts'
import { Spare, spareBytesFor, withSpare } from './persist/spare.ts'
import { totalsOf } from './persist/totals.ts'
import { recall } from './recall.ts'
import { widestWindowMs } from './reload.ts'

/** The segment that is being written is never deleted, so it must be a small part of the quota. */
const SEGMENTS_PER_QUOTA = 8

export type StoreParts = {
  clock: Clock
  disk: Disk
  log: Logger
  /** Of the data directory; that of the system when absent. */
  lock?: typeof acquireLock
  /** Of several clusters, totals are written to the log so often. */
  totalsEveryBytes?: number
}

export type Store = Awaited<ReturnType<typeof openStore>>

/**
 * Opens what is on disk, with the table that must agree with it. What has to be closed again is
 * put into `stops`, in the order of opening.
 *
 * @throws LOG_LOCKED, LOG_FORMAT, LOG_FAILED
 */
export async function openStore(
  config: Config,
  parts: StoreParts,
  stops: (() => Promise<unknown>)[],
) {
  const { clock, log: logger } = parts
  const { path, acknowledge } = config.storage
  const disk = acknowledge === 'fsync' ? parts.disk : withoutSync(parts.disk)
  await makeStore(disk, path)
  const nominalBytes = await nominalQuota(disk, path, config.storage.quotaBytes)
  const spare = await Spare.open(disk, join(path, 'spare'), spareBytesFor(nominalBytes))
  // A full disk is no reason not to start: what is in the log can be delivered.
  const lock = await spare.insist(() => (parts.lock ?? acquireLock)(path, clock))
  stops.push(() => lock.release())
  const reserved = withSpare(disk, spare)
  const cursors = await openCursors(reserved, join(path, 'cursors'), config.remoteWrite, logger)
  stops.push(() => Promise.all([...cursors.values()].map((cursor) => cursor.close())))

  /** Samples that were judged and could not be written: their senders were told so. */
  const undone = { samples: 0 }
  const logDirectory = join(path, 'log')
  /** Undefined until the end: where something on the way fails, the log is closed without it. */
  let building: BlockWriter | undefined
  const log = await Log.open({
    disk,
    directory: logDirectory,
    segmentBytes: Math.min(SEGMENT_BYTES, Math.ceil(nominalBytes / SEGMENTS_PER_QUOTA)),
    nextLsnMin: Math.max(...[...cursors.values()].map(({ position }) => position)),
    onCollect: () => building?.seal(),
    onFailed: (error) => {
      logger.error('the log cannot be written', { error })
      undone.samples += blocks.discard()
      admission.undo()
      deltas?.undo()
    },
    onDamage: (damage) => logger.error('a part of the log is damaged', { ...damage }),
    onTornTail: (tail) =>
      logger.warn('the last commit was cut off, and is kept aside', { ...tail }),
  })
  stops.push(() => log.close())
  const { quotaBytes } = config.storage
  const watched = { disk, path, logDirectory, log, spare, quotaBytes, clock, logger }
  const diskWatch = await DiskWatch.start(watched)
  stops.push(() => diskWatch.stop())

  const watch = new ClockWatch({
    clock,
    lastNumber: () => log.lastLsn,
    onJump: (byMs) => logger.warn('the clock of this machine has jumped', { byMs }),
  })
  const committed = () => building?.committedSamples().sum
  const table = await openTable(config, { ...parts, disk }, log, committed)
  const { admission } = table
  const { delta } = config.otlp
  const deltas = delta === null ? null : new DeltaSums(delta, admission.table, table.key)
  const { totals, mark } = await totalsOf(log)
  // A log that lost its end goes on counting where others know that it was: so that is missed.
  const known = Array.from(cursors.values(), ({ samplesBefore }) => samplesBefore ?? 0)
  const lost = Math.max(table.savedSamples, ...known) - totals.samples.sum
  if (lost > 0) totals.samples.add(totals.samples.onlyCluster, lost)
  const samplesAtStart = totals.samples.sum
  const familyOf = (number: number) => admission.metadata.family(number)
  const { totalsEveryBytes } = parts
  const blocks = new BlockWriter(log, table.key, familyOf, totals, { mark, totalsEveryBytes })
  building = blocks
  stops.push(async () => {
    // What cannot be committed now is undone, and left out.
    await log.commit().catch(() => undefined)
    await table.save()
  })
  const own = { disk: reserved, cursors, log, watch, diskWatch, deltas, ...table }
  return { ...own, totals, samplesAtStart, blocks, undone }
}

async function makeStore(disk: Disk, path: string): Promise<void> {
  try {
    await disk.makeDirectory(join(path, 'cursors'))
  } catch (cause) {
    const message = `cannot make the directory ${path}: ${(cause as Error).message}`
    throw new SluiceError('LOG_FAILED', `${message}; choose another one: storage.path`, { cause })
  }
}

/** What is known of every series, as it was saved last, and how to save it. */
async function openTable(
  config: Config,
  { disk, clock, log: logger }: StoreParts,
  log: Log,
  committedSamples: () => number | undefined,
) {
  const path = join(config.storage.path, 'series-table')
  const unreadable = (error: unknown) => {
    logger.warn('the saved series table cannot be read: duplicates may be sent', { error })
    return null
  }
  const saved = await openSavedTable(disk, path).catch(unreadable)
  const key = saved?.key ?? createDigestKey()
  const admission = new Admission({
    seriesMax: config.dedup.maxSeries,
    outOfOrderWindowMs: widestWindowMs(config),
    lastBlock: log.lastLsn,
  })
  const savedSamples = saved?.samples ?? 0
  let savedLsn = 0
  const saveNow = async (): Promise<void> => {
    const head = { key, samples: committedSamples() ?? savedSamples }
    const knownLsn = log.committedLsn
    try {
      const settle = () => log.commit().catch(() => undefined)
      await saveTable(disk, path, head, admission.table, () => log.committedLsn, settle)
      savedLsn = knownLsn
    } catch (error) {
      logger.warn('the series table cannot be saved: a restart would send duplicates', { error })
    }
  }
  let saving = Promise.resolve()
  const save = (): Promise<void> => {
    saving = saving.then(saveNow)
    return saving
  }
  const nowSeconds = Math.floor(clock.monotonicMs() / 1000)
  const tooNew = await saved?.restore(admission.table, log.lastLsn, nowSeconds).catch(unreadable)
  await saved?.close()
  if (tooNew !== null) savedLsn = saved?.savedLsn ?? 0
  const recalled = await recall({ log, admission, key, savedLsn, nowSeconds }).catch((error) => {
    logger.warn('the log cannot be read back: duplicates of the last minute may be sent', { error })
    return 0
  })
  // Numbers of blocks that the log has lost are given out again, and the next crash may come soon.
  if (tooNew || recalled || savedLsn > log.lastLsn) await save()
  return { key, admission, save, savedLsn: () => savedLsn, savedSamples }
}
