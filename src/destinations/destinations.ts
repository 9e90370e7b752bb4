import type { Clock } from '../base/clock.ts'
import type { ClockWatch } from '../base/clock-watch.ts'
import type { Disk } from '../base/disk.ts'
import type { Logger } from '../base/log.ts'
import type { DestinationConfig } from '../config/config.ts'
import type { createPost } from '../forward/post.ts'
import { ROOM_BYTES_MAX } from '../forward/room.ts'
import type { Block } from '../model/block.ts'
import type { DigestKey } from '../model/identity.ts'
import { Tally, UNKNOWN_CLUSTER } from '../model/tally.ts'
import { blockFrom } from '../persist/block-search.ts'
import type { BlockWriter } from '../persist/block-writer.ts'
import type { Cursor } from '../persist/cursor.ts'
import type { Ledger } from '../persist/ledger.ts'
import type { Log } from '../persist/log.ts'
import { Retention } from '../persist/retention.ts'
import { type BlockTotals, samplesBefore } from '../persist/totals.ts'
import type {
  DestinationStatus,
  Flow,
  ParkedStatus,
  QuarantineSource,
  RewindSource,
} from '../status/sources.ts'
import { Lane } from './lane.ts'
import { Losses } from './losses.ts'
import { createMerge } from './merge.ts'
import { openCursorsOf } from './open-cursors.ts'
import { type OpenQuarantine, openQuarantine } from './open-quarantine.ts'
import { ParkedDestinations } from './parked.ts'

export type DestinationsParts = {
  disk: Disk
  /** Where quarantines lie. */
  directory: string
  log: Log
  ledger: Ledger
  /** Whether the oldest samples make room when the log is full. */
  dropsOldest: boolean
  cursorDirectory: string
  /** Those that are open already; they are closed here. */
  cursors: Map<string, Cursor>
  key: DigestKey
  /** Of all blocks in the log. */
  totals: BlockTotals
  blocks: Pick<BlockWriter, 'committedSamples'>
  /** Of the series table: see `Retention`. */
  savedLsn: () => number
  save: () => Promise<void>
  /** What the log may take now. */
  quotaBytes: () => number
  clock: Clock
  watch: ClockWatch
  /** In [0, 1). */
  random: () => number
  logger: Logger
  /** The way to a destination; HTTP when absent. */
  post?: typeof createPost
}

/** A full log takes no push, so room is made a little before that. */
const FULL_SHARE = 0.9

/** What a destination has on disk. */
type Files = {
  cursor: Cursor
  losses: Losses
  quarantine: OpenQuarantine
  /** Of all samples that ever were in the log, those that it had when it was opened. */
  done: Tally
}

/**
 * Where the gateway forwards to: each has its own cursor, its own connections and its own pace.
 *
 * A class, because which of them there are may change, and the log keeps what one of them lacks.
 */
export class Destinations {
  readonly #parts: DestinationsParts
  readonly #retention: Retention
  readonly #merge: (blocks: readonly Block[]) => Block | null
  readonly #lanes = new Map<string, Lane>()
  readonly #files = new Map<string, Files>()
  readonly #parked: ParkedDestinations
  /** Names, in the order of the configuration. */
  #order: string[] = []
  #releasing = Promise.resolve()
  #changing = Promise.resolve()

  private constructor(parts: DestinationsParts) {
    this.#parts = parts
    this.#retention = new Retention(parts)
    this.#parked = new ParkedDestinations({ ...parts, retention: this.#retention })
    this.#merge = createMerge(parts.key)
  }

  /** @throws LOG_FAILED, LOG_FORMAT when a quarantine cannot be opened; then nothing runs */
  static async start(
    configs: readonly DestinationConfig[],
    parts: DestinationsParts,
  ): Promise<Destinations> {
    const destinations = new Destinations(parts)
    try {
      for (const [name, cursor] of parts.cursors) {
        if (configs.some((config) => config.name === name)) continue
        destinations.#parked.park(name, cursor, await destinations.#samplesBefore(cursor))
        parts.cursors.delete(name)
      }
      await destinations.apply(configs)
    } catch (error) {
      await destinations.stop()
      throw error
    }
    return destinations
  }

  /** By the name of the destination; changes with `apply`. */
  get byName(): ReadonlyMap<string, QuarantineSource & RewindSource> {
    return this.#lanes
  }

  /** In the order of the configuration. */
  status(): DestinationStatus[] {
    return this.#order.flatMap((name) => this.#lanes.get(name)?.status() ?? [])
  }

