import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createRemoteWrite1Decoder } from '../../src/decode/remote-write-1.ts'
import { createRemoteWrite2Decoder } from '../../src/decode/remote-write-2.ts'
import { createBatch } from '../../src/model/batch.ts'
import { rejectedOf, seriesOf } from '../support/decoded.ts'
import { KEY } from '../support/decoding.ts'
import { decodeNaively } from '../support/naive-decoder.ts'
import { encodeRw1, encodeRw2 } from '../support/remote-write.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)

type Labels = [name: string, value: string][]

/** What neighbours differ by; most changes leave the labels sorted and some do not. */
const change: fc.Arbitrary<(labels: Labels) => Labels> = fc
  .record({
    kind: fc.constantFrom('insert', 'remove', 'exchange', 'swap'),
    place: fc.nat(9),
    name: fc.constantFrom('__name__', 'a', 'ab', 'b', 'c', 'd', 'e', 'f', '', 'é'),
    value: fc.constantFrom('up', 'x', 'y', 'a longer value', ''),
  })
  .map(({ kind, place, name, value }) => (labels) => {
    const at = place % (labels.length + 1)
    const here = labels[at]
    if (kind === 'insert' || here === undefined) return labels.toSpliced(at, 0, [name, value])
    if (kind === 'remove') return labels.toSpliced(at, 1)
    if (kind === 'exchange') return labels.with(at, [here[0], value])
    return labels.toSpliced(at, 1).toSpliced(place % labels.length, 0, here)
  })

const neighbours = fc.array(fc.array(change, { maxLength: 3 }), { maxLength: 12 }).map((steps) => {
  let labels = ['__name__', 'a', 'b', 'c', 'e'].map((name): [string, string] => [name, 'x'])
  return steps.map((changes) => {
    for (const apply of changes) labels = apply(labels)
    return labels
  })
})

/** Of today: the kernel reads no others. */
const samples = [{ value: 1, timestamp: 1_700_000_000_000 }]

function rw1Of(series: Labels[]): Uint8Array {
  const timeseries = series.map((labels) => ({
    labels: labels.map(([name, value]) => ({ name, value })),
    samples,
  }))
  return encodeRw1({ timeseries })
}

function rw2Of(series: Labels[]): Uint8Array {
  const symbols = ['', ...new Set(series.flat(2).filter((text) => text !== ''))]
  const timeseries = series.map((labels) => ({
    labelsRefs: labels.flat().map((text) => symbols.indexOf(text)),
    samples,
  }))
  return encodeRw2({ symbols, timeseries })
}

/** So many labels, the last ones of other values than those of another `seed`. */
function labelled(count: number, seed: string): Labels {
  const name = (i: number) => (i === 0 ? '__name__' : `label_${String(i).padStart(3, '0')}`)
  return Array.from({ length: count }, (_, i) => [name(i), i < count - 2 ? 'same' : seed])
}

/** Two targets: a metric with a label more, one with another, and one with none of its own. */
const TARGETS: Labels[] = ['10.0.0.1', '10.0.0.23'].flatMap((instance) =>
  [
    ['cpu', ['cpu', '0'], ['mode', 'idle']],
    ['cpu', ['cpu', '0'], ['mode', 'iowait']],
    ['cpu', ['cpu', '1'], ['mode', 'idle']],
    ['disk_reads', ['device', 'vda']],
    ['load1'],
    ['up'],
    ['disk_reads', ['device', 'vdb']],
  ].map(
    ([name, ...own]): Labels => [
      ['__name__', `node_${name}`],
      ...([['cluster', 'eu'], ...own, ['instance', instance], ['job', 'node']] as Labels).toSorted(
        ([one], [other]) => (one < other ? -1 : 1),
      ),
    ],
  ),
)

for (const [version, encode, createDecoder, readPlain] of [
  ['1.0', rw1Of, createRemoteWrite1Decoder, 'readPlainSeries1'],
  ['2.0', rw2Of, createRemoteWrite2Decoder, 'readPlainSeries2'],
] as const) {
  const decode = createDecoder(KEY)

  test(`Remote Write ${version}: a series is read alike, whichever was before it`, () => {
    const batch = createBatch()
    const alone = createBatch()
    const rest = { histograms: [], exemplars: [], createdTimestamp: 0 }
    const metadata = { type: 0, help: '', unit: '' }
    fc.assert(
      fc.property(neighbours, (series) => {
        expect(decode(encode(series), batch)).toBeNull()
        const sent = series.map((labels) => ({
          labels,
          samples: samples.map((sample) => ({ ...sample, startTimestamp: 0 })),
          metadata,
          ...rest,
        }))
        const expected = decodeNaively(sent, { isHistogramValid: () => true, mayBeEmpty: false })
        expect(seriesOf(batch)).toEqual(expected.series)
        expect(rejectedOf(batch)).toEqual(expected.rejected)
        const identities = series.flatMap((labels) => {
          expect(decode(encode([labels]), alone)).toBeNull()
          return alone.seriesCount === 0 ? [] : [alone.seriesIdentity.slice(0, 4)]
        })
        const found = identities.map((_, i) => batch.seriesIdentity.slice(i * 4, i * 4 + 4))
        expect(found).toEqual(identities)
      }),
      { numRuns: numRuns * 5 },
    )
  })

  test(`Remote Write ${version}: series as targets have them are read by the kernel in one go`, () => {
    const batch = createBatch()
    const { kernel } = batch
    const read = kernel[readPlain].bind(kernel)
    const left: number[] = []
    kernel[readPlain] = (from, limit) => {
      const to = read(from, limit)
      left.push(limit - to)
      return to
    }
    expect(decode(encode(TARGETS), batch)).toBeNull()
    expect(seriesOf(batch).map(({ labels }) => labels)).toEqual(TARGETS)
    expect(left).toEqual([0])
  })

  test(`Remote Write ${version}: many labels are read, and more or fewer in the next series`, () => {
    const series = [3, 63, 64, 65, 200, 64, 66, 1, 64, 70, 2].map((n, i) => labelled(n, `v${i}`))
    const batch = createBatch()
    expect(decode(encode(series), batch)).toBeNull()
    expect(seriesOf(batch).map(({ labels }) => labels)).toEqual(series)
  })

  test(`Remote Write ${version}: the labels of all series together are bounded, to the byte`, () => {
    const series = [12, 12, 3, 11, 2, 40].map((n, i) => labelled(n, 'v'.repeat(i + 1)))
    const bytes = series.flat(2).join('').length
    const batch = createBatch()
    const limits = { symbols: 100, elements: 100, labelBytes: bytes }
    expect(createDecoder(KEY, limits)(encode(series), batch)).toBeNull()
    const tight = createDecoder(KEY, { ...limits, labelBytes: bytes - 1 })
    expect(tight(encode(series), batch)).toContain(`more than ${bytes - 1} bytes`)
  })
}
