import type { Clock } from '../base/clock.ts'
import type { Block } from '../model/block.ts'
import { samplesOf } from '../model/counts.ts'
import type { Tally } from '../model/tally.ts'
import { type ClusterQueue, GREED } from './cluster-queue.ts'
import { type Gap, type Hole, Missing, type Place, placeBehind, placeOf } from './gap.ts'
import type { Ahead } from './line.ts'
import { Room, type RoomLimits } from './room.ts'
import { type Departure, Turns } from './turns.ts'

export type LookAheadParts = {
  /** The oldest record that the destination does not have, and the samples in all before it. */
  from: Pick<Place, 'number' | 'samplesBefore'>
  /** Something was in the log and is not there any more. */
  onDamage: (hole: Hole) => void
  clock: Pick<Clock, 'monotonicMs' | 'nowMs'>
  /**
   * What comes while a backlog waits goes before it, as far as the receiver takes samples that
   * are so much late; 0 keeps everything in order.
   */
  newestFirstWithinMs?: number
  limits?: RoomLimits & { aheadOfCursorBytesMax?: number }
}

/** A sweep goes on so far before another cluster has its turn. */
export const SWEEP_BYTES = 16 * 1024 * 1024
/** What is older than this share of the receiver's window has waited long enough. */
const URGENT_SHARE = 0.5
/** What is behind the oldest block that is not acknowledged and is; a crash sends it again. */
const AHEAD_OF_CURSOR_BYTES_MAX = 2 * 1024 ** 3

/**
 * Blocks between log and acknowledgement, with room for every cluster.
 *
 * The log is read on to its end whatever is in the way, because behind it may lie blocks of
 * a cluster that has nothing to wait for. A cluster that has its part of the room is passed
 * over: its blocks lie in a gap and are read again, by a *sweep* from where the gap begins,
 * when the cluster has sent most of what it has. Its part is three times what is free: alone it
 * has three quarters of the room, of two each has three sevenths, and who has nothing may
 * have one block in any case.
 *
 * What that costs: a record for each cluster, whatever is behind; the log read twice where
 * there is a backlog, and once more, at worst, for each cluster that is behind and at a place
 * of its own, with up to a segment each time that the sweep moves from one place to another;
 * after a crash, what lies behind the oldest block that was not acknowledged and was, sent
 * again, 2 GiB at most. At that, all but the cluster of the oldest block wait.
 *
 * A class, because there is state with an invariant: what was read and is not acknowledged is
 * in a line or in a gap, so nothing is older than `oldest`.
 */
export class LookAhead {
  readonly #parts: LookAheadParts
  readonly #turns: Turns
  /** The place behind everything that was read. */
  readonly #end: { number: number; samplesBefore: number; bytesBefore: number }
  readonly #room: Room
  #gapBytes = 0
  /** Everything up to here was read again by the sweep that is on its way. */
  #swept: Place | null = null
  #lastSwept: ClusterQueue | undefined
  /** The end of the log was reached once, so what comes now is fresh. */
  #isLive = false
  /** Only grows, so what was true of it once is a lower bound. */
  #oldestBytes = 0

  constructor(parts: LookAheadParts) {
    this.#parts = parts
    this.#turns = new Turns(parts.clock)
    this.#room = new Room(parts.limits ?? {})
    this.#end = { bytesBefore: 0, ...parts.from }
  }

  /** The LSN behind everything that was read. */
  get end(): number {
    return this.#end.number
  }

  /** The oldest block that the destination does not have, or a place before it, if one was read. */
  get oldest(): Place | undefined {
    return this.#turns.oldest(this.#swept)
  }

  /** Everything before this LSN has been acknowledged. */
  get acknowledged(): number {
    return this.oldest?.number ?? this.#end.number
  }

  /** Samples in all blocks before that one. */
  get samplesBefore(): number {
    return this.oldest?.samplesBefore ?? this.#end.samplesBefore
  }

  /** Bytes of blocks behind the oldest one that are acknowledged. */
  get aheadOfCursorBytes(): number {
    this.#oldestBytes = this.oldest?.bytesBefore ?? this.#end.bytesBefore
    return this.#aheadOfOldestBytes()
  }

  /** No more may be acknowledged that a crash would send again. */
  get isFarAhead(): boolean {
    const most = this.#parts.limits?.aheadOfCursorBytesMax ?? AHEAD_OF_CURSOR_BYTES_MAX
    return this.#aheadOfOldestBytes() >= most && this.aheadOfCursorBytes >= most
  }

  /** Samples that were read and are not acknowledged. */
  get samples(): Tally {
    return this.#turns.samples
  }

  /** What they take of memory, but for those in gaps. */
  get bytes(): number {
    return this.#room.bytes
  }

  get isBehind(): boolean {
    return this.#turns.queues.some((queue) => queue.isBehind)
  }

