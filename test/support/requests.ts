import fc from 'fast-check'
import { bitsOf, type Message, ORDINARY_NAN, STALE_NAN } from './remote-write.ts'

/** Random write requests, some of whose elements are invalid. */

const characters = fc.constantFrom('a', 'b', '_', 'é', '\u{1F600}', '\uFFFD', '\n', '"')
const shortText = fc.string({ unit: characters, maxLength: 3 })

export const labelName = fc.oneof({ weight: 8, arbitrary: shortText }, fc.constant('__name__'))
export const labelValue = fc.oneof(shortText, fc.constant('x'.repeat(127)))

/** Few names, so that they often meet; nearly always one that is the metric's. */
export const labels = fc
  .tuple(
    fc.array(fc.tuple(labelName, labelValue), { maxLength: 5 }),
    fc.oneof({ weight: 9, arbitrary: fc.constant(true) }, fc.constant(false)),
    fc.nat({ max: 5 }),
  )
  .map(([pairs, isNamed, place]): [string, string][] =>
    isNamed ? pairs.toSpliced(place, 0, ['__name__', 'up']) : pairs,
  )

export const valueBits = fc.oneof(
  fc.double().map(bitsOf),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.constantFrom(STALE_NAN, ORDINARY_NAN, 0n, 1n << 63n),
)

/** Close together, so that order and starts matter; some beyond what a double can tell apart. */
export const timestamp = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -5, max: 50 }) },
  // Of today, as the kernel reads them.
  { weight: 6, arbitrary: fc.nat({ max: 50 }).map((ms) => 1_700_000_000_000 + ms) },
  { weight: 2, arbitrary: fc.maxSafeInteger() },
  fc.constantFrom(2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)),
)

export const sample = fc.record({ value: valueBits, timestamp, startTimestamp: timestamp })

export const VALID_HISTOGRAM: Message = {
  countInt: 10,
  sum: 12.5,
  schema: 3,
  zeroThreshold: 1e-128,
  zeroCountInt: 1,
  positiveSpans: [
    { offset: -2, length: 2 },
    { offset: 3, length: 1 },
  ],
  positiveDeltas: [2, 1, -1],
  negativeSpans: [{ offset: 0, length: 1 }],
  negativeDeltas: [2],
  resetHint: 2,
}

export const FLOAT_HISTOGRAM: Message = {
  countFloat: 3.5,
  sum: -1,
  schema: -4,
  zeroCountFloat: 0.25,
  positiveSpans: [{ offset: 7, length: 2 }],
  positiveCounts: [1.5, 2],
  resetHint: 3,
}

export const CUSTOM_HISTOGRAM: Message = {
  countInt: 3,
  sum: 3,
  schema: -53,
  zeroCountInt: 0,
  positiveSpans: [{ offset: 1, length: 2 }],
  positiveDeltas: [1, 1],
  customValues: [0.5, 1],
}

export const INVALID_HISTOGRAM: Message = { ...VALID_HISTOGRAM, countInt: 99 }

export const histogram = fc
  .tuple(
    fc.constantFrom(VALID_HISTOGRAM, FLOAT_HISTOGRAM, CUSTOM_HISTOGRAM, INVALID_HISTOGRAM),
    timestamp,
    timestamp,
  )
  .map(([message, at, startTimestamp]): Message => ({ ...message, timestamp: at, startTimestamp }))

export const exemplar = fc.record({
  labels: fc.array(fc.tuple(labelName, labelValue), { maxLength: 2 }),
  value: valueBits,
  timestamp,
})

export const series = fc.record({
  labels,
  samples: fc.array(sample, { maxLength: 4 }),
  histograms: fc.array(histogram, { maxLength: 2 }),
  exemplars: fc.array(exemplar, { maxLength: 2 }),
  metadata: fc.record({ type: fc.nat({ max: 9 }), help: shortText, unit: shortText }),
  createdTimestamp: timestamp,
})

/** As senders write nearly all: sorted labels, one sample of today, metadata. */
const plainSeries = fc
  .record({
    name: fc.constantFrom('up', 'requests_total', 'x'.repeat(130)),
    pairs: fc.uniqueArray(fc.tuple(fc.constantFrom('a', 'b', 'cpu', 'job', 'é'), labelValue), {
      selector: ([name]) => name,
      maxLength: 4,
    }),
    value: valueBits,
    timestamp: fc.integer({ min: 2 ** 35 - 2, max: 2 ** 42 + 2 }),
    metadata: fc.record({ type: fc.nat({ max: 8 }), help: shortText, unit: shortText }),
  })
  .map(({ name, pairs, value, timestamp: at, metadata }) => ({
    labels: [['__name__', name] as [string, string], ...pairs.toSorted()],
    samples: [{ value, timestamp: at }],
    histograms: [],
    exemplars: [],
    metadata,
  }))

/** Runs of plain series, now and then with another between, and whatever else there may be. */
export const requests = fc.oneof(
  fc.array(series, { maxLength: 5 }),
  fc.array(fc.oneof({ weight: 7, arbitrary: plainSeries }, series), { maxLength: 12 }),
)
