import { grown } from './batch.ts'
import { type Counts, noCounts } from './counts.ts'

/** An exemplar that came without a sample of its series and waits for the next one. */
export type HeldExemplar = {
  timestampMs: number
  /** Value bits, low and high word. */
  low: number
  high: number
  /** name, value, name, value, … sorted by name. */
  labels: Uint8Array[]
}

/** Part of a batch: whole series, and the samples that belong to them. */
export type Slice = {
  fromSeries: number
  toSeries: number
  fromSample: number
  toSample: number
}

/**
 * What admission decided about one slice of a batch, beside `sampleKeep` and `seriesFamily` of
 * the batch itself. Lent: valid until the next judgement.
 */
export type Judgement = {
  /** Per exemplar: the batch series it travels with, or -1 when it does not travel now. */
  exemplarCarrier: Int32Array<ArrayBuffer>
  /** Whether a family describes a series that came without a description. */
  addsMetadata: boolean
  /** Exemplars of earlier pushes that travel with a series of this one. Nearly always empty. */
  held: { series: number; exemplar: HeldExemplar }[]
  /** What goes into the block. */
  kept: Counts
  /** What was refused here, after decoding. */
  refused: Counts
  /** The newest earlier block that shares a series with this one, 0 when none does. */
  fence: number
  minTimestampMs: number
  maxTimestampMs: number
}

export function createJudgement(): Judgement {
  return {
    exemplarCarrier: new Int32Array(64),
    addsMetadata: false,
    held: [],
    kept: noCounts(),
    refused: noCounts(),
    fence: 0,
    minTimestampMs: Number.POSITIVE_INFINITY,
    maxTimestampMs: Number.NEGATIVE_INFINITY,
  }
}

/** Nothing is decided yet, for a batch of so many exemplars. */
export function clearJudgement(judgement: Judgement, exemplars: number): void {
  judgement.exemplarCarrier = grown(judgement.exemplarCarrier, exemplars)
  judgement.exemplarCarrier.fill(-1, 0, exemplars)
  judgement.addsMetadata = false
  judgement.held.length = 0
  judgement.kept = noCounts()
  judgement.refused = noCounts()
  judgement.fence = 0
  judgement.minTimestampMs = Number.POSITIVE_INFINITY
  judgement.maxTimestampMs = Number.NEGATIVE_INFINITY
}
