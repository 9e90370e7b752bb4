import fc from 'fast-check'
import protobuf from 'protobufjs'
import { expect, test } from 'vitest'
import { createRemoteWrite1Decoder } from '../../src/decode/remote-write-1.ts'
import { createRemoteWrite2Decoder } from '../../src/decode/remote-write-2.ts'
import { type Batch, createBatch } from '../../src/model/batch.ts'
import { rejectedOf, seriesOf } from '../support/decoded.ts'
import { decodeNaively, type SentSeries } from '../support/naive-decoder.ts'
import {
  decodeRw1,
  decodeRw2,
  encodeRw1,
  type HistogramMessage,
  labelsOf,
  rw1Of,
  rw2Of,
} from '../support/remote-write.ts'
import { requests, series } from '../support/requests.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)
const KEY = Uint32Array.of(1, 2, 3, 4)

const decode1 = createRemoteWrite1Decoder(KEY)
const decode2 = createRemoteWrite2Decoder(KEY)

/** All valid histograms of these tests but the one with this count are sent with this flaw. */
const isHistogramValid = ({ countInt }: HistogramMessage) => countInt !== 99

/** One batch for all requests, as in production: what one leaves behind must not show. */
const batch = createBatch()

function accountedFor(sent: SentSeries[], decoded: Batch): void {
  let samples = 0
  let histograms = 0
  for (let i = 0; i < decoded.sampleCount; i++) {
    if (decoded.sampleHistogramEnd[i]! > 0) histograms += 1
    else samples += 1
  }
  const { counts } = decoded.rejections
  const exemplars = decoded.exemplarCount + decoded.exemplarsOversized
  const total = (lengthOf: (one: SentSeries) => number) =>
    sent.reduce((sum, one) => sum + lengthOf(one), 0)
  expect({
    samples: samples + counts.samples,
    histograms: histograms + counts.histograms,
    exemplars: exemplars + counts.exemplars,
  }).toEqual({
    samples: total((one) => one.samples.length),
    histograms: total((one) => one.histograms.length),
    exemplars: total((one) => one.exemplars.length),
  })
}

/** The decoder writes both oneofs, also where the sender left one out. */
function withZeroCount(message: HistogramMessage): HistogramMessage {
  if (message.zeroCountInt !== undefined || message.zeroCountFloat !== undefined) return message
  return message.countFloat === undefined
    ? { ...message, zeroCountInt: 0 }
    : { ...message, zeroCountFloat: 0 }
}

test('Remote Write 2.0: decodes what protobufjs reads, by the rules, whatever the request', () => {
  fc.assert(
    fc.property(requests, (literals) => {
      const body = rw2Of(literals)
      const message = decodeRw2(body)
      const sent = message.timeseries.map(
        (one): SentSeries => ({
          ...one,
          labels: labelsOf(message, one),
          histograms: one.histograms.map(withZeroCount),
          exemplars: one.exemplars.map((part) => ({ ...part, labels: labelsOf(message, part) })),
          metadata: {
            type: one.metadata!.type,
            help: message.symbols[one.metadata!.helpRef]!,
            unit: message.symbols[one.metadata!.unitRef]!,
          },
        }),
      )
      expect(decode2(body, batch)).toBeNull()
      const expected = decodeNaively(sent, { isHistogramValid, mayBeEmpty: false })
      expect(seriesOf(batch)).toEqual(expected.series)
      expect(rejectedOf(batch)).toEqual(expected.rejected)
      expect(batch.exemplarsOversized).toBe(expected.oversized)
      accountedFor(sent, batch)
    }),
    { numRuns: numRuns * 3 },
  )
})

