import { assert } from '../base/errors.ts'
import { samplesOf } from '../model/counts.ts'
import type { DigestKey } from '../model/identity.ts'
import { BLOCK_RECORD, encodeBlock } from './block.ts'
import { BlockBuilder } from './block-builder.ts'
import { blockFrom } from './block-search.ts'
import type { Log } from './log.ts'
import type { FamilyOf } from './request-writer.ts'

/** A block takes further pushes while it holds fewer samples: what a Prometheus sends at once. */
const MERGED_SAMPLES_MAX = 2_000

/** Totals of all blocks ever written, so that two of them give the backlog between. */
export type BlockTotals = {
  samples: number
  bytes: number
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
  /** Handed to the log and not on disk yet. */
  #sealed: { number: number; cluster: string; samples: number; bytes: number }[] = []

  /** @param totals of the blocks in the log so far; changed as blocks are sealed */
  constructor(log: Log, key: DigestKey, familyOf: FamilyOf, totals: BlockTotals) {
    this.#log = log
    this.#builder = new BlockBuilder(key, familyOf)
    this.#totals = totals
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
    open.begin(this.#log.nextLsn, cluster, nowMs)
    return open
  }

  /** Hands the open block to the log; the log calls this when a commit begins. */
  seal(): void {
    const isOpen = this.#isOpen && !this.#builder.isEmpty
    this.#isOpen = false
    if (!isOpen) return
    const block = this.#builder.seal(this.#totals.samples, this.#totals.bytes)
    const samples = samplesOf(block.counts)
    const bytes = block.message.length
    this.#totals.samples += samples
    this.#totals.bytes += bytes
    this.#clusterOf(block.cluster).kept += samples
    this.#sealed.push({ number: block.number, cluster: block.cluster, samples, bytes })
    const number = this.#log.append(BLOCK_RECORD, encodeBlock(block))
    assert(number === block.number, 'a block has the number of its record')
  }

  /**
   * Forgets what is not on disk: the log has failed, and those who wait are told so. Returns how
   * many samples that were.
   */
  discard(): number {
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
      this.#totals.samples -= samples
      this.#totals.bytes -= bytes
      discarded += samples
    }
    this.#sealed = []
    return discarded
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
    const { committedLsn } = this.#log
    while (this.#sealed.length > 0 && this.#sealed[0]!.number <= committedLsn) this.#sealed.shift()
    return committedLsn
  }
}

/** Where the totals of all blocks stand: the last block in the log says it. */
export async function totalsOf(log: Log): Promise<BlockTotals> {
  const last = log.lastLsn === 0 ? null : await blockFrom(log, log.lastLsn)
  if (last === null) return { samples: 0, bytes: 0 }
  return {
    samples: last.samplesBefore + samplesOf(last.counts),
    bytes: last.bytesBefore + last.message.length,
  }
}
