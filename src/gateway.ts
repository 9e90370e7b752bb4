import { join } from 'node:path'
import { Admission } from './admit/admission.ts'
import { openSavedTable, saveTable } from './admit/table-file.ts'
import type { Clock } from './base/clock.ts'
import { ClockWatch } from './base/clock-watch.ts'
import { type Disk, withoutSync } from './base/disk.ts'
import { SluiceError } from './base/errors.ts'
import type { Logger } from './base/log.ts'
import type { Config } from './config/config.ts'
import { Destinations, openCursors } from './destinations/destinations.ts'
import { createIntake, type Intake } from './intake/intake.ts'
import { createDigestKey } from './model/identity.ts'
import { BlockWriter, totalsOf } from './persist/block-writer.ts'
import { Ledger } from './persist/ledger.ts'
import { acquireLock } from './persist/lock.ts'
import { Log } from './persist/log.ts'
import { SEGMENT_BYTES } from './persist/segment.ts'
import { createServer } from './receive/server.ts'
import { createReload, widestWindowMs } from './reload.ts'
import { createAdminRoutes } from './status/admin.ts'
import { balanceOf } from './status/balance.ts'
import { createMetrics } from './status/metrics.ts'
import { createQuarantineRoutes } from './status/quarantine.ts'
import { createReloadRoutes } from './status/reload.ts'
import { createRewindRoutes } from './status/rewind.ts'
import { createSnapshot } from './status/snapshot.ts'
import type { MetricSources } from './status/sources.ts'

/** Of the file system, when no quota is configured. */
const QUOTA_SHARE = 0.8
/** The segment that is being written is never deleted, so it must be a small part of the quota. */
const SEGMENTS_PER_QUOTA = 8
const SWEEP_EVERY_MS = 1_000
/** After a crash, samples that were kept since the last time may be sent twice. */
const SAVE_EVERY_MS = 60_000
/** Open requests of the admin port get this long to finish when the gateway stops. */
const DRAIN_MS = 5_000

export type GatewayParts = {
  clock: Clock
  disk: Disk
  /** In [0, 1). */
  random: () => number
  log: Logger
  /** Reads the configuration anew; throws CONFIG_INVALID. */
  loadConfig: () => Promise<Config>
}

export type Gateway = {
  writePort: number
  /** Null: not at all. */
  otlpHttpPort: number | null
  otlpGrpcPort: number | null
  adminPort: number
  /**
   * Reads the configuration anew, and forwards to its destinations from now on.
   *
   * @throws CONFIG_INVALID, LOG_FAILED; then the old one holds, entirely
   */
  reload(): Promise<void>
  /** Takes no more pushes, commits what is open, saves the cursor; the backlog stays on disk. */
  stop(): Promise<void>
}

/**
 * Puts the parts together and starts them from the far end to the near end, so that
 * nothing is accepted before it can be kept; stops them the other way round, so that
 * nothing accepted is lost.
 *
 * @throws LISTEN_FAILED, LOG_LOCKED, LOG_FORMAT, LOG_FAILED; then nothing is left running
 */
