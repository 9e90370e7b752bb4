import type { Batch } from '../model/batch.ts'
import { metricName } from './metric-name.ts'

/** Prometheus refuses samples further ahead of its clock than this, and so do we, at the door. */
export const AHEAD_MS_MAX = 10 * 60_000

/** Why a sample is refused here, and not by the decoder. */
export type Refusal = 'late' | 'too-far-ahead'

/** Counts the data point of a sample as refused; false when it is of none, but was derived. */
export function countPoint({ hasPoints, samplePoint, rejections }: Batch, sample: number): boolean {
  if (!hasPoints) return true
  const point = samplePoint[sample]!
  if (point > 0) rejections.addPoint(point)
  return point > 0
}

/** The refusal for the person who runs the sender. `newestMs` is the series' newest sample. */
export function describeRefusal(
  batch: Batch,
  sample: number,
  refusal: Refusal,
  nowMs: number,
  newestMs: number,
): string {
  const name = metricName(batch, batch.sampleSeries[sample]!)
  const timestampMs = batch.sampleTimestampMs[sample]!
  if (refusal === 'late') {
    return `${name} at ${timestampMs} is out of order: the series is at ${newestMs} already`
  }
  const seconds = Math.round((timestampMs - nowMs) / 1000)
  return `${name} at ${timestampMs} is ${seconds} s ahead: check the sender's clock`
}
