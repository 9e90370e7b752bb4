import { expect, test } from 'vitest'
import type { Block } from '../../src/model/block.ts'
import { Relabeler } from '../../src/relabel/relabeler.ts'
import { RELABEL_DEFAULTS, type RelabelRule } from '../../src/relabel/rule.ts'
import { snappy } from '../../src/wire/snappy.ts'
import { blockOf, manySeries, NOTHING, samples } from '../forward/parts.ts'
import { KEY } from '../support/decoding.ts'
import {
  decodeRw2,
  encodeRw2,
  labelsOf,
  type SeriesLiteral,
  STALE_NAN,
} from '../support/remote-write.ts'

const ruleOf = (rule: Partial<RelabelRule>) => ({ ...RELABEL_DEFAULTS, ...rule })
const relabelerOf = (...rules: Partial<RelabelRule>[]) => new Relabeler(rules.map(ruleOf), KEY)

const HISTOGRAM = { countInt: 3, sum: 4.5, schema: 2, zeroCountInt: 3, timestamp: 1000 }

/** Everything that a series can have. */
const SERIES: SeriesLiteral[] = [
  {
    labels: { __name__: 'requests_total', job: 'shop', secret: 'hunter2' },
    samples: [{ value: STALE_NAN, timestamp: 1000, startTimestamp: 500 }],
    exemplars: [{ labels: { trace_id: 'abc', job: 'x' }, value: 2, timestamp: 999 }],
    metadata: { type: 1, help: 'So many.', unit: 'requests' },
    createdTimestamp: 500,
  },
  { labels: { __name__: 'latency_seconds', job: 'shop' }, histograms: [HISTOGRAM] },
  { labels: { __name__: 'up', job: 'bank' }, samples: [{ value: 1, timestamp: -1 }] },
]

const messageOf = ({ message }: Block) => decodeRw2(snappy.decompress(message)!)

function contentOf(block: Block): unknown[] {
  const message = messageOf(block)
  return message.timeseries.map(({ labelsRefs, metadata, ...series }) => ({
    ...series,
    labels: Object.fromEntries(labelsOf(message, { labelsRefs })),
    exemplars: series.exemplars.map((one) => ({ ...one, labelsRefs: labelsOf(message, one) })),
    type: metadata?.type,
    help: message.symbols[metadata?.helpRef ?? 0],
    unit: message.symbols[metadata?.unitRef ?? 0],
  }))
}

test('labels change, and nothing else does', () => {
  const block = blockOf(SERIES, 7)
  const added = { targetLabel: 'cluster', replacement: 'eu-1' }
  const { block: left, dropped } = relabelerOf(added).apply(block)!
  expect(dropped).toEqual(NOTHING)
  const { message: _, rawBytes: __, ...head } = block
  expect(left).toMatchObject(head)
  const withCluster = contentOf(block).map((one) => {
    const { labels } = one as { labels: object }
    return { ...(one as object), labels: { ...labels, cluster: 'eu-1' } }
  })
  expect(contentOf(left!)).toEqual(withCluster)
  expect(left!.rawBytes).toBe(snappy.decompress(left!.message)!.length)
  const message = messageOf(left!)
  const names = message.timeseries.map((one) => labelsOf(message, one).map(([name]) => name))
  expect(names).toEqual(names.map((each) => each.toSorted()))
})

test('what is dropped is counted, and leaves no trace in the message', () => {
  const rules = [
    { action: 'drop', sourceLabels: ['__name__'], regex: 'latency.*' },
    { action: 'labeldrop', regex: 'secret' },
  ] as const
  const { block, dropped } = relabelerOf(...rules).apply(blockOf(SERIES))!
  expect(dropped).toEqual({ ...NOTHING, histograms: 1 })
  expect(block!.counts).toEqual({ samples: 2, histograms: 0, exemplars: 1 })
  const { symbols } = messageOf(block!)
  expect(symbols).not.toContain('hunter2')
  expect(symbols).not.toContain('latency_seconds')
  expect(symbols.toSorted()).toEqual([...new Set(symbols)].toSorted())
})

test('exemplars of a series that is dropped go with it', () => {
  const keep = { action: 'keep', sourceLabels: ['__name__'], regex: 'up' } as const
  const { block, dropped } = relabelerOf(keep).apply(blockOf(SERIES))!
  expect(dropped).toEqual({ samples: 1, histograms: 1, exemplars: 1 })
  expect(block!.counts).toEqual(samples(1))
})

test('a block that no rule touches is the same bytes', () => {
  const block = blockOf(SERIES)
  const drop = { action: 'drop', sourceLabels: ['job'], regex: 'none' } as const
  expect(relabelerOf(drop).apply(block)!.block).toBe(block)
})