test('Remote Write 1.0: decodes what protobufjs reads, by the rules, whatever the request', () => {
  fc.assert(
    fc.property(requests, (literals) => {
      const plain = literals.map((one) => ({
        ...one,
        histograms: one.histograms.map(({ startTimestamp: _, ...rest }) => rest),
      }))
      const body = rw1Of(plain)
      const pairs = (labels: { name: string; value: string }[]) =>
        labels.map(({ name, value }): [string, string] => [name, value])
      const sent = decodeRw1(body).timeseries.map(
        (one): SentSeries => ({
          labels: pairs(one.labels),
          samples: one.samples.map((part) => ({ ...part, startTimestamp: 0 })),
          histograms: one.histograms.map((part) => withZeroCount({ ...part, startTimestamp: 0 })),
          exemplars: one.exemplars.map((part) => ({ ...part, labels: pairs(part.labels) })),
          metadata: { type: 0, help: '', unit: '' },
          createdTimestamp: 0,
        }),
      )
      expect(decode1(body, batch)).toBeNull()
      const expected = decodeNaively(sent, { isHistogramValid, mayBeEmpty: true })
      expect(seriesOf(batch)).toEqual(expected.series)
      expect(rejectedOf(batch)).toEqual(expected.rejected)
      expect(batch.exemplarsOversized).toBe(expected.oversized)
      accountedFor(sent, batch)
    }),
    { numRuns: numRuns * 3 },
  )
})

test('a truncated request is malformed, but where it ends between two of its fields', () => {
  fc.assert(
    fc.property(fc.array(series, { minLength: 1, maxLength: 3 }), (literals) => {
      for (const [decode, whole] of [
        [decode1, rw1Of(literals.map(({ histograms: _, ...one }) => one))],
        [decode2, rw2Of(literals)],
      ] as const) {
        const intact: number[] = []
        for (let length = 0; length < whole.length; length++) {
          // A copy, so that reading beyond the end cannot go unseen.
          const problem = decode(whole.slice(0, length), batch)
          if (problem === null) intact.push(length)
          else expect([batch.seriesCount, batch.sampleCount, batch.familyCount]).toEqual([0, 0, 0])
        }
        expect(intact).toEqual(fieldStarts(whole))
      }
    }),
    { numRuns: Math.ceil(numRuns / 10) },
  )
})

test('requests with bytes changed at random never throw, and stay consistent', () => {
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 4 })
  fc.assert(
    fc.property(requests, changes, (literals, bytes) => {
      for (const [decode, whole] of [
        [decode1, rw1Of(literals.map(({ histograms: _, ...one }) => one))],
        [decode2, rw2Of(literals)],
      ] as const) {
        for (const [at, byte] of bytes) whole[at % whole.length] = byte
        const problem = decode(whole, batch)
        if (problem === null) expectConsistent(batch)
        else expect(batch.seriesCount).toBe(0)
      }
    }),
    { numRuns: numRuns * 3 },
  )
})

test('random bytes never throw', () => {
  const field = fc.constantFrom(0x0a, 0x12, 0x1a, 0x22, 0x2a, 0x08, 0x09, 0x10, 0x00, 0x01, 0x04)
  const bytes = fc
    .array(fc.oneof(field, fc.nat({ max: 255 })), { maxLength: 80 })
    .map((list) => Uint8Array.from(list))
  fc.assert(
    fc.property(bytes, (body) => {
      for (const decode of [decode1, decode2]) {
        if (decode(body, batch) === null) expectConsistent(batch)
      }
    }),
    { numRuns: numRuns * 10 },
  )
})

test('unknown fields of every wire type are passed over wherever they stand', () => {
  const literal = [{ labels: { __name__: 'up' }, samples: [{ value: 1, timestamp: 2 }] }]
  const unknown = Buffer.from(
    'f00305f10301020304050607 08f2030161f50301020304'.replaceAll(' ', ''),
    'hex',
  )
  const whole = rw2Of(literal)
  expect(decode2(Buffer.concat([unknown, whole, unknown]), batch)).toBeNull()
  expect(seriesOf(batch)).toHaveLength(1)

  // Inside a label, a sample, a series and the request: fields 62 are of nobody's schema.
  const nested = (...parts: Uint8Array[]) => {
    const content = Buffer.concat(parts)
    const length = [(content.length & 0x7f) | 0x80, content.length >> 7]
    return Buffer.concat([Buffer.from(length), content])
  }
  const label = nested(
    unknown,
    Buffer.from('0a085f5f6e616d655f5f', 'hex'),
    Buffer.from('12027570', 'hex'),
    unknown,
  )
  const sample = nested(unknown, Buffer.from('09000000000000f03f1002', 'hex'), unknown)
  const timeseries = nested(unknown, Buffer.of(0x0a), label, Buffer.of(0x12), sample, unknown)
  expect(decode1(Buffer.concat([unknown, Buffer.of(0x0a), timeseries, unknown]), batch)).toBeNull()
  expect(seriesOf(batch)).toEqual([
    {
      labels: [['__name__', 'up']],
      metadata: { type: 0, help: '', unit: '' },
      samples: [{ bits: 0x3ff0_0000_0000_0000n, timestampMs: 2, startMs: 0 }],
      exemplars: [],
    },
  ])
})

