import { isDeepStrictEqual } from 'node:util'
import { VERSION } from '../base/version.ts'
import type { DestinationConfig } from '../config/config.ts'
import { createRemoteWrite2Decoder } from '../decode/remote-write-2.ts'
import { Delivery } from '../deliver.ts'
import { Destination } from '../forward/destination.ts'
import type { Hole, Place } from '../forward/gap.ts'
import { LookAhead } from '../forward/look-ahead.ts'
import { createPost, type Post } from '../forward/post.ts'
import type { Refused } from '../forward/refused.ts'
import type { Block } from '../model/block.ts'
import { samplesOf } from '../model/counts.ts'
import { BLOCK_RECORD, decodeBlock } from '../persist/block.ts'
import { blockFrom } from '../persist/block-search.ts'
import type { Quarantine, QuarantineEntry } from '../persist/quarantine.ts'
import type { LogRecord } from '../persist/reader.ts'
import { samplesBefore, totalsBefore } from '../persist/totals.ts'
import type {
  DestinationStatus,
  Flow,
  QuarantineSource,
  Replayed,
  RewindSource,
  Rewound,
} from '../status/sources.ts'
import { Account } from './account.ts'
import type { LaneParts } from './lane-parts.ts'
import { headOf } from './open-quarantine.ts'
import { Outgoing } from './outgoing.ts'
import { replay } from './replay.ts'
import { waitingOf } from './waiting.ts'

/**
 * From the log to one destination, and aside into its quarantine.
 *
 * A class, because it runs from the moment it is made until it is stopped.
 */
export class Lane implements QuarantineSource, RewindSource {
  readonly name: string
  readonly #config: DestinationConfig
  readonly #parts: LaneParts
  readonly #post: Post
  readonly #destination: Destination
  readonly #outgoing: Outgoing
  #ahead: LookAhead
  #delivery: Delivery
  readonly #quarantine: Quarantine
  readonly #stopping = new AbortController()
  readonly account: Account
  /** Blocks up to here may have been delivered before, by a process that has crashed since. */
  #inDoubtUpTo: number
  /** One person's wish after the other. */
  #wishes: Promise<unknown> = Promise.resolve()