test('of a block of which all is dropped nothing is left', () => {
  const none = { action: 'keep', sourceLabels: ['job'], regex: 'none' } as const
  const all = { samples: 2, histograms: 1, exemplars: 1 }
  expect(relabelerOf(none).apply(blockOf(SERIES))).toEqual({ block: null, dropped: all })
})

test('a series without any label is dropped; one without a name is not', () => {
  const nameless = relabelerOf({ action: 'labeldrop', regex: '__name__' })
  const block = blockOf([
    { labels: { __name__: 'up' }, samples: [{ value: 1, timestamp: 1 }] },
    { labels: { __name__: 'up', job: 'a' }, samples: [{ value: 2, timestamp: 1 }] },
  ])
  const { block: left, dropped } = nameless.apply(block)!
  expect(dropped).toEqual(samples(1))
  expect(contentOf(left!)).toMatchObject([{ labels: { job: 'a' } }])
})

test('series that become one stay apart, in their order', () => {
  const merging = relabelerOf({ action: 'labeldrop', regex: 'instance' })
  const { block } = merging.apply(blockOf(manySeries(3)))!
  const values = contentOf(block!).map((one) => (one as { samples: { value: number }[] }).samples)
  expect(values.map(([sample]) => sample!.value)).toEqual([0, 1, 2])
})

test('what is remembered of a series is what the rules say of it', () => {
  const rules = [
    ruleOf({ action: 'drop', sourceLabels: ['instance'], regex: '.*3' }),
    ruleOf({ action: 'drop', sourceLabels: ['instance'], regex: '(.)1.*' }),
    ruleOf({ sourceLabels: ['instance'], regex: '(.)(.*)', targetLabel: 'first' }),
    ruleOf({ sourceLabels: ['instance'], regex: '7.*', targetLabel: 'instance' }),
  ]
  // Enough for all, for few and for one at a time; and for more than the table begins with.
  for (const seriesMax of [10_000, 50, 1]) {
    const relabeler = new Relabeler(rules, KEY, seriesMax)
    for (const [from, count] of [
      [0, 1500],
      [700, 1500],
      [0, 100],
      [0, 1500],
    ] as const) {
      const block = blockOf(manySeries(from + count).slice(from))
      const afresh = new Relabeler(rules, KEY).apply(block)!
      const { block: left, dropped } = relabeler.apply(block)!
      expect(dropped).toEqual(afresh.dropped)
      expect(left!.message).toEqual(afresh.block!.message)
    }
  }
})

test('a series is remembered once, whatever its neighbours are', () => {
  const relabeler = relabelerOf({ targetLabel: 'a', replacement: 'b' })
  const odd = { labels: { __name__: 'odd' }, samples: [{ value: 1, timestamp: 1 }] }
  const series = [...manySeries(20), odd]
  for (let i = 0; i < 5; i++) {
    relabeler.apply(blockOf([...series.slice(i), ...series.slice(0, i)].toReversed()))
    relabeler.apply(blockOf([...series.slice(i), ...series.slice(0, i)]))
  }
  expect(relabeler.remembered).toBe(21)
})

test('a block that cannot be read is not let out', () => {
  const relabeler = relabelerOf({ targetLabel: 'a', replacement: 'b' })
  const good = blockOf(manySeries(3))
  const raw = snappy.decompress(good.message)!
  for (let length = 1; length < raw.length; length++) {
    const message = snappy.compress(raw.slice(0, length))
    const relabelled = relabeler.apply({ ...good, message })
    if (relabelled === null) continue
    // Cut between two series: what is there was read.
    const labels = contentOf(relabelled.block!) as { labels: { a?: string } }[]
    expect(labels.map(({ labels: { a } }) => a)).toEqual(labels.map(() => 'b'))
  }
  expect(relabeler.apply({ ...good, message: Uint8Array.of(9, 9, 9) })).toBeNull()
})

test.for([
  ['labels', { labelsRefs: [1, 9] }],
  ['labels, of which one has no value', { labelsRefs: [1] }],
  ['an exemplar', { exemplars: [{ labelsRefs: [1, 9], value: 1, timestamp: 1 }] }],
  ['metadata', { metadata: { type: 1, helpRef: 9 } }],
] as const)('a reference to no symbol is damage: %s', ([, damage]) => {
  const relabeler = relabelerOf({ targetLabel: 'a', replacement: 'b' })
  const series = { labelsRefs: [1, 2], samples: [{ value: 1, timestamp: 1 }] }
  const blockWith = (one: object) => {
    const raw = encodeRw2({ symbols: ['', '__name__', 'up'], timeseries: [one] })
    return { ...blockOf([]), counts: samples(1), message: snappy.compress(raw) }
  }
  expect(relabeler.apply(blockWith({ ...series, ...damage }))).toBeNull()
  expect(relabeler.apply(blockWith(series))).not.toBeNull()
})
