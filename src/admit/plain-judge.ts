import { type Batch, DIGEST_WORDS } from '../model/batch.ts'
import type { Slice } from '../model/judgement.ts'
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
  type SeriesTable,
} from './series-table.ts'
import type { UndoLog } from './undo.ts'

/** What is the same for all series of a push. */
export type PushContext = {
  block: number
  /** Samples later than this are from the future. */
  aheadMs: number
  nowSeconds: number
  /** Of the metadata memory. */
  epoch: number
}

/** What became of the series that were judged. */
export type PlainJudgement = {
  /** How many they were; each has one sample. */
  series: number
  /** The row of the last one. */
  last: number
  kept: number
  /** Of those that were kept. */
  histograms: number
  duplicates: number
  fence: number
  minTimestampMs: number
  maxTimestampMs: number
  /** Whether a family describes a series that came without a description. */
  addsMetadata: boolean
}

/** What series leave behind when they are judged. */
export type PlainJudgeParts = {
  table: SeriesTable
  undo: UndoLog
  /** By series of the batch: its row, and whether a sample of it is kept. */
  seriesRow: Int32Array
  carries: Uint8Array
}

/**
 * Judges series as nearly all come: known ones with one sample, newer than all before or the
 * newest once more. By the rules of `Admission`, in one loop and two thirds of the time: what is
 * counted stays in registers until a series comes that is not plain, and entries of the undo log
 * are written here (a call for each takes 3 of 26 ns).
 *
 * Begins with the series that the first sample of `slice` belongs to, and ends before the first
 * that is not plain.
 *
 * @param before the row of the series that came before the first, or -1
 */
export function judgePlain(
  { table, undo, seriesRow, carries }: PlainJudgeParts,
  batch: Batch,
  { fromSeries, toSeries, fromSample, toSample }: Slice,
  { block, aheadMs, nowSeconds, epoch }: PushContext,
  before: number,
): PlainJudgement {
  const { words, doubles } = table
  const { seriesIdentity, seriesFamily, seriesMetadataType, sampleKeep } = batch
  const { sampleSeries, sampleTimestampMs, sampleBits, sampleHistogramEnd } = batch
  let kept = 0
  let histograms = 0
  let duplicates = 0
  let fence = 0
  let minTimestampMs = Number.POSITIVE_INFINITY
  let maxTimestampMs = Number.NEGATIVE_INFINITY
  let addsMetadata = false
  const end = Math.min(toSeries - fromSeries, toSample - fromSample)
  let undoEnd = undo.reserve(end)
  const { row: undoRow, newestMs: undoMs, bits: undoBits, block: undoBlock } = undo.columns
  let last = before
  let i = 0
  for (; i < end; i++) {
    const series = fromSeries + i
    const sample = fromSample + i
    const id = series * DIGEST_WORDS
    const row = table.findAfter(last, seriesIdentity, id)
    if (row < 0) break
    const at = row * ROW_WORDS
    if (sampleSeries[sample] !== series) break
    if (sample + 1 < toSample && sampleSeries[sample + 1] === series) break

    const timestampMs = sampleTimestampMs[sample]!
    const newestMs = doubles[row * ROW_DOUBLES + NEWEST_MS]!
    const low = sampleBits[sample * 2]!
    const high = sampleBits[sample * 2 + 1]!
    const isSame = words[at + NEWEST_BITS] === low && words[at + NEWEST_BITS + 1] === high
    const isDuplicate = timestampMs === newestMs && isSame
    if (timestampMs > aheadMs || !(timestampMs > newestMs || isDuplicate)) break
    if (epoch !== 0 && words[at + FAMILY_EPOCH] !== epoch) break

    const family = epoch === 0 ? 0 : words[at + FAMILY]!
    if (family !== 0 && seriesMetadataType[series] === 0) addsMetadata = true
    seriesFamily[series] = family
    seriesRow[series] = row
    last = row
    words[at + SEEN_SECONDS] = nowSeconds
    if (isDuplicate) {
      sampleKeep[sample] = 0
      carries[series] = 0
      duplicates += 1
      continue
    }
    const blockAt = row * ROW_DOUBLES + BLOCK
    const blockBefore = doubles[blockAt]!
    if (blockBefore !== block) {
      undoRow[undoEnd] = row
      undoMs[undoEnd] = newestMs
      undoBits[undoEnd * 2] = words[at + NEWEST_BITS]!
      undoBits[undoEnd * 2 + 1] = words[at + NEWEST_BITS + 1]!
      undoBlock[undoEnd++] = blockBefore
    }
    if (blockBefore < block && blockBefore > fence) fence = blockBefore
    doubles[blockAt] = block
    const seconds = (timestampMs - newestMs) / 1000
    words[at + INTERVAL_SECONDS] = Math.min(INTERVAL_SECONDS_MAX, seconds)
    doubles[row * ROW_DOUBLES + NEWEST_MS] = timestampMs
    words[at + NEWEST_BITS] = low
    words[at + NEWEST_BITS + 1] = high
    sampleKeep[sample] = 1
    carries[series] = 1
    kept += 1
    if (sampleHistogramEnd[sample]! > 0) histograms += 1
    if (timestampMs < minTimestampMs) minTimestampMs = timestampMs
    if (timestampMs > maxTimestampMs) maxTimestampMs = timestampMs
  }
  undo.close(undoEnd)
  const found = { series: i, last, kept, histograms, duplicates, fence }
  return { ...found, minTimestampMs, maxTimestampMs, addsMetadata }
}