  constructor(config: DestinationConfig, parts: LaneParts) {
    const { key, clock, random, logger } = parts
    const { name, url, protocol, credentials, tls } = config
    this.name = name
    this.#config = config
    this.#parts = parts
    this.#quarantine = parts.quarantine
    this.#inDoubtUpTo = parts.log.lastLsn
    const headers = { ...config.headers }
    const timeoutMs = config.remoteTimeoutMs
    const post = parts.post ?? createPost
    this.#post = post({ url, version: VERSION, timeoutMs, headers, credentials, tls, clock })
    this.#destination = new Destination({
      name,
      protocol,
      post: this.#post,
      clock,
      random,
      keep: (refused) => this.#keep(refused),
      onRoom: () => this.#delivery.lookAgain(),
      onEvent: ({ level, message, ...fields }) => logger[level](message, fields),
      decode: createRemoteWrite2Decoder(key),
    })
    this.#outgoing = new Outgoing({
      rules: config.relabelRules,
      key,
      destination: this.#destination,
      onUnreadable: (block) => this.#loseUnreadable(block),
    })
    this.account = new Account({
      totals: parts.totals,
      done: parts.done,
      quarantine: this.#quarantine.tallies,
      destination: this.#destination.tallies,
      dropped: this.#outgoing.dropped,
    })
    this.#ahead = this.#aheadFrom(parts.cursor.position, parts.done.sum)
    this.#delivery = this.#startDelivery()
  }

  #aheadFrom(number: number, samplesBefore: number): LookAhead {
    const { catchUp, outOfOrderWindowMs } = this.#config
    return new LookAhead({
      from: { number, samplesBefore },
      clock: this.#parts.clock,
      newestFirstWithinMs: catchUp === 'newest_first' ? outOfOrderWindowMs : 0,
      onDamage: ({ cluster, ...hole }) => {
        this.account.lose(hole.samples, cluster)
        this.#tellDamaged(hole)
      },
    })
  }

  #startDelivery(): Delivery {
    const { log, cursor, clock, logger, onCheckpoint } = this.#parts
    const delivery = new Delivery({
      log,
      cursor,
      ahead: this.#ahead,
      clock,
      decodeBlock: (record) => this.#decode(record),
      deliver: (block, signal) =>
        this.#outgoing.deliver(block, signal, block.number <= this.#inDoubtUpTo),
      inFlightMax: () => this.#destination.inFlightMax,
      merge: this.#parts.merge,
      onDelivered: ({ cluster, counts }) => this.account.settle(cluster, samplesOf(counts)),
      onCheckpoint,
      onError: (error) => {
        const message = 'delivery failed by a fault of the gateway'
        logger.error(message, { destination: this.name, error })
      },
    })
    delivery.start()
    return delivery
  }

  #decode(record: Pick<LogRecord, 'type' | 'payload'>): Block | null {
    if (record.type === BLOCK_RECORD) return decodeBlock(record.payload)
    const totals = totalsBefore(record)
    if (totals !== null) this.account.findOwners(totals.samples, this.#ahead.samples)
    return null
  }

  /** It is delivered for all that the rest knows. */
  #loseUnreadable({ cluster, counts, number }: Block): void {
    const samples = samplesOf(counts)
    this.account.damaged.add(cluster, samples)
    this.#tellDamaged({ samples, fromBlock: number, toBlock: number })
  }

  #tellDamaged(hole: Omit<Hole, 'cluster'>): void {
    const reason = 'these blocks are damaged, or not in the log any more'
    this.#parts.losses.tell({ kind: 'damaged', ...hole, reason })
  }

  /** Whether it runs as this says. */
  isOf(config: DestinationConfig): boolean {
    return isDeepStrictEqual(this.#config, config)
  }

  status(): DestinationStatus {
    const { name, url } = this.#config
    const { totals, watch } = this.#parts
    const { damaged, evicted, waitingSamples } = this.account
    const { protocol, state, reason, retries, inFlightMax } = this.#destination
    const { forwarded, refused, maybeStored, unsupported } = this.#destination
    const { held, discarded, size } = this.#quarantine
    return {
      name,
      url,
      protocol,
      state,
      reason,
      forwarded,
      refused,
      maybeStored,
      unsupported,
      retries,
      inFlightMax,
      quarantined: { ...held },
      quarantineEntries: size,
      discarded: { ...discarded },
      damagedSamples: damaged.sum,
      evictedSamples: evicted.sum,
      droppedSamples: this.#outgoing.dropped.sum,
      waitingSamples,
      ...waitingOf(this.#ahead, totals, watch),
    }
  }

  /** What became of the samples of each cluster. */
  flows(): Flow[] {
    return this.account.flows(this.#ahead.samples)
  }

  /** What it holds in memory. */
  get bytes(): { ahead: number; quarantine: number } {
    return { ahead: this.#ahead.bytes, quarantine: this.#quarantine.headBytes }
  }

  entries(): QuarantineEntry[] {
    return [...this.#quarantine.entries]
  }

  message(id: number): Promise<Uint8Array | null> {
    return this.#quarantine.message(id)
  }

  async drop(ids: readonly number[]): Promise<void> {
    const dropped = await this.#quarantine.remove(ids, false)
    this.#parts.losses.tellDiscarded(dropped, 'somebody has dropped it from quarantine')
  }

  replay(ids: readonly number[]): Promise<Replayed> {
    const { quarantine, clock } = this.#parts
    const parts = { quarantine, destination: this.#destination, clock }
    return this.#afterOthers(() => replay(parts, ids, this.#stopping.signal))
  }

  get outOfOrderWindowMs(): number {
    return this.#config.outOfOrderWindowMs
  }

  /** Gives up what the destination does not have of the blocks before `first`. */
  evict(first: Block): Promise<void> {
    return this.#afterOthers(() => this.#evict(first))
  }

  rewind(sinceMs: number): Promise<Rewound> {
    return this.#afterOthers(() => this.#rewind(sinceMs))
  }

  /** Breaks off what is in flight, and saves how far it came. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the gateway is stopping'))
    // A rewind begins a delivery anew, so that has to be over first.
    await this.#wishes
    await this.#delivery.stop()
    await this.#post.close()
  }

  #keep(refused: Refused): Promise<void> {
    return this.#quarantine.add(headOf(refused, this.#parts.clock.nowMs()), refused.message)
  }

  #afterOthers<T>(wish: () => Promise<T>): Promise<T> {
    const fulfilled = this.#wishes.then(wish)
    this.#wishes = fulfilled.catch(() => undefined)
    return fulfilled
  }

  async #rewind(sinceMs: number): Promise<Rewound> {
    const { log, watch, committed } = this.#parts
    const isRecent = ({ receivedMs, number }: Block) => watch.agoMs(receivedMs, number) <= sinceMs
    const first = await blockFrom(log, log.oldestLsn, isRecent)
    if (first === null) return { samples: 0, from: null }
    const { oldest, acknowledged } = this.#ahead
    // What was acknowledged behind one that was not is behind the cursor.
    const start: Place = oldest !== undefined && acknowledged < first.number ? oldest : first
    if (this.account.done.sum <= start.samplesBefore) return { samples: 0, from: null }
    const done = await samplesBefore(log, committed, start.number, start.samplesBefore)
    let samples = 0
    await this.#restart(async () => {
      await this.#saveCursor(start)
      samples = this.account.rewind(done)
      this.#ahead = this.#aheadFrom(start.number, start.samplesBefore)
    })
    return { samples, from: new Date(start.receivedMs).toISOString() }
  }

  async #evict(first: Block): Promise<void> {
    if (this.#ahead.acknowledged >= first.number) return
    await this.#restart(async (stopped) => {
      const missing = await stopped.missingBefore(first)
      const samples = missing.samples.sum
      const [fromBlock, toBlock] = [this.#ahead.acknowledged, first.number - 1]
      const reason = 'the log has reached storage.quota, and storage.on_full is drop_oldest'
      await this.#parts.losses.allow({ kind: 'evicted', samples, fromBlock, toBlock, reason })
      await this.#saveCursor(first)
      stopped.dropBefore(first, missing)
      this.account.evict(missing.samples)
    })
  }

  async #saveCursor({ number, samplesBefore }: Place): Promise<void> {
    const { cursor, onCheckpoint } = this.#parts
    await cursor.save(number, samplesBefore)
    onCheckpoint(number)
  }

  /** Goes on when `change` is done, and also when that fails. */
  async #restart(change: (stopped: Delivery) => Promise<void>): Promise<void> {
    // What is in flight now may arrive all the same.
    this.#inDoubtUpTo = Math.max(this.#inDoubtUpTo, this.#parts.log.lastLsn)
    await this.#delivery.stop()
    try {
      await change(this.#delivery)
    } finally {
      this.#delivery = this.#startDelivery()
    }
  }
}
