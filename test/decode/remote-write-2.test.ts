import { expect, test } from 'vitest'
import { createRemoteWrite2Decoder } from '../../src/decode/remote-write-2.ts'
import { createBatch } from '../../src/model/batch.ts'
import { identityOf, rejectedOf, seriesOf } from '../support/decoded.ts'
import {
  decoded,
  KEY,
  malformed,
  NO_METADATA,
  oneSample,
  raw,
  up,
  withSample,
} from '../support/decoding.ts'
import {
  bitsOf,
  encodeRw2,
  ORDINARY_NAN,
  rw2Of,
  type SeriesLiteral,
  STALE_NAN,
} from '../support/remote-write.ts'
import { VALID_HISTOGRAM } from '../support/requests.ts'

test('G18: a symbol table alone is an empty request', () => {
  const batch = decoded(raw(['']))
  expect([batch.seriesCount, batch.rejections.total, batch.symbolCount]).toEqual([0, 0, 1])
  expect(decoded(new Uint8Array(0)).symbolCount).toBe(1)
  expect(decoded(raw(['x'])).symbolEnd[0]).toBe(0)
})

test('metadata beyond the symbols is refused, whatever an earlier request had there', () => {
  const decode = createRemoteWrite2Decoder(KEY)
  const batch = createBatch()
  const many = Array.from({ length: 50 }, (_, i) => `${i}`)
  expect(decode(raw(['', '__name__', 'up', ...many]), batch)).toBeNull()
  const timestamp = 2 ** 40
  const series = { labelsRefs: [1, 2], samples: [{ value: 1, timestamp }] }
  const metadata = { type: 1, helpRef: 40, unitRef: 0 }
  const body = raw(['', '__name__', 'up'], series, { ...series, metadata })
  expect(decode(body, batch)).toBeNull()
  expect([batch.seriesCount, rejectedOf(batch)]).toEqual([1, { 'symbol-out-of-range': 1 }])
})

test('G7: a Remote Write 1.0 request reads as an empty one', () => {
  expect(decoded(Buffer.from('0a040a020a00', 'hex')).seriesCount).toBe(0)
})

test('G19, G20: series need a symbol table whose first symbol is empty', () => {
  expect(malformed(raw([], { labelsRefs: [], samples: oneSample }))).toContain('no symbol table')
  expect(malformed(raw(['x', 'y'], { labelsRefs: [0, 1] }))).toContain('first symbol is not empty')
})

test('symbols that come after the series are found', () => {
  const series = encodeRw2({ timeseries: [{ labelsRefs: [1, 2], samples: oneSample }] })
  const symbols = encodeRw2({ symbols: ['', '__name__', 'up'] })
  expect(seriesOf(decoded(Buffer.concat([series, symbols])))[0]!.labels).toEqual([
    ['__name__', 'up'],
  ])
})

test('G21, G22: an odd list of references, or one out of range, costs its own series alone', () => {
  const symbols = ['', '__name__', 'up']
  const good = { labelsRefs: [1, 2], samples: oneSample }
  const odd = decoded(raw(symbols, { labelsRefs: [1, 2, 1], samples: oneSample }, good))
  expect([odd.seriesCount, rejectedOf(odd)]).toEqual([1, { 'label-invalid': 1 }])
  const beyond = decoded(raw(symbols, { labelsRefs: [1, 3], samples: oneSample }, good))
  expect([beyond.seriesCount, rejectedOf(beyond)]).toEqual([1, { 'symbol-out-of-range': 1 }])
  expect(beyond.rejections.counts).toEqual({ samples: 1, histograms: 0, exemplars: 0 })
})

test('G23: metadata that refers out of range costs its series', () => {
  const series = { labelsRefs: [1, 2], samples: oneSample }
  for (const metadata of [{ helpRef: 3 }, { unitRef: 3 }, { unitRef: 0xffff_ffff }]) {
    const batch = decoded(raw(['', '__name__', 'up'], { ...series, metadata }, series))
    expect([batch.seriesCount, rejectedOf(batch)]).toEqual([1, { 'symbol-out-of-range': 1 }])
  }
})

test('G24: an exemplar that refers out of range, or oddly, costs itself alone', () => {
  for (const labelsRefs of [[1, 9], [1]]) {
    const series = {
      labelsRefs: [1, 2],
      samples: oneSample,
      exemplars: [{ labelsRefs, value: 1, timestamp: 1000 }],
    }
    const batch = decoded(raw(['', '__name__', 'up'], series))
    expect([batch.sampleCount, batch.exemplarCount]).toEqual([1, 0])
    expect(rejectedOf(batch)).toEqual({ 'exemplar-invalid': 1 })
  }
})