test('families of Remote Write 1.0 come through, unknown types as unknown', () => {
  const family = fc.record({
    type: fc.nat({ max: 20 }),
    metricFamilyName: fc.string({ maxLength: 3 }),
    help: fc.string({ unit: 'binary', maxLength: 5 }),
    unit: fc.string({ maxLength: 2 }),
  })
  fc.assert(
    fc.property(fc.array(family, { maxLength: 30 }), (metadata) => {
      expect(decode1(encodeRw1({ metadata }), batch)).toBeNull()
      const text = (refs: Uint32Array, i: number) => {
        const symbol = refs[i]!
        const { bytes, symbolStart, symbolEnd } = batch
        return Buffer.from(bytes.slice(symbolStart[symbol]!, symbolEnd[symbol]!)).toString()
      }
      const families = Array.from({ length: batch.familyCount }, (_, i) => ({
        type: batch.familyType[i],
        metricFamilyName: text(batch.familyNameRef, i),
        help: text(batch.familyHelpRef, i),
        unit: text(batch.familyUnitRef, i),
      }))
      expect(families).toEqual(
        metadata
          .filter(({ metricFamilyName }) => metricFamilyName !== '')
          .map((one) => ({ ...one, type: one.type > 7 ? 0 : one.type })),
      )
    }),
    { numRuns },
  )
})

function fieldStarts(message: Uint8Array): number[] {
  const starts: number[] = []
  const reader = protobuf.Reader.create(message)
  while (reader.pos < reader.len) {
    starts.push(reader.pos)
    reader.skipType(reader.uint32() & 7)
  }
  return starts
}

/** Every range and reference of the batch points inside of it. */
function expectConsistent(decoded: Batch): void {
  const { symbolCount, labelRefCount, seriesCount, sampleCount } = decoded
  expect(symbolCount).toBeGreaterThan(0)
  expect(decoded.symbolEnd[0]).toBe(decoded.symbolStart[0])
  for (let i = 0; i < symbolCount; i++) {
    expect(decoded.symbolStart[i]).toBeLessThanOrEqual(decoded.symbolEnd[i]!)
    expect(decoded.symbolEnd[i]).toBeLessThanOrEqual(decoded.bytes.length)
  }
  for (let i = 0; i < labelRefCount; i++) expect(decoded.labelRefs[i]).toBeLessThan(symbolCount)
  let labelEnd = 0
  for (let i = 0; i < seriesCount; i++) {
    expect(decoded.seriesLabelStart[i]).toBeGreaterThanOrEqual(labelEnd)
    labelEnd = decoded.seriesLabelEnd[i]!
    expect(labelEnd).toBeGreaterThan(decoded.seriesLabelStart[i]!)
    expect(decoded.seriesHelpRef[i]).toBeLessThan(symbolCount)
    expect(decoded.seriesUnitRef[i]).toBeLessThan(symbolCount)
  }
  expect(labelEnd).toBeLessThanOrEqual(labelRefCount)
  for (let i = 0; i < sampleCount; i++) {
    expect(decoded.sampleSeries[i]).toBeLessThan(seriesCount)
    expect(Number.isSafeInteger(decoded.sampleTimestampMs[i])).toBe(true)
    expect(Number.isSafeInteger(decoded.sampleStartMs[i])).toBe(true)
    if (i === 0) continue
    const step = decoded.sampleSeries[i]! - decoded.sampleSeries[i - 1]!
    expect(step).toBeGreaterThanOrEqual(0)
    const elapsedMs = decoded.sampleTimestampMs[i]! - decoded.sampleTimestampMs[i - 1]!
    if (step === 0) expect(elapsedMs).toBeGreaterThanOrEqual(0)
  }
  for (let i = 0; i < decoded.exemplarCount; i++) {
    expect(decoded.exemplarSeries[i]).toBeLessThan(seriesCount)
    expect(decoded.exemplarLabelEnd[i]).toBeLessThanOrEqual(labelRefCount)
  }
}
