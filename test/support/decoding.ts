import { expect } from 'vitest'
import { createRemoteWrite2Decoder } from '../../src/decode/remote-write-2.ts'
import { type Batch, createBatch } from '../../src/model/batch.ts'
import { examplesOf, rejectedOf, seriesOf } from './decoded.ts'
import {
  encodeRw2,
  type HistogramMessage,
  type LabelsLiteral,
  type Message,
  rw2Of,
  type SeriesLiteral,
} from './remote-write.ts'

/** Short ways to have the decoder of Remote Write 2.0 read something, each with a new one. */

export const KEY = Uint32Array.of(1, 2, 3, 4)
export const NO_METADATA = { type: 0, help: '', unit: '' }

export function decoded(body: Uint8Array): Batch {
  const batch = createBatch()
  expect(createRemoteWrite2Decoder(KEY)(body, batch)).toBeNull()
  return batch
}

/** Why the request is malformed as a whole. */
export function malformed(body: Uint8Array): string | null {
  const batch = createBatch()
  const problem = createRemoteWrite2Decoder(KEY)(body, batch)
  expect([batch.seriesCount, batch.rejections.total]).toEqual([0, 0])
  return problem
}

export const oneSample = [{ value: 1, timestamp: 1000 }]

export function up(more: Partial<SeriesLiteral>): SeriesLiteral {
  return { labels: { __name__: 'up' }, ...more }
}

export function withSample(labels: LabelsLiteral): SeriesLiteral {
  return { labels, samples: oneSample }
}

/** Series given by references, for what a builder's symbol table would never contain. */
export function raw(symbols: string[], ...timeseries: Message[]): Uint8Array {
  return encodeRw2({ symbols, timeseries })
}

/** One series of histograms, all at 1000 unless they say otherwise. */
export function decodedHistograms(...histograms: Message[]): Batch {
  const stamped = histograms.map((one) => ({ timestamp: 1000, ...one }))
  return decoded(rw2Of([up({ histograms: stamped })]))
}

/** What a valid histogram became. */
export function acceptedHistogram(message: Message): HistogramMessage {
  const batch = decodedHistograms(message)
  expect(examplesOf(batch)).toEqual({})
  return seriesOf(batch)[0]!.samples[0]!.histogram!
}

/** Why an invalid histogram was refused. */
export function histogramRefusal(message: Message): string {
  const batch = decodedHistograms(message)
  expect([batch.seriesCount, batch.sampleCount, batch.histogramByteCount]).toEqual([0, 0, 0])
  expect(rejectedOf(batch)).toEqual({ 'histogram-invalid': 1 })
  expect(batch.rejections.counts).toEqual({ samples: 0, histograms: 1, exemplars: 0 })
  return examplesOf(batch)['histogram-invalid']!
}
