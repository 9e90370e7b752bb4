import { join } from 'node:path'
import type { Clock } from './base/clock.ts'
import type { Logger } from './base/log.ts'
import type { Config } from './config/config.ts'
import { Destinations } from './destinations/destinations.ts'
import type { createPost } from './forward/post.ts'
import { createIntake, type Intake } from './intake/intake.ts'
import { UNCOMMITTED_BYTES_MAX } from './persist/disk-watch.ts'
import { Ledger } from './persist/ledger.ts'
import { POOL_BYTES, TAIL_BYTES } from './persist/tail.ts'
import { createServer } from './receive/server.ts'
import { createReload } from './reload.ts'
import { createAdminRoutes } from './status/admin.ts'
import { balanceOf } from './status/balance.ts'
import { createMetrics } from './status/metrics.ts'
import { createQuarantineRoutes } from './status/quarantine.ts'
import { createNotReady } from './status/readiness.ts'
import { createReloadRoutes } from './status/reload.ts'
import { createRewindRoutes } from './status/rewind.ts'
import { createSnapshot } from './status/snapshot.ts'
import type { MemoryPool, MetricSources } from './status/sources.ts'
import { openStore, type Store, type StoreParts } from './store.ts'

const SWEEP_EVERY_MS = 1_000
/** After a crash, blocks since the last time are read back: the fewer, the sooner it starts. */
const SAVE_EVERY_MS = 60_000
const SAVE_AFTER_BYTES = 16 * 1024 * 1024
const SAVE_AGAIN_MS = 10_000
/** Open requests of the admin port get this long to finish when the gateway stops. */
const DRAIN_MS = 5_000

export type GatewayParts = StoreParts & {
  /** In [0, 1). */
  random: () => number
  log: Logger
  /** Reads the configuration anew; throws CONFIG_INVALID. */
  loadConfig: () => Promise<Config>
  /** The way to a destination; HTTP when absent. */
  post?: typeof createPost
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
    const backlog = () => store.diskWatch.refusal()
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
      quotaBytes: () => store.diskWatch.quotaBytes,
      directory: join(config.storage.path, 'quarantine'),
      cursorDirectory: join(config.storage.path, 'cursors'),
      ledger: new Ledger(store.disk, join(config.storage.path, 'losses.jsonl')),
      dropsOldest: config.storage.onFull === 'drop_oldest',
      logger: parts.log,
    })
    stops.push(() => far.stop(), everySecond(parts.clock, store, far))
    const sources = sourcesOf(store, intake, far)
    const metrics = createMetrics(sources, () => notReady())
    stops.push(async () => metrics.stop())
    let isOpen = false
    const notReady = createNotReady({
      isOpen: () => isOpen,
      refusal: backlog,
      isBroken: () => store.diskWatch.isBroken,
      destinations: sources.destinations,
    })
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

/**
 * Forgets what has been idle, looks at the disk, deletes what all destinations have, and saves what
 * is known of every series, once a minute and where much has come since. Returns how to stop.
 */
export function everySecond(clock: Clock, store: Store, far: Pick<Destinations, 'release'>) {
  const { admission, deltas, save, watch, diskWatch, totals } = store
  const stopping = new AbortController()
  let saving: Promise<void> | null = null
  let savedMs = clock.monotonicMs()
  let savedBytes = totals.bytes

  function look(): void {
    const nowMs = clock.monotonicMs()
    watch.look()
    const nowSeconds = Math.floor(nowMs / 1000)
    admission.sweep(nowSeconds)
    deltas?.sweep(nowSeconds)
    void diskWatch.look()
    void far.release()
    const isMuch = totals.bytes - savedBytes >= SAVE_AFTER_BYTES
    if (saving !== null || nowMs - savedMs < (isMuch ? SAVE_AGAIN_MS : SAVE_EVERY_MS)) return
    savedBytes = totals.bytes
    saving = save().then(() => {
      saving = null
      savedMs = clock.monotonicMs()
    })
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await clock.sleep(SWEEP_EVERY_MS, stopping.signal).then(look, () => undefined)
    }
  }
  const running = run()
  return async () => {
    stopping.abort(new Error('the gateway is stopping'))
    await running
    await saving
  }
}

/** Where the metrics and the status find their numbers. */
export function sourcesOf(
  { log, watch, diskWatch, admission, deltas, totals, samplesAtStart, undone, blocks }: Store,
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
    keptSamples: () => totals.samples.sum - samplesAtStart,
    destinations: () => far.status(),
    flows: () => far.flows(),
    parked: () => far.parked(),
    clockJumps: () => ({ count: watch.jumpCount, seconds: watch.jumpedMs / 1000 }),
    log: () => ({
      oldestLsn: log.oldestLsn,
      lastLsn: log.lastLsn,
      committedLsn: log.committedLsn,
      bytes: log.sizeBytes,
      quotaBytes: diskWatch.quotaBytes,
    }),
    memory: () => poolsOf({ log, admission }, intake, far),
    deltas: () => deltas,
    series: () => ({
      active: admission.table.live,
      max: admission.table.rowsMax,
      untrackedSamples: admission.untrackedSamples,
    }),
  }
}

/** Who takes memory beside the runtime and the kernels. */
function poolsOf(
  { log, admission: { table, exemplars, metadata } }: Pick<Store, 'log' | 'admission'>,
  intake: Intake,
  far: Destinations,
): MemoryPool[] {
  const bodyBytes = intake.requests().reduce((sum, one) => sum + one.bodyBytes, 0)
  const { tail, pool } = log.keptBytes
  const { ahead, aheadMax, quarantine } = far.bytes()
  return [
    { pool: 'bodies', bytes: bodyBytes, limitBytes: intake.bodyBytesMax },
    { pool: 'uncommitted', bytes: log.uncommittedBytes, limitBytes: UNCOMMITTED_BYTES_MAX },
    { pool: 'tail', bytes: tail, limitBytes: TAIL_BYTES },
    { pool: 'look_ahead', bytes: ahead, limitBytes: aheadMax },
    { pool: 'reusable', bytes: pool, limitBytes: POOL_BYTES },
    // Answers, series, exemplars, families and entries are limited by number.
    { pool: 'answers', bytes: intake.answerBytes(), limitBytes: null },
    { pool: 'series', bytes: table.bytes, limitBytes: null },
    { pool: 'exemplars', bytes: exemplars.heldBytes, limitBytes: null },
    { pool: 'metadata', bytes: metadata.bytes, limitBytes: null },
    { pool: 'quarantine', bytes: quarantine, limitBytes: null },
  ]
}
