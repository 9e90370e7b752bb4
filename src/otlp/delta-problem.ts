import { metricName } from '../admit/metric-name.ts'
import { describeRefusal } from '../admit/refusal.ts'
import type { Batch } from '../model/batch.ts'
import type { RejectReason } from '../model/rejection.ts'

/** Why a delta cannot be added. */
export type Problem = { reason: RejectReason; why: () => string }

/** As admission says it. */
export function describe(
  batch: Batch,
  sample: number,
  reason: 'late' | 'too-far-ahead',
  nowMs: number,
  newestMs: number,
): Problem {
  return { reason, why: () => describeRefusal(batch, sample, reason, nowMs, newestMs) }
}

export function overlap(batch: Batch, sample: number, sumMs: number): Problem {
  const startMs = batch.sampleStartMs[sample]!
  const why = () =>
    `${metricName(batch, sample)}: a delta from ${startMs} on, but all up to ${sumMs} is added up` +
    ' already: it came twice, or from two senders with the same labels'
  return { reason: 'late', why }
}

export function unfit(batch: Batch, sample: number, what: string): Problem {
  return { reason: 'temporality', why: () => `${metricName(batch, sample)}: a delta: ${what}` }
}

/** The point as a whole; its samples are taken out later. */
export function refuse(batch: Batch, from: number, { reason, why }: Problem): void {
  const kind = batch.sampleHistogramEnd[from]! > 0 ? 'histograms' : 'samples'
  batch.rejections.add(reason, { [kind]: 1 }, why)
  batch.rejections.addPoint(batch.samplePoint[from]!)
}