test('G34, G35: the bits of every NaN survive', () => {
  const values = [STALE_NAN, ORDINARY_NAN, 0xfff0_0000_0000_0001n, bitsOf(-0)]
  const samples = values.map((value, i) => ({ value, timestamp: i }))
  const [series] = seriesOf(decoded(rw2Of([up({ samples })])))
  expect(series!.samples.map(({ bits }) => bits)).toEqual(values)
})

test('G39: samples of a series are sorted by time, and equal times keep their order', () => {
  const samples = [
    [5, 1],
    [3, 2],
    [5, 3],
    [3, 4],
  ].map(([timestamp, value]) => ({
    timestamp: timestamp!,
    value: value!,
  }))
  const [series] = seriesOf(decoded(rw2Of([up({ samples })])))
  const got = series!.samples.map(({ timestampMs, bits }) => [timestampMs, bits])
  expect(got).toEqual([
    [3, bitsOf(2)],
    [3, bitsOf(4)],
    [5, bitsOf(1)],
    [5, bitsOf(3)],
  ])
})

test('two entries of one series stay two, in the order of their arrival', () => {
  const body = rw2Of([
    up({ samples: [{ value: 1, timestamp: 9 }] }),
    withSample({ __name__: 'down' }),
    up({ samples: [{ value: 2, timestamp: 3 }] }),
  ])
  const batch = decoded(body)
  expect(seriesOf(batch).map(({ samples }) => samples[0]!.timestampMs)).toEqual([9, 1000, 3])
  expect(identityOf(batch, 0)).toBe(identityOf(batch, 2))
  expect(identityOf(batch, 0)).not.toBe(identityOf(batch, 1))
})

test('a timestamp that a double would round costs its sample alone', () => {
  const timestamps = [2 ** 53 - 1, 2n ** 53n, 1 - 2 ** 53, -(2n ** 53n), 2n ** 63n - 1n, 0, -7]
  const samples = timestamps.map((timestamp) => ({ value: 1, timestamp }))
  const batch = decoded(rw2Of([up({ samples })]))
  expect([batch.sampleCount, rejectedOf(batch)]).toEqual([4, { 'timestamp-invalid': 3 }])

  const alone = decoded(rw2Of([up({ samples: [{ value: 1, timestamp: 2n ** 60n }] })]))
  expect([alone.seriesCount, alone.labelRefCount]).toEqual([0, 0])
  expect(rejectedOf(alone)).toEqual({ 'timestamp-invalid': 1 })
})

test('G42 to G45: a start is that of the sample, else of the series, and not after the sample', () => {
  const timestamp = 1000
  const samples = [
    { value: 1, timestamp },
    { value: 1, timestamp, startTimestamp: 400 },
    { value: 1, timestamp, startTimestamp: 1001 },
    { value: 1, timestamp, startTimestamp: -1 },
    { value: 1, timestamp, startTimestamp: 2n ** 62n },
  ]
  const starts = (series: SeriesLiteral) =>
    seriesOf(decoded(rw2Of([series])))[0]!.samples.map(({ startMs }) => startMs)
  expect(starts(up({ samples }))).toEqual([0, 400, 0, -1, 0])
  expect(starts(up({ samples, createdTimestamp: 300 }))).toEqual([300, 400, 0, -1, 300])
  expect(starts(up({ samples, createdTimestamp: 1001 }))).toEqual([0, 400, 0, -1, 0])
  const histograms = [{ ...VALID_HISTOGRAM, timestamp, startTimestamp: 5 }]
  expect(starts(up({ histograms, createdTimestamp: 300 }))).toEqual([5])
})

test('G46, G47: an exemplar alone makes a series without samples', () => {
  const batch = decoded(
    rw2Of([up({ exemplars: [{ labels: { trace_id: 'x' }, value: 7, timestamp: 5 }] })]),
  )
  expect(batch.rejections.isEmpty).toBe(true)
  expect(seriesOf(batch)).toEqual([
    {
      labels: [['__name__', 'up']],
      metadata: NO_METADATA,
      samples: [],
      exemplars: [{ labels: [['trace_id', 'x']], bits: bitsOf(7), timestampMs: 5 }],
    },
  ])
})

test('G48: an exemplar of 129 code points is left out without an error, one of 128 is kept', () => {
  for (const character of ['x', 'é', '☃', '\u{1F600}']) {
    const exemplar = (length: number) => ({
      labels: { a: character.repeat(length - 1) },
      value: 1,
      timestamp: 1,
    })
    const batch = decoded(
      rw2Of([up({ samples: oneSample, exemplars: [exemplar(128), exemplar(129)] })]),
    )
    expect([batch.sampleCount, batch.exemplarCount, batch.exemplarsOversized]).toEqual([1, 1, 1])
    expect(batch.rejections.isEmpty).toBe(true)
  }
})