  /** By name: what became of the samples of each cluster. */
  flows(): Map<string, Flow[]> {
    return new Map(this.#order.map((name) => [name, this.#lanes.get(name)?.flows() ?? []]))
  }

  /** What all of them hold in memory. */
  bytes(): { ahead: number; aheadMax: number; quarantine: number } {
    const sum = { ahead: 0, aheadMax: this.#lanes.size * ROOM_BYTES_MAX, quarantine: 0 }
    for (const { bytes } of this.#lanes.values()) {
      sum.ahead += bytes.ahead
      sum.quarantine += bytes.quarantine
    }
    return sum
  }

  /** Those that are not configured any more, and may come back. */
  parked(): ParkedStatus[] {
    return this.#parked.status()
  }

  /** To be called once a second: what all of them have is deleted after a while. */
  release(): Promise<void> {
    const { logger } = this.#parts
    const onError = (error: unknown) =>
      logger.error('a part of the log that nobody needs cannot be deleted', { error })
    const release = async () => {
      await this.#oneByOne(() => this.#parked.letGo())
      await this.#retention.release()
      await this.#makeRoom()
    }
    this.#releasing = this.#releasing.then(release).catch(onError)
    return this.#releasing
  }

  /**
   * Forwards to these from now on. Who keeps his name keeps his place in the log; who is gone is
   * parked: his files stay, and for a while the log keeps what he lacks.
   *
   * Rejects when one that is new cannot be opened; then everything is as it was.
   */
  apply(configs: readonly DestinationConfig[]): Promise<void> {
    return this.#oneByOne(() => this.#apply(configs))
  }

  /** Breaks off what is in flight and saves how far each has come. */
  async stop(): Promise<void> {
    await this.#changing
    const closed = Array.from(this.#files.keys(), (name) => this.#close(name))
    await Promise.all([this.#releasing, ...closed])
    await this.#parked.close()
  }

  /** Who comes back must not be let go at the same time. */
  #oneByOne(change: () => Promise<void>): Promise<void> {
    const changed = this.#changing.then(change)
    this.#changing = changed.catch(() => undefined)
    return changed
  }

  async #apply(configs: readonly DestinationConfig[]): Promise<void> {
    await this.#open(configs.filter(({ name }) => !this.#files.has(name)))
    const names = configs.map(({ name }) => name)
    for (const name of this.#order) if (!names.includes(name)) await this.#park(name)
    this.#order = names
    for (const config of configs) {
      const lane = this.#lanes.get(config.name)
      if (lane?.isOf(config)) continue
      if (lane !== undefined) await this.#stopLane(lane)
      this.#start(config)
    }
  }

  /** Opens the files of all of them or of none. */
  async #open(added: readonly DestinationConfig[]): Promise<void> {
    const { disk, cursorDirectory, cursors, logger } = this.#parts
    const names = added.map(({ name }) => name)
    const unknown = names.filter(
      (name) => !cursors.has(name) && this.#parked.cursorOf(name) === undefined,
    )
    const more = await openCursorsOf(disk, cursorDirectory, unknown, logger)
    const opened = new Map<string, Files>()
    try {
      for (const { name } of added) {
        const cursor = cursors.get(name) ?? this.#parked.cursorOf(name) ?? more.get(name)!
        const losses = new Losses(name, this.#parts)
        const done = await this.#doneBefore(cursor, await this.#samplesBefore(cursor))
        // From now on it misses whatever the log should lose, however little it has had.
        if (cursor.samplesBefore === null) await cursor.save(cursor.position, done.sum)
        const quarantine = await openQuarantine(name, { ...this.#parts, losses })
        opened.set(name, { cursor, losses, quarantine, done })
      }
    } catch (error) {
      for (const { quarantine } of opened.values()) await quarantine.close()
      for (const cursor of more.values()) await cursor.close()
      throw error
    }
    for (const [name, files] of opened) {
      this.#files.set(name, files)
      this.#parked.unpark(name)
    }
  }

  #start(config: DestinationConfig): void {
    const { name } = config
    const { quarantine, ...files } = this.#files.get(name)!
    const onCheckpoint = (position: number) => this.#retention.advance(name, position)
    onCheckpoint(files.cursor.position)
    const own = { ...files, quarantine: quarantine.quarantine, merge: this.#merge, onCheckpoint }
    const committed = () => this.#parts.blocks.committedSamples()
    this.#lanes.set(name, new Lane(config, { ...this.#parts, ...own, committed }))
  }

  async #stopLane(lane: Lane): Promise<void> {
    await lane.stop()
    const files = this.#files.get(lane.name)!
    // Where it never moved nothing was saved, and what was done is what was done at its start.
    const sum = files.cursor.samplesBefore ?? files.done.sum
    files.done = await this.#doneBefore(files.cursor, sum).catch((error: unknown) => {
      this.#parts.logger.error('of some samples it is not known whose they are', { error })
      const done = new Tally(lane.account.done)
      done.add(UNKNOWN_CLUSTER, sum - done.sum)
      return done
    })
  }

  #doneBefore({ position }: Cursor, sum: number): Promise<Tally> {
    const { log, blocks } = this.#parts
    return samplesBefore(log, () => blocks.committedSamples(), position, sum)
  }

  /** Of a cursor that is new: nothing that the log does not have any more is missed. */
  async #samplesBefore({ position, samplesBefore }: Cursor): Promise<number> {
    const { log, totals } = this.#parts
    if (samplesBefore !== null) return samplesBefore
    // What is on its way to the disk is counted already, and can be read when it is there.
    if (log.lastLsn > log.committedLsn) await log.commit().catch(() => undefined)
    return (await blockFrom(log, position))?.samplesBefore ?? totals.samples.sum
  }

  /** When the log is nearly full, its oldest segment goes, whoever still lacks it. */
  async #makeRoom(): Promise<void> {
    const { log, quotaBytes, dropsOldest } = this.#parts
    if (!dropsOldest || log.sizeBytes < FULL_SHARE * quotaBytes()) return
    const second = log.secondSegmentLsn
    const first = second === null ? null : await blockFrom(log, second)
    if (first === null) return
    for (const lane of this.#lanes.values()) await lane.evict(first)
    await this.#retention.release()
  }

  async #park(name: string): Promise<void> {
    const lane = this.#lanes.get(name)
    if (lane !== undefined) await this.#stopLane(lane)
    this.#lanes.delete(name)
    const { cursor, quarantine, done } = this.#files.get(name)!
    this.#files.delete(name)
    this.#parts.cursors.delete(name)
    await quarantine.close()
    this.#parked.park(name, cursor, done.sum)
  }

  async #close(name: string): Promise<void> {
    await this.#lanes.get(name)?.stop()
    this.#lanes.delete(name)
    const files = this.#files.get(name)
    this.#files.delete(name)
    this.#parts.cursors.delete(name)
    await files?.quarantine.close()
    await files?.cursor.close()
  }
}