  /** Takes the block behind everything that was read; false when it is passed over. */
  read(block: Block): boolean {
    const { number, cluster, samplesBefore, bytesBefore, counts, message } = block
    const lost = samplesBefore - this.#end.samplesBefore
    const [fromBlock, toBlock] = [this.#end.number, number - 1]
    if (lost > 0) this.#parts.onDamage({ samples: lost, fromBlock, toBlock, cluster: null })
    this.#end.number = number + 1
    this.#end.samplesBefore = samplesBefore + samplesOf(counts)
    this.#end.bytesBefore = bytesBefore + message.length
    const queue = this.#turns.queueOf(cluster)
    const isFresh = this.#isLive && (this.#parts.newestFirstWithinMs ?? 0) > 0
    const line = queue.lineFor(this.#room, isFresh)
    if (line === null) {
      queue.pass(block)
      this.#gapBytes += message.length
      return false
    }
    queue.endGap(number)
    line.add(block)
    this.#room.take(block)
    return true
  }

  /** Everything that is committed was read. */
  reachedEnd(): void {
    this.#isLive = true
  }

  /** The record behind everything that was read is not a block. */
  readOther(lsn: number): void {
    this.#end.number = lsn + 1
  }

  /** A cluster that is behind and has sent most of what it had; each in its turn. */
  hungry(): ClusterQueue | null {
    const { queues } = this.#turns
    const start = this.#lastSwept === undefined ? 0 : queues.indexOf(this.#lastSwept) + 1
    for (let i = 0; i < queues.length; i++) {
      const queue = queues[(start + i) % queues.length]!
      if (!queue.isBehind || !this.#room.isFor(queue.line, 1) || !this.#mayRead(queue)) continue
      this.#lastSwept = queue
      return queue
    }
    return null
  }

  /** Whether a sweep for `queue` is to go on. */
  wants(queue: ClusterQueue): boolean {
    return queue.isBehind && this.#room.isFor(queue.line, GREED) && this.#mayRead(queue)
  }

  /** Where a sweep for `queue` begins; null when the one on its way will come by soon. */
  sweepFrom(queue: ClusterQueue): number | null {
    const swept = this.#swept
    const start = placeOf(queue.gaps[0]!.from)
    if (swept !== null && !queue.isLeft) {
      if (start.bytesBefore - swept.bytesBefore < SWEEP_BYTES) return null
    }
    for (const one of this.#turns.queues) {
      if (swept !== null && one.isBehind && !one.isLeft) this.#close(one, one.advance(swept))
      one.isLeft = one.isBehind && one.gaps[0]!.from.number < start.number
    }
    this.#swept = start
    return start.number
  }

  /** Takes a block that the sweep has come to, if it was passed over and there is room now. */
  readAgain(block: Block): boolean {
    const isTaken = this.#takeAgain(this.#turns.queueOf(block.cluster), block)
    this.#swept = placeBehind(block)
    return isTaken
  }

  #takeAgain(queue: ClusterQueue, block: Block): boolean {
    if (queue.isLeft) return false
    this.#close(queue, queue.advance(block))
    const gap = queue.gapAround(block)
    if (gap === undefined) return false
    if (!this.#room.isFor(queue.line, GREED) || !this.#mayRead(queue)) {
      queue.isLeft = true
      return false
    }
    queue.take(gap, block)
    this.#room.take(block)
    this.#gapBytes -= block.message.length
    return true
  }

  /** The sweep has come to `end`: whom it took along is behind no more. */
  endSweep(): void {
    for (const queue of this.#turns.queues) {
      if (!queue.isLeft) this.#close(queue, queue.gaps.splice(0))
    }
    this.#swept = null
  }

  /** The sweep was broken off. */
  dropSweep(): void {
    this.#swept = null
  }

  next(inFlightMax: number): Departure | null {
    const { newestFirstWithinMs = 0, clock } = this.#parts
    return this.#turns.next(inFlightMax, clock.nowMs() - newestFirstWithinMs * URGENT_SHARE)
  }

  /** The blocks have a final outcome. */
  arrived(departure: Departure): void {
    const { line, group } = departure.member
    this.#turns.arrived(departure)
    line.remove(group)
    this.#room.free(group)
  }

  /** They are not acknowledged, and may go again. */
  returned(departure: Departure): void {
    this.#turns.arrived(departure)
    for (const one of departure.member.group) one.isInFlight = false
  }

  /** Everything in flight was broken off. */
  breakOff(): void {
    this.#turns.breakOff()
    this.#swept = null
  }

  /** What is missing of a block in the log, if it was passed over or not read yet. */
  countMissing(block: Block, missing: Missing): void {
    const gap = this.#turns.queueOf(block.cluster).gapAround(block)
    if (block.number >= this.#end.number) missing.addUnread(block)
    else if (gap !== undefined) missing.addInGap(gap, block)
  }

  /** What is missing before `first` of what is in memory or was not read yet. */
  missingBefore(first: Place): Missing {
    const missing = new Missing(Math.max(0, first.samplesBefore - this.#end.samplesBefore))
    for (const line of this.#turns.lines) {
      for (const { block } of line.before(first.number)) missing.add(block)
    }
    return missing
  }

  /** Nothing before `first` is to be delivered any more; returns what was in memory. */
  dropBefore(first: Place, missing: Missing): readonly Ahead[] {
    for (const [gap, { samples, bytes }] of missing.inGaps) {
      gap.samples -= samples
      gap.bytes -= bytes
      this.#gapBytes -= bytes
    }
    if (this.#end.number < first.number) Object.assign(this.#end, placeOf(first))
    for (const queue of this.#turns.queues) this.#close(queue, queue.advance(first))
    return this.#turns.lines.flatMap((line) => {
      const dropped = line.before(first.number)
      line.remove(dropped)
      this.#room.free(dropped)
      return dropped
    })
  }

  /** Too far ahead, nobody but the last one may go on. */
  #mayRead(queue: ClusterQueue): boolean {
    return !this.isFarAhead || queue.oldest(this.#swept)?.number === this.acknowledged
  }

  #aheadOfOldestBytes(): number {
    return this.#end.bytesBefore - this.#oldestBytes - this.#room.bytes - this.#gapBytes
  }

  /** What should have been in a gap and was not found is lost. */
  #close({ cluster }: ClusterQueue, gaps: readonly Gap[]): void {
    for (const { from, end, samples, bytes } of gaps) {
      this.#gapBytes -= bytes
      if (samples <= 0) continue
      const toBlock = Math.min(end, this.#end.number) - 1
      this.#parts.onDamage({ samples, fromBlock: from.number, toBlock, cluster })
    }
  }
}
