import type { Batch } from '../model/batch.ts'

/** Milliseconds that a double tells from their neighbours: below 2^53 either way. */
export function isExactMs(timestampMs: number): boolean {
  return timestampMs <= Number.MAX_SAFE_INTEGER && timestampMs >= -Number.MAX_SAFE_INTEGER
}

/**
 * Settles the start of each sample from `from` on: its own wins over that of the series, and
 * one after the sample is none.
 */
export function settleStarts(batch: Batch, from: number, createdMs: number): void {
  const { sampleStartMs, sampleTimestampMs, sampleCount } = batch
  for (let i = from; i < sampleCount; i++) {
    const startMs = sampleStartMs[i]! === 0 ? createdMs : sampleStartMs[i]!
    sampleStartMs[i] = startMs > sampleTimestampMs[i]! ? 0 : startMs
  }
}

/**
 * Brings the samples from `from` on, which are those of one series, into the order of time;
 * equal timestamps keep theirs. Nearly always they have it already.
 */
export function sortSamples(batch: Batch, from: number): void {
  const { sampleTimestampMs, sampleCount } = batch
  let i = from + 1
  while (i < sampleCount && sampleTimestampMs[i]! >= sampleTimestampMs[i - 1]!) i++
  if (i < sampleCount) reorder(batch, from)
}

function reorder(batch: Batch, from: number): void {
  const { sampleTimestampMs, sampleCount } = batch
  batch.isPlain = false
  const order = new Uint32Array(sampleCount - from)
  for (let i = 0; i < order.length; i++) order[i] = from + i
  order.sort((one, other) => sampleTimestampMs[one]! - sampleTimestampMs[other]!)

  permute(batch.sampleTimestampMs, from, order)
  permute(batch.sampleStartMs, from, order)
  permute(batch.sampleHistogramStart, from, order)
  permute(batch.sampleHistogramEnd, from, order)
  const bits = batch.sampleBits.slice(from * 2, sampleCount * 2)
  for (const [i, source] of order.entries()) {
    batch.sampleBits[(from + i) * 2] = bits[(source - from) * 2]!
    batch.sampleBits[(from + i) * 2 + 1] = bits[(source - from) * 2 + 1]!
  }
}

function permute(column: Uint32Array | Float64Array, from: number, order: Uint32Array): void {
  const before = column.slice(from, from + order.length)
  for (const [i, source] of order.entries()) column[from + i] = before[source - from]!
}
