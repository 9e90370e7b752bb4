import { assert } from '../base/errors.ts'
import { type Batch, DIGEST_WORDS } from '../model/batch.ts'

/**
 * Takes the samples out of a batch of OTLP whose `sampleKeep` is 0, with their series and
 * exemplars; the others move up. Each series of OTLP has one sample, of the same number.
 */
export function dropUnkept(batch: Batch): void {
  const { seriesCount, sampleCount, sampleKeep } = batch
  assert(seriesCount === sampleCount, 'each series has one sample')
  /** Of the exemplars that are still to be moved. */
  let exemplar = 0
  let exemplars = 0
  let kept = 0
  for (let series = 0; series < seriesCount; series++) {
    const isKept = sampleKeep[series] === 1
    for (; batch.exemplarSeries[exemplar] === series && exemplar < batch.exemplarCount; ) {
      if (isKept) moveExemplar(batch, exemplar, exemplars++, kept)
      exemplar += 1
    }
    if (isKept) moveSeries(batch, series, kept++)
  }
  batch.seriesCount = kept
  batch.sampleCount = kept
  batch.exemplarCount = exemplars
}

function moveSeries(batch: Batch, from: number, to: number): void {
  if (from === to) return
  const { seriesIdentity, sampleBits } = batch
  batch.seriesLabelStart[to] = batch.seriesLabelStart[from]!
  batch.seriesLabelEnd[to] = batch.seriesLabelEnd[from]!
  seriesIdentity.copyWithin(to * DIGEST_WORDS, from * DIGEST_WORDS, (from + 1) * DIGEST_WORDS)
  batch.seriesMetadataType[to] = batch.seriesMetadataType[from]!
  batch.seriesHelpRef[to] = batch.seriesHelpRef[from]!
  batch.seriesUnitRef[to] = batch.seriesUnitRef[from]!
  batch.sampleSeries[to] = to
  batch.sampleTimestampMs[to] = batch.sampleTimestampMs[from]!
  batch.sampleStartMs[to] = batch.sampleStartMs[from]!
  sampleBits.copyWithin(to * 2, from * 2, (from + 1) * 2)
  batch.sampleHistogramStart[to] = batch.sampleHistogramStart[from]!
  batch.sampleHistogramEnd[to] = batch.sampleHistogramEnd[from]!
  batch.samplePoint[to] = batch.samplePoint[from]!
}

function moveExemplar(batch: Batch, from: number, to: number, series: number): void {
  batch.exemplarSeries[to] = series
  batch.exemplarTimestampMs[to] = batch.exemplarTimestampMs[from]!
  batch.exemplarBits.copyWithin(to * 2, from * 2, (from + 1) * 2)
  batch.exemplarLabelStart[to] = batch.exemplarLabelStart[from]!
  batch.exemplarLabelEnd[to] = batch.exemplarLabelEnd[from]!
}
