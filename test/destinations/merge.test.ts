import { expect, test } from 'vitest'
import { createMerge } from '../../src/destinations/merge.ts'
import type { Block } from '../../src/model/block.ts'
import { snappy } from '../../src/wire/snappy.ts'
import { blockOf, manySeries } from '../forward/parts.ts'
import { KEY } from '../support/decoding.ts'
import { decodeRw2, labelsOf, type SeriesLiteral, STALE_NAN } from '../support/remote-write.ts'

const labels = { __name__: 'requests_total', job: 'shop' }
const HISTOGRAM = {
  countInt: 3,
  sum: 4.5,
  schema: 2,
  zeroThreshold: 1e-9,
  zeroCountInt: 0,
  positiveSpans: [{ offset: 0, length: 2 }],
  positiveDeltas: [1, 1],
  timestamp: 1000,
}

/** Everything that a series can have. */
const BLOCKS: SeriesLiteral[][] = [
  [{ labels, samples: [{ value: 1, timestamp: 1000 }], metadata: { type: 1, help: 'So many.' } }],
  [
    { labels: { ...labels, job: 'bank' }, samples: [{ value: STALE_NAN, timestamp: 2000 }] },
    { labels: { __name__: 'latency_seconds' }, histograms: [HISTOGRAM] },
  ],
  [
    {
      labels: { ...labels, job: 'ship' },
      samples: [{ value: 2, timestamp: 3000, startTimestamp: 500 }],
      exemplars: [{ labels: { trace_id: 'abc' }, value: 2, timestamp: 2999 }],
    },
  ],
]

function contentOf(block: Block): unknown[] {
  const message = decodeRw2(snappy.decompress(block.message)!)
  return message.timeseries.map((series) => ({
    labels: labelsOf(message, series),
    samples: series.samples,
    histograms: series.histograms,
    exemplars: series.exemplars.map((one) => ({ ...one, labelsRefs: labelsOf(message, one) })),
    type: series.metadata?.type,
    help: message.symbols[series.metadata?.helpRef ?? 0],
  }))
}

test('all that is in several blocks is in one, in their order', () => {
  const blocks = BLOCKS.map((series, i) => blockOf(series, i + 7))
  const merged = createMerge(KEY)(blocks)!
  expect(contentOf(merged)).toEqual(blocks.flatMap(contentOf))
  expect(merged).toMatchObject({
    number: 7,
    cluster: 'prod-eu-1',
    counts: { samples: 3, histograms: 1, exemplars: 1 },
  })
  // One table of symbols for all of them.
  const { symbols } = decodeRw2(snappy.decompress(merged.message)!)
  expect(symbols.toSorted()).toEqual([...new Set(symbols)].toSorted())
})

test('nothing is left over from the merge before', () => {
  const merge = createMerge(KEY)
  merge([blockOf(manySeries(50)), blockOf(manySeries(3, 2000))])
  const blocks = [blockOf(manySeries(2, 3000)), blockOf(manySeries(1, 4000))]
  expect(contentOf(merge(blocks)!)).toEqual(blocks.flatMap(contentOf))
})

test('a block that cannot be read as a whole is merged with none', () => {
  const merge = createMerge(KEY)
  const good = blockOf(manySeries(2))
  const garbage = { ...good, message: Uint8Array.of(9, 9, 9) }
  expect(merge([good, garbage])).toBeNull()
  // Says that there is more in it than there is.
  const short = { ...good, counts: { ...good.counts, samples: 3 } }
  expect(merge([good, short])).toBeNull()
  expect(contentOf(merge([good, good])!)).toHaveLength(4)
})
