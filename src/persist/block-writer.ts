import { assert } from '../base/errors.ts'
import { samplesOf } from '../model/counts.ts'
import type { DigestKey } from '../model/identity.ts'
import { Tally } from '../model/tally.ts'
import { BLOCK_RECORD, encodeBlock } from './block.ts'
import { BlockBuilder } from './block-builder.ts'
import type { Log } from './log.ts'
import type { FamilyOf } from './request-writer.ts'
import {
  type BlockTotals,
  encodeTotals,
  NO_TOTALS_MARK,
  TOTALS_RECORD,
  type TotalsMark,
} from './totals.ts'

/** A block takes further pushes while it holds fewer samples: what a Prometheus sends at once. */
const MERGED_SAMPLES_MAX = 2_000

/** Of several clusters, the totals are written down so often: so much is read to find them. */
const TOTALS_EVERY_BYTES = 16 * 1024 * 1024

export type BlockWriterOptions = {
  /** The last totals record in the log. */
  mark?: TotalsMark | undefined
  totalsEveryBytes?: number | undefined
}

/**
 * The open end of the log: pushes that arrive while a commit runs share a block, which is
 * sealed at the last moment, when the next commit begins.
 *
 * A class, because numbers must agree: the block being written has the number of the
 * record that it will become.
 */
export class BlockWriter {
  readonly #log: Log
  readonly #totals: BlockTotals
  readonly #builder: BlockBuilder
  /** By cluster, since the start: samples in blocks of the log, and those that never got there. */
  readonly clusters = new Map<string, { kept: number; undone: number }>()
  #isOpen = false
  /** The last totals record. */
  #mark: TotalsMark
  readonly #totalsEveryBytes: number
  /** Handed to the log and not on disk yet. */
  #sealed: { number: number; cluster: string; samples: number; bytes: number }[] = []

  /** @param totals of the blocks in the log so far; changed as blocks are sealed */
  constructor(
    log: Log,
    key: DigestKey,
    familyOf: FamilyOf,
    totals: BlockTotals,
    { mark, totalsEveryBytes }: BlockWriterOptions = {},
  ) {
    this.#log = log
    this.#builder = new BlockBuilder(key, familyOf)
    this.#totals = totals
    this.#mark = mark ?? NO_TOTALS_MARK
    this.#totalsEveryBytes = totalsEveryBytes ?? TOTALS_EVERY_BYTES
  }

  /** The block that `samples` more samples of `cluster` go into. Good until the next `await`. */
  blockFor(cluster: string, samples: number, nowMs: number): BlockBuilder {
    const open = this.#builder
    if (this.#isOpen) {
      const held = samplesOf(open.counts)
      const hasRoom = !open.isClosed && (held === 0 || held + samples <= MERGED_SAMPLES_MAX)
      if (open.cluster === cluster && hasRoom) return open
      this.seal()
    }
    this.#isOpen = true
    this.#tellTotals(cluster)
    open.begin(this.#log.nextLsn, cluster, nowMs)
    return open
  }

  /** Hands the open block to the log; the log calls this when a commit begins. */
  seal(): void {
    const isOpen = this.#isOpen && !this.#builder.isEmpty
    this.#isOpen = false
    if (!isOpen) return
    const block = this.#builder.seal(this.#totals.samples.sum, this.#totals.bytes)
    const samples = samplesOf(block.counts)
    const bytes = block.message.length
    this.#totals.samples.add(block.cluster, samples)
    this.#totals.bytes += bytes
    this.#clusterOf(block.cluster).kept += samples
    this.#sealed.push({ number: block.number, cluster: block.cluster, samples, bytes })
    const number = this.#log.append(BLOCK_RECORD, encodeBlock(block, this.#mark.lsn))
    assert(number === block.number, 'a block has the number of its record')
  }

  /**
   * Forgets what is not on disk: the log has failed, and those who wait are told so. Returns how
   * many samples that were.
   */
  discard(): number {
    // Of a slow commit nobody may have heard that it came to an end.
    this.#forgetCommitted()
    let discarded = 0
    if (this.#isOpen) {
      discarded = samplesOf(this.#builder.counts)
      this.#clusterOf(this.#builder.cluster).undone += discarded
    }
    this.#isOpen = false
    for (const { cluster, samples, bytes } of this.#sealed) {
      const own = this.#clusterOf(cluster)
      own.kept -= samples
      own.undone += samples
      this.#totals.samples.add(cluster, -samples)
      this.#totals.bytes -= bytes
      discarded += samples
    }
    this.#sealed = []
    // It may be among what is gone; the next block has one before it.
    this.#mark = NO_TOTALS_MARK
    return discarded
  }

  /** Samples in all blocks that are on disk. */
  committedSamples(): Tally {
    this.#forgetCommitted()
    const samples = new Tally(this.#totals.samples)
    for (const { cluster, samples: pending } of this.#sealed) samples.add(cluster, -pending)
    return samples
  }

  /** A log of one cluster has no use for it. */
  #tellTotals(cluster: string): void {
    const { samples, bytes } = this.#totals
    const { lsn } = this.#mark
    if (lsn > 0 ? bytes - this.#mark.bytes < this.#totalsEveryBytes : samples.isOnly(cluster))
      return
    this.#mark = { lsn: this.#log.append(TOTALS_RECORD, encodeTotals(this.#totals)), bytes }
  }

  #clusterOf(name: string): { kept: number; undone: number } {
    const known = this.clusters.get(name)
    if (known !== undefined) return known
    const added = { kept: 0, undone: 0 }
    this.clusters.set(name, added)
    return added
  }

  /**
   * Resolves when everything added so far is on disk, with the last block that is.
   *
   * @throws LOG_FAILED when it is not, and is gone
   */
  async committed(): Promise<number> {
    await this.#log.commit()
    this.#forgetCommitted()
    return this.#log.committedLsn
  }

  #forgetCommitted(): void {
    const { committedLsn } = this.#log
    while (this.#sealed.length > 0 && this.#sealed[0]!.number <= committedLsn) this.#sealed.shift()
  }
}
