import { createRemoteWrite2Decoder } from '../decode/remote-write-2.ts'
import { type Batch, createBatch } from '../model/batch.ts'
import { type Counts, noCounts } from '../model/counts.ts'
import { createDigestKey } from '../model/identity.ts'
import { seriesText } from '../model/series-text.ts'
import { decompressInto } from '../wire/snappy.ts'

/** A request as a person reads it. */
export type Content = {
  counts: Counts
  series: { labels: string; samples: { timestampMs: number; value: number | 'histogram' }[] }[]
}

let reading: { batch: Batch; decode: ReturnType<typeof createRemoteWrite2Decoder> } | undefined

/** What is in a Remote Write 2.0 request, compressed; nothing when it cannot be read. */
export function contentOf(message: Uint8Array): Content {
  reading ??= { batch: createBatch(), decode: createRemoteWrite2Decoder(createDigestKey()) }
  const { batch, decode } = reading
  const content: Content = { counts: noCounts(), series: [] }
  const raw = decompressInto(batch.kernel, message)
  if (raw === null || decode(raw, batch) !== null) return content
  for (let i = 0; i < batch.seriesCount; i++) {
    content.series.push({ labels: seriesText(batch, i), samples: [] })
  }
  const bits = new DataView(new ArrayBuffer(8))
  for (let i = 0; i < batch.sampleCount; i++) {
    const isHistogram = batch.sampleHistogramEnd[i]! > 0
    bits.setUint32(0, batch.sampleBits[i * 2]!, true)
    bits.setUint32(4, batch.sampleBits[i * 2 + 1]!, true)
    content.counts[isHistogram ? 'histograms' : 'samples'] += 1
    content.series[batch.sampleSeries[i]!]!.samples.push({
      timestampMs: batch.sampleTimestampMs[i]!,
      value: isHistogram ? 'histogram' : bits.getFloat64(0, true),
    })
  }
  content.counts.exemplars = batch.exemplarCount
  return content
}