export async function startGateway(config: Config, parts: GatewayParts): Promise<Gateway> {
  const stops: (() => Promise<unknown>)[] = []
  const stop = async (): Promise<void> => {
    for (const each of stops.splice(0).reverse()) await each()
  }
  try {
    const store = await openStore(config, parts, stops)
    const backlog = () => backlogOf(config, store)
    const intake = createIntake({
      ...store,
      ...parts,
      listeners: config.listen,
      tls: config.listen.tls,
      otlp: config.otlp,
      limits: config.limits,
      backlog,
      onCommit: (seconds) => metrics.observeCommit(seconds),
    })
    const far = await Destinations.start(config.remoteWrite, {
      ...parts,
      ...store,
      directory: join(config.storage.path, 'quarantine'),
      cursorDirectory: join(config.storage.path, 'cursors'),
      ledger: new Ledger(store.disk, join(config.storage.path, 'losses.jsonl')),
      dropsOldest: config.storage.onFull === 'drop_oldest',
      logger: parts.log,
    })
    stops.push(() => far.stop(), everySecond(parts.clock, store, far))
    const sources = sourcesOf(store, intake, far)
    const metrics = createMetrics(sources)
    stops.push(async () => metrics.stop())
    let isOpen = false
    const notReady = () => {
      if (!isOpen) return 'the write port is not open yet'
      return store.log.isFailed ? 'the log cannot be written' : backlog()
    }
    const snapshot = createSnapshot({ sources, clock: parts.clock, notReady })
    const refresh = () => intake.refresh()
    const balance = () => balanceOf(sources)
    const { clock } = parts
    const admin = createAdminRoutes({ metrics, snapshot, balance, refresh, notReady, clock })
    const quarantine = createQuarantineRoutes(far.byName, clock)
    const reload = createReload({ ...parts, config, admission: store.admission, far })
    const rewind = createRewindRoutes(far.byName, clock)
    const routes = { ...admin, ...quarantine, ...rewind, ...createReloadRoutes(reload, clock) }
    const adminServer = createServer({ ...config.listen.admin, routes, ...parts })
    const adminPort = await adminServer.start()
    stops.push(() => adminServer.stop(DRAIN_MS))
    const { write, otlpHttp, otlpGrpc } = await intake.start()
    isOpen = true
    stops.push(() => intake.stop())
    const ports = { writePort: write, otlpHttpPort: otlpHttp, otlpGrpcPort: otlpGrpc, adminPort }
    return { ...ports, reload, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function makeStore(disk: Disk, path: string): Promise<void> {
  try {
    await disk.makeDirectory(join(path, 'cursors'))
  } catch (cause) {
    const message = `cannot make the directory ${path}: ${(cause as Error).message}`
    throw new SluiceError('LOG_FAILED', `${message}; choose another one: storage.path`, { cause })
  }
}

/** What is on disk, with the table that must agree with it. */
async function openStore(config: Config, parts: GatewayParts, stops: (() => Promise<unknown>)[]) {
  const { clock, log: logger } = parts
  const { path, acknowledge } = config.storage
  const disk = acknowledge === 'fsync' ? parts.disk : withoutSync(parts.disk)
  await makeStore(disk, path)
  const lock = await acquireLock(path, clock)
  stops.push(() => lock.release())
  const cursors = await openCursors(disk, join(path, 'cursors'), config.remoteWrite, logger)
  stops.push(() => Promise.all([...cursors.values()].map((cursor) => cursor.close())))

  const quotaBytes =
    config.storage.quotaBytes ?? QUOTA_SHARE * (await parts.disk.capacityBytes(path))
  /** Samples that were judged and could not be written: their senders were told so. */
  const undone = { samples: 0 }
  const log = await Log.open({
    disk,
    directory: join(path, 'log'),
    segmentBytes: Math.min(SEGMENT_BYTES, Math.ceil(quotaBytes / SEGMENTS_PER_QUOTA)),
    nextLsnMin: Math.max(...[...cursors.values()].map(({ position }) => position)),
    onCollect: () => blocks.seal(),
    onFailed: (error) => {
      logger.error('the log cannot be written', { error })
      undone.samples += blocks.discard()
      admission.undo()
    },
    onDamage: (damage) => logger.error('a part of the log is damaged', { ...damage }),
  })
  stops.push(() => log.close())

  const watch = new ClockWatch({
    clock,
    lastNumber: () => log.lastLsn,
    onJump: (byMs) => logger.warn('the clock of this machine has jumped', { byMs }),
  })
  const table = await openTable(config, { ...parts, disk }, log)
  const { admission } = table
  const totals = await totalsOf(log)
  // A log that lost its end goes on counting where its destinations have come to.
  for (const { samplesBefore } of cursors.values()) {
    totals.samples = Math.max(totals.samples, samplesBefore ?? 0)
  }
  const samplesAtStart = totals.samples
  const familyOf = (number: number) => admission.metadata.family(number)
  const blocks = new BlockWriter(log, table.key, familyOf, totals)
  stops.push(async () => {
    // What cannot be committed now is undone, and left out.
    await log.commit().catch(() => undefined)
    await table.save()
  })
  return { disk, cursors, log, watch, ...table, totals, samplesAtStart, blocks, undone, quotaBytes }
}

/** What is known of every series, as it was saved last, and how to save it. */
async function openTable(config: Config, { disk, clock, log: logger }: GatewayParts, log: Log) {
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
  const save = async (): Promise<void> => {
    try {
      await saveTable(disk, path, key, admission.table, () => log.committedLsn)
    } catch (error) {
      logger.warn('the series table cannot be saved: a restart would send duplicates', { error })
    }
  }
  const nowSeconds = Math.floor(clock.monotonicMs() / 1000)
  const tooNew = await saved?.restore(admission.table, log.lastLsn, nowSeconds).catch(unreadable)
  await saved?.close()
  if (tooNew) await save()
  return { key, admission, save }
}

type Store = Awaited<ReturnType<typeof openStore>>

/**
 * Forgets what has been idle, deletes what all destinations have, and once a minute saves what
 * is known of every series. Returns how to stop.
 */
function everySecond(clock: Clock, { admission, save, watch }: Store, far: Destinations) {
  let saving: Promise<void> | null = null
  let savedMs = clock.monotonicMs()
  const timer = setInterval(() => {
    const nowMs = clock.monotonicMs()
    watch.look()
    admission.sweep(Math.floor(nowMs / 1000))
    void far.release()
    if (saving !== null || nowMs - savedMs < SAVE_EVERY_MS) return
    saving = save().then(() => {
      saving = null
      savedMs = clock.monotonicMs()
    })
  }, SWEEP_EVERY_MS)
  timer.unref()
  return async () => {
    clearInterval(timer)
    await saving
  }
}

/** Why nothing can be kept at the moment, or null. */
function backlogOf({ storage }: Config, { log, quotaBytes }: Store): string | null {
  if (log.sizeBytes < quotaBytes) return null
  return `the log in ${storage.path} is full: a destination is behind, or storage.quota too small`
}

/** Where the metrics and the status find their numbers. */
function sourcesOf(
  { log, watch, admission, quotaBytes, totals, samplesAtStart, undone, blocks }: Store,
  intake: Intake,
  far: Destinations,
): MetricSources {
  const { counters } = intake
  return {
    received: () => counters.received,
    pushes: () => counters.pushes,
    misnamedPushes: () => counters.misnamedPushes,
    exemplars: () => ({
      oversized: counters.oversizedExemplars,
      duplicate: admission.exemplars.duplicates,
      expired: admission.exemplars.expired,
      held: admission.exemplars.heldCount,
    }),
    duplicates: () => ({
      exact: admission.duplicateSamples,
      conflict: admission.conflictingSamples,
      replay: counters.replayedSamples,
    }),
    rejected: () => counters.rejected,
    requests: () => intake.requests(),
    bodyBytesMax: () => intake.bodyBytesMax,
    rejectedSamples: () => counters.rejectedSamples,
    undoneSamples: () => undone.samples,
    clusters: () => counters.clusters,
    writtenOf: () => blocks.clusters,
    keptSamples: () => totals.samples - samplesAtStart,
    destinations: () => far.status(),
    parked: () => far.parked(),
    clockJumps: () => ({ count: watch.jumpCount, seconds: watch.jumpedMs / 1000 }),
    log: () => ({
      oldestLsn: log.oldestLsn,
      lastLsn: log.lastLsn,
      committedLsn: log.committedLsn,
      bytes: log.sizeBytes,
      quotaBytes,
    }),
    series: () => ({
      active: admission.table.live,
      max: admission.table.rowsMax,
      untrackedSamples: admission.untrackedSamples,
    }),
  }
}
