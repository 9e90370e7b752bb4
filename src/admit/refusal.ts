import type { Batch } from '../model/batch.ts'
import { metricName } from './metric-name.ts'

/** Why a sample is refused here, and not by the decoder. */
export type Refusal = 'late' | 'too-far-ahead'

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