test('G49: an exemplar without a timestamp has that of the newest sample, or is refused', () => {
  const exemplars = [{ value: 1, timestamp: 0 }]
  const samples = [
    { value: 1, timestamp: 9 },
    { value: 1, timestamp: 3 },
  ]
  const beside = decoded(rw2Of([up({ samples, exemplars })]))
  expect(seriesOf(beside)[0]!.exemplars[0]!.timestampMs).toBe(9)
  const alone = decoded(rw2Of([up({ exemplars })]))
  expect([alone.seriesCount, rejectedOf(alone)]).toEqual([0, { 'exemplar-invalid': 1 }])
})

test('G50: floats and histograms of one entry are all taken, oldest first', () => {
  const histograms = [{ ...VALID_HISTOGRAM, timestamp: 500 }]
  const [series] = seriesOf(decoded(rw2Of([up({ samples: oneSample, histograms })])))
  expect(series!.samples.map(({ timestampMs, bits }) => [timestampMs, bits])).toEqual([
    [500, undefined],
    [1000, bitsOf(1)],
  ])
})

test('G51: labels and metadata alone are refused', () => {
  const batch = decoded(rw2Of([up({ metadata: { type: 1, help: 'h' } })]))
  expect([batch.seriesCount, rejectedOf(batch)]).toEqual([0, { 'series-empty': 1 }])
  expect(batch.rejections.counts).toEqual({ samples: 0, histograms: 0, exemplars: 0 })
})

test('G52: an unknown metadata type is unspecified, and help that is no text is left out', () => {
  const body = Buffer.from(
    rw2Of([{ ...withSample({ __name__: 'up' }), metadata: { type: 99, help: 'hh', unit: 's' } }]),
  )
  body.set([0xff, 0xfe], body.indexOf('hh'))
  const [series] = seriesOf(decoded(body))
  expect(series!.metadata).toEqual({ type: 0, help: '', unit: 's' })
})

test('a refused series takes all its elements with it', () => {
  const body = rw2Of([
    {
      labels: { job: 'x' },
      samples: [
        { value: 1, timestamp: 1 },
        { value: 1, timestamp: 2n ** 60n },
      ],
      histograms: [
        { ...VALID_HISTOGRAM, timestamp: 1 },
        { countInt: 99, timestamp: 1 },
      ],
      exemplars: [{ value: 1, timestamp: 0 }],
    },
  ])
  const batch = decoded(body)
  expect(rejectedOf(batch)).toEqual({ 'name-missing': 5 })
  expect(batch.rejections.counts).toEqual({ samples: 2, histograms: 2, exemplars: 1 })
  expect([batch.sampleCount, batch.labelRefCount, batch.histogramByteCount]).toEqual([0, 0, 0])
})

test('references that are not packed are read, and several lists are one', () => {
  const series = (hex: string) => {
    const content = Buffer.from(hex.replaceAll(' ', ''), 'hex')
    return Buffer.concat([
      raw(['', '__name__', 'up', 'a']),
      Buffer.of(0x2a, content.length),
      content,
    ])
  }
  const labels = [
    ['__name__', 'up'],
    ['a', 'up'],
  ]
  expect(seriesOf(decoded(series('0801 0802 0803 0802 12021001')))[0]!.labels).toEqual(labels)
  expect(seriesOf(decoded(series('0a020102 12021001 0a020302')))[0]!.labels).toEqual(labels)
})

test('limits: what a request may make of its body is bounded', () => {
  const limits = { symbols: 4, elements: 3, labelBytes: 100 }
  const decode = createRemoteWrite2Decoder(KEY, limits)
  const batch = createBatch()
  const samples = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ value: 1, timestamp: i }))

  expect(decode(rw2Of([up({ samples: samples(3) })]), batch)).toBeNull()
  expect(decode(rw2Of([up({ samples: samples(4) })]), batch)).toContain('more than 3 samples')
  expect(
    decode(rw2Of([1, 2, 3, 4].map(() => up({ exemplars: [{ value: 1, timestamp: 1 }] }))), batch),
  ).toContain('more than 3 series')
  const exemplars = samples(5).slice(1)
  expect(decode(rw2Of([up({ exemplars })]), batch)).toContain('more than 3 exemplars')
  expect(decode(rw2Of([withSample({ __name__: 'up', a: 'b' })]), batch)).toContain(
    'more than 4 symbols',
  )
  const wide = [0, 1, 2].map(() => withSample({ __name__: 'x'.repeat(30) }))
  expect(decode(rw2Of(wide), batch)).toContain('labels of more than 100 bytes')
  expect(decode(rw2Of(wide.slice(1)), batch)).toBeNull()
})
