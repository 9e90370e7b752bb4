import { type Batch, DIGEST_WORDS, grown } from '../model/batch.ts'
import { samplesOf } from '../model/counts.ts'
import { clearJudgement, createJudgement, type Judgement, type Slice } from '../model/judgement.ts'
import { Exemplars } from './exemplars.ts'
import { MetadataMemory } from './metadata.ts'
import { metricName } from './metric-name.ts'
import { judgePlain, type PushContext } from './plain-judge.ts'
import { AHEAD_MS_MAX, countPoint, describeRefusal, type Refusal } from './refusal.ts'
import {
  BLOCK,
  FAMILY,
  FAMILY_EPOCH,
  INTERVAL_SECONDS,
  INTERVAL_SECONDS_MAX,
  NEWEST_BITS,
  NEWEST_MS,
  ROW_DOUBLES,
  ROW_WORDS,
  SEEN_SECONDS,
  SeriesTable,
} from './series-table.ts'
import { UndoLog } from './undo.ts'

/** A full round over the table takes this many sweeps of one second each. */
const SWEEPS_PER_ROUND = 60

export type AdmissionOptions = {
  seriesMax: number
  /** What the destination is configured with; 0 when it refuses every late sample. */
  outOfOrderWindowMs: number
  /** Last block in the log: what it may have carried is unknown, so every new row fences on it. */
  lastBlock: number
}

/**
 * What may pass: every sample is new, or a duplicate of one that has passed, or refused.
 *
 * Rules per series: newer than its newest sample passes; the same time with the same bits
 * is a *duplicate*; the same time with other bits is a *conflict*, and the first stays;
 * older is *late*, and is refused unless the destination takes late samples. Decisions are
 * taken from the input alone, in event time, so the same input gives the same output.
 *
 * A class, because rows, undo log and floor must agree: what is judged is remembered at
 * once, and forgotten again by `undo` unless `forget` says its block is on disk.
 */
export class Admission {
  readonly table: SeriesTable
  readonly exemplars: Exemplars
  readonly metadata = new MetadataMemory()
  /** Counters; samples include histograms. */
  duplicateSamples = 0
  conflictingSamples = 0
  /** Samples that passed without a row, because the table was full. */
  untrackedSamples = 0

  readonly #undo: UndoLog
  outOfOrderWindowMs: number
  /** Whoever has no row may have been in any block up to this one. */
  #floor: number
  /** Newest timestamp accepted from anyone: receivers measure their window from it. */
  #newestMs = 0
  /** The row of the series before, or -1. */
  #before = -1
  /** Per series of the batch: its row, or -1. */
  #seriesRow = new Int32Array(1024)
  /** Per series of the batch: 1 when a sample of it was kept. */
  #carries = new Uint8Array(1024)
  readonly #judgement = createJudgement()

  constructor({ seriesMax, outOfOrderWindowMs, lastBlock }: AdmissionOptions) {
    this.table = new SeriesTable(seriesMax)
    this.exemplars = new Exemplars(this.table)
    this.#undo = new UndoLog(this.table)
    this.outOfOrderWindowMs = outOfOrderWindowMs
    this.#floor = lastBlock
  }

