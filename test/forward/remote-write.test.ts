import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeRemoteWrite1 } from '../../src/forward/remote-write-1.ts'
import { readRemoteWrite2, seriesCount, writePart } from '../../src/forward/remote-write-2.ts'
import { createBatch } from '../../src/model/batch.ts'
import { ProtobufWriter } from '../../src/wire/protobuf-writer.ts'
import {
  bitsOf,
  decodeHistogram,
  decodeRw1,
  decodeRw2,
  encodeHistogram,
  labelsOf,
  type Message,
  rw2Of,
  type SeriesLiteral,
  STALE_NAN,
} from '../support/remote-write.ts'
import { fillBatch } from './parts.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)

const bits = fc.oneof(fc.constant(STALE_NAN), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }))
const timestamp = fc.oneof(fc.integer(), fc.maxSafeInteger())
const text = fc.string({ minLength: 1, maxLength: 200, unit: 'grapheme' })
const sample = fc.record({ value: bits, timestamp })
const histogram: fc.Arbitrary<Message> = fc.record({
  countInt: fc.nat(),
  sum: bits,
  schema: fc.constantFrom(-53, -4, 0, 3, 8),
  positiveSpans: fc.array(fc.record({ offset: fc.integer(), length: fc.nat() }), { maxLength: 2 }),
  positiveDeltas: fc.array(fc.integer(), { maxLength: 3 }),
  timestamp,
})
const exemplar = fc.record({
  labels: text.map((value) => ({ trace_id: value })),
  value: bits,
  timestamp,
})
const some = <T>(element: fc.Arbitrary<T>) => fc.array(element, { minLength: 1, maxLength: 4 })
const series: fc.Arbitrary<SeriesLiteral> = fc
  .record({
    name: text,
    job: text,
    content: fc.oneof(
      some(sample).map((samples) => ({ samples })),
      some(histogram).map((histograms) => ({ histograms })),
      fc.record({ samples: some(sample), histograms: some(histogram) }),
    ),
    exemplars: fc.array(exemplar, { maxLength: 2 }),
  })
  .map(({ name, job, content, exemplars }) => ({
    labels: { __name__: name, job },
    exemplars,
    ...content,
  }))
const request = fc.array(series, { maxLength: 12 })

/** The 1.0 series that a series must become: floats apart from histograms, no custom buckets. */
function expected1({ labels, samples = [], histograms = [], exemplars = [] }: SeriesLiteral) {
  const inline = Object.entries(labels).map(([name, value]) => ({ name, value }))
  const carried = histograms.filter(({ schema }) => schema !== -53)
  const parts: { samples: unknown[]; histograms: unknown[]; exemplars: unknown[] }[] = []
  if (samples.length > 0) {
    const floats = samples.map(({ value, timestamp }) => ({ bits: bitsOf(value), timestamp }))
    parts.push({ samples: floats, histograms: [], exemplars: [] })
  }
  if (carried.length > 0) {
    const messages = carried.map((one) => decodeHistogram(encodeHistogram(one)))
    for (const message of messages) Reflect.deleteProperty(message, 'startTimestamp')
    parts.push({ samples: [], histograms: messages, exemplars: [] })
  }
  const last = parts.at(-1)
  for (const { labels = {}, value, timestamp } of exemplars) {
    last?.exemplars.push({
      labels: Object.entries(labels).map(([name, value]) => ({ name, value })),
      bits: bitsOf(value),
      timestamp,
    })
  }
  return parts.map((part) => ({ labels: inline, ...part }))
}

function actual1(raw: Uint8Array) {
  return decodeRw1(raw).timeseries.map(({ samples, exemplars, ...rest }) => ({
    ...rest,
    samples: samples.map(({ value, timestamp }) => ({ bits: bitsOf(value), timestamp })),
    exemplars: exemplars.map(({ value, ...one }) => ({ ...one, bits: bitsOf(value) })),
  }))
}

test('a batch as Remote Write 1.0, read by another implementation, is what it was', () => {
  const batch = createBatch()
  const out = new ProtobufWriter(16)
  fc.assert(
    fc.property(request, fc.nat(12), fc.nat(12), (all, one, other) => {
      fillBatch(rw2Of(all), batch)
      const from = Math.min(one, other, all.length)
      const to = Math.min(Math.max(one, other), all.length)
      const part = all.slice(from, to)
      const { counts, dropped } = encodeRemoteWrite1(batch, from, to, out)

      const expected = part.flatMap(expected1)
      expect(actual1(out.written())).toEqual(expected)
      const sum = (of: (one: SeriesLiteral) => unknown[] | undefined) =>
        part.reduce((total, one) => total + (of(one)?.length ?? 0), 0)
      expect(counts.samples).toBe(sum(({ samples }) => samples))
      expect(counts.histograms + dropped.histograms).toBe(sum(({ histograms }) => histograms))
      expect(counts.exemplars + dropped.exemplars).toBe(sum(({ exemplars }) => exemplars))
      expect(counts.histograms).toBe(expected.flatMap(({ histograms }) => histograms).length)
      expect(dropped.samples).toBe(0)
    }),
    { numRuns },
  )
})

test('a histogram with custom buckets, and the exemplars that only it carries, are dropped', () => {
  const batch = createBatch()
  const custom = { countInt: 1, schema: -53, customValues: [1, 2], timestamp: 5 }
  const raw = rw2Of([
    {
      labels: { __name__: 'a' },
      histograms: [custom],
      exemplars: [{ value: 1, timestamp: 5 }],
    },
  ])
  fillBatch(raw, batch)
  const out = new ProtobufWriter()
  expect(encodeRemoteWrite1(batch, 0, 1, out)).toEqual({
    counts: { samples: 0, histograms: 0, exemplars: 0 },
    dropped: { samples: 0, histograms: 1, exemplars: 1 },
  })
  expect(out.written().length).toBe(0)
})

test('a part of a 2.0 request holds its series and no others, unchanged', () => {
  const out = new ProtobufWriter(16)
  fc.assert(
    fc.property(request, fc.nat(12), fc.nat(12), (all, one, other) => {
      const raw = rw2Of(all)
      const parts = readRemoteWrite2(raw)!
      expect(seriesCount(parts)).toBe(all.length)
      const from = Math.min(one, other, all.length)
      const to = Math.min(Math.max(one, other), all.length)
      const counts = writePart(parts, from, to, out)

      const whole = decodeRw2(raw)
      const part = decodeRw2(out.written())
      expect(part).toEqual({ ...whole, timeseries: whole.timeseries.slice(from, to) })
      for (const series of part.timeseries) expect(labelsOf(part, series)[0]![0]).toBe('__name__')
      const sum = (of: (one: SeriesLiteral) => unknown[] | undefined) =>
        all.slice(from, to).reduce((total, one) => total + (of(one)?.length ?? 0), 0)
      expect(counts).toEqual({
        samples: sum(({ samples }) => samples),
        histograms: sum(({ histograms }) => histograms),
        exemplars: sum(({ exemplars }) => exemplars),
      })
    }),
    { numRuns },
  )
})

test('a damaged 2.0 request is not taken apart', () => {
  const raw = rw2Of([{ labels: { __name__: 'a' }, samples: [{ value: 1, timestamp: 1 }] }])
  expect(readRemoteWrite2(raw.subarray(0, raw.length - 1))).toBeNull()
})
