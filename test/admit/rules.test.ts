import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Admission } from '../../src/admit/admission.ts'
import { createRemoteWrite1Decoder } from '../../src/decode/remote-write-1.ts'
import { type Batch, createBatch } from '../../src/model/batch.ts'
import type { Judgement } from '../../src/model/judgement.ts'
import { KEY } from '../support/decoding.ts'
import { type FamilyLiteral, rw1Of, type SeriesLiteral } from '../support/remote-write.ts'
import { batchOf, type Row, wholeOf } from '../support/rows.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)
const NOW_MS = 1_000_000
const AHEAD_MS = NOW_MS + 600_000

type Sample = Row & { high: number; isHistogram: boolean }

/** The rules as they are told: of each series its newest sample, and nothing else. */
class Rules {
  kept: Sample[] = []
  duplicates = 0
  conflicts = 0
  refused = 0
  readonly #newest = new Map<number, Sample>()

  take(samples: readonly Sample[]): boolean[] {
    this.kept = samples.filter((sample) => this.#isKept(sample))
    return samples.map((sample) => this.kept.includes(sample))
  }

  #isKept(sample: Sample): boolean {
    const newest = this.#newest.get(sample.series)
    if (sample.timestampMs > AHEAD_MS) this.refused += 1
    else if (newest === undefined || sample.timestampMs > newest.timestampMs) {
      this.#newest.set(sample.series, sample)
      return true
    } else if (sample.timestampMs < newest.timestampMs) this.refused += 1
    else if (sample.value === newest.value && sample.high === newest.high) this.duplicates += 1
    else this.conflicts += 1
    return false
  }
}

/** Neighbouring series in order, as senders send them, and now and then another order. */
const samples: fc.Arbitrary<Sample[]> = fc
  .array(
    fc.record({
      series: fc.nat(9),
      timestampMs: fc.oneof(
        fc.integer({ min: 1, max: 6 }).map((tick) => tick * 1000),
        fc.constantFrom(AHEAD_MS, AHEAD_MS + 1),
      ),
      value: fc.nat(1),
      high: fc.nat(1),
      isHistogram: fc.boolean(),
    }),
    { maxLength: 14 },
  )
  .chain((rows) =>
    fc.boolean().map((isSorted) => (isSorted ? rows.sort((a, b) => a.series - b.series) : rows)),
  )

function batchOfSamples(list: readonly Sample[]): Batch {
  const batch = batchOf(list)
  list.forEach(({ high, isHistogram }, i) => {
    batch.sampleBits[i * 2 + 1] = high
    batch.sampleHistogramEnd[i] = isHistogram ? 1 : 0
    // As if the push before had kept the sample in this place.
    batch.sampleKeep[i] = 1
  })
  return batch
}

test('what is kept, counted and told of a push follows from the newest sample of each series', () => {
  fc.assert(
    fc.property(fc.array(samples, { maxLength: 8 }), (pushes) => {
      const admission = new Admission({ seriesMax: 100, outOfOrderWindowMs: 0, lastBlock: 0 })
      const rules = new Rules()
      pushes.forEach((list, i) => {
        const batch = batchOfSamples(list)
        const before = rules.refused
        const isKept = rules.take(list)
        const judgement = admission.judge(batch, wholeOf(batch), i + 1, NOW_MS, 0)
        expect(list.map((_, at) => batch.sampleKeep[at] === 1)).toEqual(isKept)
        const histograms = rules.kept.filter(({ isHistogram }) => isHistogram).length
        expect(judgement.kept.histograms).toBe(histograms)
        expect(judgement.kept.samples).toBe(rules.kept.length - histograms)
        const { refused, minTimestampMs, maxTimestampMs } = judgement
        expect(refused.samples + refused.histograms).toBe(rules.refused - before)
        const times = rules.kept.map(({ timestampMs }) => timestampMs)
        expect([minTimestampMs, maxTimestampMs]).toEqual([Math.min(...times), Math.max(...times)])
      })
      expect(admission.duplicateSamples).toBe(rules.duplicates)
      expect(admission.conflictingSamples).toBe(rules.conflicts)
    }),
    { numRuns: numRuns * 5 },
  )
})

describe('a series that stands where it is expected', () => {
  const admission = () => new Admission({ seriesMax: 100, outOfOrderWindowMs: 0, lastBlock: 0 })
  const decode = createRemoteWrite1Decoder(KEY)
  const at = (timestamp: number, more: Partial<SeriesLiteral> = {}): SeriesLiteral => ({
    labels: { __name__: 'up' },
    samples: [{ value: 1, timestamp }],
    ...more,
  })

  function push(
    to: Admission,
    series: readonly SeriesLiteral[],
    { families = [], seconds = 0 }: { families?: FamilyLiteral[]; seconds?: number } = {},
  ): { batch: Batch; judgement: Judgement } {
    const batch = createBatch()
    // The series before it leads to the row; without it, the row is looked up.
    const before = series.map((one) => ({ ...one, labels: { __name__: 'before' }, exemplars: [] }))
    expect(decode(rw1Of([...before, ...series], families), batch)).toBeNull()
    to.metadata.learn(batch)
    return { batch, judgement: to.judge(batch, wholeOf(batch), 1, NOW_MS, seconds) }
  }

  test('gets the description that came after it, and each that comes later', () => {
    const to = admission()
    expect(push(to, [at(1)]).judgement.addsMetadata).toBe(false)
    const families = [{ metricFamilyName: 'up', type: 2, help: 'Is it up?', unit: '' }]
    push(to, [], { families })
    for (const timestamp of [2, 3]) {
      const { batch, judgement } = push(to, [at(timestamp)])
      expect(judgement.addsMetadata).toBe(true)
      expect(to.metadata.family(batch.seriesFamily[1]!)?.type).toBe(2)
    }
  })

  test('stays as long as it is seen, and ten of its intervals', () => {
    const to = admission()
    const sweepAt = (seconds: number) => {
      for (let i = 0; i < 61; i++) to.sweep(seconds)
      return to.table.live
    }
    push(to, [at(1_000)], { seconds: 0 })
    push(to, [at(200_000)], { seconds: 199 })
    push(to, [at(200_000)], { seconds: 500 })
    expect(sweepAt(1_099)).toBe(2)
    expect(sweepAt(500 + 10 * 199)).toBe(2)
    expect(sweepAt(501 + 10 * 199)).toBe(0)
  })

  test('carries no exemplar when its sample is a duplicate', () => {
    const to = admission()
    const exemplars = [{ labels: { trace_id: 'a' }, value: 1, timestamp: 5 }]
    push(to, [at(1)])
    const { judgement } = push(to, [at(1, { exemplars })])
    expect(judgement.kept.exemplars).toBe(0)
    expect(push(to, [at(2)]).judgement.held).toHaveLength(1)
  })
})
