import type { Batch } from '../../src/model/batch.ts'
import { clearBatch, createBatch, DIGEST_WORDS } from '../../src/model/batch.ts'
import type { Slice } from '../../src/model/judgement.ts'

export type Row = { series: number; timestampMs: number; value: number }

/**
 * A batch of float samples, for tests of what comes after decoding: one batch series for
 * each run of rows with the same series number. Labels are left out.
 */
export function batchOf(rows: readonly Row[]): Batch {
  const batch = createBatch()
  clearBatch(batch, new Uint8Array(0))
  let last = -1
  for (const { series, timestampMs, value } of rows) {
    if (series !== last) addSeries(batch, series)
    last = series
    const at = batch.sampleCount++
    batch.sampleSeries[at] = batch.seriesCount - 1
    batch.sampleTimestampMs[at] = timestampMs
    batch.sampleBits[at * 2] = value
    batch.sampleBits[at * 2 + 1] = 0
  }
  return batch
}

/** The whole of a batch. */
export function wholeOf(batch: Batch): Slice {
  return {
    fromSeries: 0,
    toSeries: batch.seriesCount,
    fromSample: 0,
    toSample: batch.sampleCount,
  }
}

/** The same identity for the same number, spread over few homes so that probing is long. */
export function identityOf(series: number): Uint32Array {
  return Uint32Array.of(series, series * 7, 1, series % 3)
}

function addSeries(batch: Batch, series: number): void {
  const at = batch.seriesCount++
  batch.seriesIdentity.set(identityOf(series), at * DIGEST_WORDS)
  batch.seriesLabelStart[at] = 0
  batch.seriesLabelEnd[at] = 0
}