  /**
   * Judges the series of `slice` for block `block`, in order, and remembers what passed.
   * Refusals are also added to `batch.rejections`.
   *
   * @param nowMs the latest that it may be by the wall clock: later samples are from the future
   * @param nowSeconds monotonic, for the expiry of series and of exemplars that wait
   */
  judge(batch: Batch, slice: Slice, block: number, nowMs: number, nowSeconds: number): Judgement {
    const judgement = this.#judgement
    clearJudgement(judgement, batch.exemplarCount)
    this.#undo.begin(block)
    this.#seriesRow = grown(this.#seriesRow, batch.seriesCount)
    this.#carries = grown(this.#carries, batch.seriesCount)
    const context = { block, aheadMs: nowMs + AHEAD_MS_MAX, nowSeconds, epoch: this.metadata.epoch }
    for (let rest = this.#judgePlain(batch, slice, context); rest.fromSeries < rest.toSeries; ) {
      const { fromSeries, fromSample } = rest
      let end = fromSample
      while (end < rest.toSample && batch.sampleSeries[end] === fromSeries) end += 1
      this.#judgeSeries(batch, fromSeries, fromSample, end, block, nowMs, nowSeconds)
      rest = { ...rest, fromSeries: fromSeries + 1, fromSample: end }
      rest = this.#judgePlain(batch, rest, context)
    }
    this.exemplars.judge(batch, slice, this.#seriesRow, this.#carries, block, nowSeconds, judgement)
    return judgement
  }

  /** Blocks up to `block` are on disk: what was decided for them stays decided. */
  forget(block: number): void {
    this.#undo.forget(block)
    this.exemplars.forget(block)
  }

  /** No block that is not on disk yet will ever be: forget what was decided for them. */
  undo(): void {
    this.#undo.undo()
    this.exemplars.undo()
  }

  /** To be called once a second: forgets series and exemplars that have been idle for too long. */
  sweep(nowSeconds: number): void {
    const rows = Math.ceil(this.table.rowsUsed / SWEEPS_PER_ROUND)
    this.#floor = Math.max(this.#floor, this.table.sweep(rows, nowSeconds))
    this.exemplars.expire(nowSeconds)
  }

  /** Judges the plain series that `slice` begins with, and returns what is left of it. */
  #judgePlain(batch: Batch, slice: Slice, context: PushContext): Slice {
    const judgement = this.#judgement
    const rows = { seriesRow: this.#seriesRow, carries: this.#carries }
    const parts = { table: this.table, undo: this.#undo, ...rows }
    const plain = judgePlain(parts, batch, slice, context, this.#before)
    this.#before = plain.last
    this.duplicateSamples += plain.duplicates
    judgement.kept.samples += plain.kept - plain.histograms
    judgement.kept.histograms += plain.histograms
    if (plain.addsMetadata) judgement.addsMetadata = true
    judgement.fence = Math.max(judgement.fence, plain.fence)
    judgement.minTimestampMs = Math.min(judgement.minTimestampMs, plain.minTimestampMs)
    judgement.maxTimestampMs = Math.max(judgement.maxTimestampMs, plain.maxTimestampMs)
    this.#newestMs = Math.max(this.#newestMs, plain.maxTimestampMs)
    const fromSeries = slice.fromSeries + plain.series
    return { ...slice, fromSeries, fromSample: slice.fromSample + plain.series }
  }

  #judgeSeries(
    batch: Batch,
    series: number,
    from: number,
    to: number,
    block: number,
    nowMs: number,
    nowSeconds: number,
  ): void {
    const { table } = this
    const identity = series * DIGEST_WORDS
    let row = table.findAfter(this.#before, batch.seriesIdentity, identity)
    let isNew = false
    if (row < 0 && from < to) {
      row = table.insert(batch.seriesIdentity, identity, this.#before)
      isNew = row >= 0
    }
    this.#before = row
    this.#seriesRow[series] = row
    this.#carries[series] = 0
    batch.seriesFamily[series] = 0
    if (from === to) return
    const keptBefore = samplesOf(this.#judgement.kept)
    if (row < 0) this.#passUntracked(batch, from, to, block, nowMs)
    else {
      table.words[row * ROW_WORDS + SEEN_SECONDS] = nowSeconds
      this.#judgeSamples(batch, from, to, row, isNew, block, nowMs)
      if (this.metadata.epoch !== 0) this.#describe(batch, series, row)
    }
    const kept = samplesOf(this.#judgement.kept) - keptBefore
    if (kept > 0) this.#carries[series] = 1
    else if (isNew) table.remove(row)
    if (kept === 0 && isNew) this.#seriesRow[series] = -1
  }

  /** The rules of this class, over the samples `[from, to)` of the series in `row`. */
  #judgeSamples(
    batch: Batch,
    from: number,
    to: number,
    row: number,
    isNew: boolean,
    block: number,
    nowMs: number,
  ): void {
    const { words, doubles } = this.table
    const { sampleTimestampMs, sampleBits, sampleKeep } = batch
    const newestAt = row * ROW_DOUBLES + NEWEST_MS
    const bitsAt = row * ROW_WORDS + NEWEST_BITS
    const aheadMs = nowMs + AHEAD_MS_MAX
    let isEmpty = isNew
    for (let i = from; i < to; i++) {
      const timestampMs = sampleTimestampMs[i]!
      const newestMs = doubles[newestAt]!
      sampleKeep[i] = 0
      if (timestampMs > aheadMs) {
        this.#refuse(batch, i, 'too-far-ahead', nowMs)
        continue
      }
      const isNewer = isEmpty || timestampMs > newestMs
      if (!isNewer && timestampMs === newestMs) {
        const isSame =
          words[bitsAt] === sampleBits[i * 2] && words[bitsAt + 1] === sampleBits[i * 2 + 1]
        if (isSame) this.duplicateSamples += 1
        else this.conflictingSamples += 1
        continue
      }
      if (!isNewer && !this.#isTakenLate(timestampMs)) {
        this.#refuse(batch, i, 'late', nowMs)
        continue
      }

      this.#carry(row, block, isEmpty)
      if (isNewer) {
        if (!isEmpty) {
          const seconds = Math.min(INTERVAL_SECONDS_MAX, (timestampMs - newestMs) / 1000)
          words[row * ROW_WORDS + INTERVAL_SECONDS] = seconds
        }
        doubles[newestAt] = timestampMs
        words[bitsAt] = sampleBits[i * 2]!
        words[bitsAt + 1] = sampleBits[i * 2 + 1]!
        isEmpty = false
      }
      this.#keep(batch, i)
    }
  }

  /** `block` carries the series in `row`, and has to wait for the block that did so before. */
  #carry(row: number, block: number, isNew: boolean): void {
    const { doubles } = this.table
    const blockAt = row * ROW_DOUBLES + BLOCK
    const last = doubles[blockAt]!
    if (last !== block) this.#undo.record(row, isNew)
    const before = isNew ? this.#floor : last
    if (before < block && before > this.#judgement.fence) this.#judgement.fence = before
    doubles[blockAt] = block
  }

  /** Prometheus measures its window from the newest sample of all, not of the series. */
  #isTakenLate(timestampMs: number): boolean {
    if (this.outOfOrderWindowMs === 0) return false
    return timestampMs >= this.#newestMs - this.outOfOrderWindowMs
  }

  /** The table is full: better a duplicate than a loss. Order then waits for the block before. */
  #passUntracked(batch: Batch, from: number, to: number, block: number, nowMs: number): void {
    for (let i = from; i < to; i++) {
      batch.sampleKeep[i] = 0
      if (batch.sampleTimestampMs[i]! > nowMs + AHEAD_MS_MAX) {
        this.#refuse(batch, i, 'too-far-ahead', nowMs)
        continue
      }
      this.#keep(batch, i)
      this.untrackedSamples += 1
      this.#judgement.fence = Math.max(this.#judgement.fence, block - 1)
      this.#floor = Math.max(this.#floor, block)
    }
  }

  #keep(batch: Batch, sample: number): void {
    const judgement = this.#judgement
    const timestampMs = batch.sampleTimestampMs[sample]!
    batch.sampleKeep[sample] = 1
    if (batch.sampleHistogramEnd[sample]! > 0) judgement.kept.histograms += 1
    else judgement.kept.samples += 1
    if (timestampMs < judgement.minTimestampMs) judgement.minTimestampMs = timestampMs
    if (timestampMs > judgement.maxTimestampMs) judgement.maxTimestampMs = timestampMs
    if (timestampMs > this.#newestMs) this.#newestMs = timestampMs
  }

  #refuse(batch: Batch, sample: number, reason: Refusal, nowMs: number): void {
    // What was derived is said again with each push, and no sender needs to know.
    if (!countPoint(batch, sample)) {
      this.duplicateSamples += 1
      return
    }
    const kind = batch.sampleHistogramEnd[sample]! > 0 ? 'histograms' : 'samples'
    this.#judgement.refused[kind] += 1
    const rowAt = this.#seriesRow[batch.sampleSeries[sample]!]! * ROW_DOUBLES
    const newestMs = this.table.doubles[rowAt + NEWEST_MS]!
    batch.rejections.add(reason, { [kind]: 1 }, () =>
      describeRefusal(batch, sample, reason, nowMs, newestMs),
    )
  }

  /** Looks up the series' family, once per series and change of metadata. */
  #describe(batch: Batch, series: number, row: number): void {
    const { table, metadata } = this
    const at = row * ROW_WORDS
    if (metadata.epoch !== table.words[at + FAMILY_EPOCH]) {
      table.words[at + FAMILY_EPOCH] = metadata.epoch
      table.words[at + FAMILY] = metadata.numberFor(metricName(batch, series))
    }
    const family = table.words[at + FAMILY]!
    batch.seriesFamily[series] = family
    if (family !== 0 && batch.seriesMetadataType[series] === 0) this.#judgement.addsMetadata = true
  }
}
