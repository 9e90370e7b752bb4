import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createRemoteWrite2Decoder } from '../../src/decode/remote-write-2.ts'
import { NAMED_BYTES_MAX, OUT_BYTES_MAX } from '../../src/kernel/layout.ts'
import { type Batch, createBatch } from '../../src/model/batch.ts'
import { createJudgement } from '../../src/model/judgement.ts'
import { RequestWriter } from '../../src/persist/request-writer.ts'
import { snappy } from '../../src/wire/snappy.ts'
import { seriesOf } from '../support/decoded.ts'
import { KEY, raw } from '../support/decoding.ts'
import { decodeRw2, rw2Of } from '../support/remote-write.ts'
import { requests } from '../support/requests.ts'
import { wholeOf } from '../support/rows.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)

const decode = createRemoteWrite2Decoder(KEY)
/** By the numbers that admission would give them; 0 is none. */
const FAMILIES = [
  undefined,
  { type: 1, help: Buffer.from('Seconds in each mode.'), unit: Buffer.from('seconds') },
  { type: 2, help: Buffer.alloc(0), unit: Buffer.alloc(0) },
]
const describe = (family = 0) => ({
  type: FAMILIES[family]?.type ?? 0,
  help: FAMILIES[family]?.help.toString() ?? '',
  unit: FAMILIES[family]?.unit.toString() ?? '',
})

function contentOf(writer: RequestWriter): Uint8Array {
  const { block, rawBytes } = writer.finish()
  const content = snappy.decompress(block)!
  expect(content.length).toBe(rawBytes)
  return content
}

/** One entry per kept sample, in order: what it is, and all that is said of its series. */
function keptOf(batch: Batch, isKept: (sample: number) => boolean, family: number) {
  let sample = 0
  return seriesOf(batch).flatMap(({ labels, metadata, samples }) => {
    const { type, help, unit } = metadata
    const known = type === 0 && help === '' && unit === '' ? describe(family) : metadata
    return samples
      .filter(() => isKept(sample++))
      .map((one) => ({ labels, metadata: known, ...one }))
  })
}

test('a message says what was kept of its pushes, in order, and nothing else', () => {
  const writer = new RequestWriter(KEY, (number) => FAMILIES[number])
  const batch = createBatch()
  const read = createBatch()
  fc.assert(
    fc.property(
      fc.array(fc.tuple(requests, fc.nat(), fc.nat(FAMILIES.length - 1)), { maxLength: 3 }),
      (pushes) => {
        writer.clear()
        const expected = pushes.flatMap(([series, seed, family]) => {
          expect(decode(rw2Of(series), batch)).toBeNull()
          // Exemplars have tests of their own.
          batch.exemplarCount = 0
          const isKept = (sample: number) => (seed + sample * sample) % 5 !== 0
          for (let i = 0; i < batch.sampleCount; i++) batch.sampleKeep[i] = isKept(i) ? 1 : 0
          batch.seriesFamily.fill(family, 0, batch.seriesCount)
          writer.add(batch, wholeOf(batch), createJudgement())
          return keptOf(batch, isKept, family)
        })
        const message = contentOf(writer)
        expect(decode(message, read)).toBeNull()
        expect(read.rejections.total).toBe(0)
        expect(keptOf(read, () => true, 0)).toEqual(expected)
      },
    ),
    { numRuns: numRuns * 3 },
  )
})

test('help that is empty under a number of its own is no help', () => {
  const writer = new RequestWriter(KEY, () => undefined)
  const batch = createBatch()
  const samples = [{ value: 2, timestamp: 1_700_000_000_000 }]
  const metadata = { helpRef: 3, unitRef: 3 }
  const request = raw(['', '__name__', 'up', ''], { labelsRefs: [1, 2], samples, metadata })
  expect(decode(request, batch)).toBeNull()
  batch.sampleKeep[0] = 1
  batch.seriesFamily[0] = 0
  writer.clear()
  writer.add(batch, wholeOf(batch), createJudgement())
  expect(decode(contentOf(writer), batch)).toBeNull()
  expect(seriesOf(batch)[0]!.metadata).toEqual({ type: 0, help: '', unit: '' })
})

test.each([
  ['the general way', 1],
  ['in the kernel', 1_700_000_000_000],
])('references of three bytes are read and written, %s', (_, timestamp) => {
  // Beyond 16,384 symbols; of the series' labels and of what they bring along.
  const series = Array.from({ length: 9_000 }, (_, i) => ({
    labels: { __name__: `metric_${i}`, instance: `host-${i}` },
    metadata: { type: 1, help: i % 1_000 === 999 ? `help ${i}` : '' },
    samples: [{ value: i, timestamp }],
  }))
  const batch = createBatch()
  expect(decode(rw2Of(series), batch)).toBeNull()
  expect(batch.symbolCount).toBeGreaterThan(16_384)
  batch.sampleKeep.fill(1, 0, series.length)
  const writer = new RequestWriter(KEY, () => undefined)
  writer.clear()
  writer.add(batch, wholeOf(batch), createJudgement())
  const read = createBatch()
  expect(decode(contentOf(writer), read)).toBeNull()
  expect(seriesOf(read)).toEqual(seriesOf(batch))
  expect(seriesOf(read)[8_999]?.labels).toEqual([
    ['__name__', 'metric_8999'],
    ['instance', 'host-8999'],
  ])
})

test('neighbours of all kinds are found again', () => {
  const batch = createBatch()
  const read = createBatch()
  const writer = new RequestWriter(KEY, () => undefined)
  // So many symbols that the numbers of those behind them take two bytes.
  const first = Array.from({ length: 70 }, (_, i) => ({
    labels: { __name__: `first_${i}`, [`label_of_${i}`]: 'value' },
    metadata: { type: 1, help: '' },
    samples: [{ value: 1, timestamp: 1_700_000_000_000, startTimestamp: 0 }],
  }))
  const edit = fc.record({
    label: fc.nat(11),
    // One of few, so that values return; long ones make numbers, and series, of more bytes.
    value: fc.oneof(fc.nat(9), fc.nat(400)),
    wide: fc.nat(5),
    number: fc.constantFrom(0, 0, 1, 1.5, 1e300, -7),
    start: fc.constantFrom(0, 0, 0, 1_699_999_000_000, 1_699_999_500_000),
    hasHelp: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(edit, { minLength: 2, maxLength: 60 }), (edits) => {
      const labels = new Map([['__name__', 'metric']])
      let isWide = false
      const edited = edits.map(({ label, value, wide, number, start, hasHelp }, i) => {
        // The same label again takes it away; some series have many labels, and the next few.
        const key = `label_${label}`
        if (labels.get(key) === `${value}`) labels.delete(key)
        else labels.set(key, `${value}`)
        if (wide === 0) isWide = !isWide
        const many = isWide ? Array.from({ length: 22 }, (_, w) => [`wide_${w}`, `${i}-${w}`]) : []
        const sample = {
          value: number,
          timestamp: 1_700_000_000_000 + (i % 3),
          startTimestamp: start,
        }
        return {
          labels: Object.fromEntries([...labels, ['position', `${i}`], ...many]),
          metadata: { type: 1, help: hasHelp ? 'help' : '' },
          samples: [sample],
        }
      })
      const series = [...first, ...edited]
      expect(decode(rw2Of(series), batch)).toBeNull()
      expect([batch.seriesCount, batch.rejections.total]).toEqual([series.length, 0])
      batch.sampleKeep.fill(1, 0, batch.sampleCount)
      batch.seriesFamily.fill(0, 0, batch.seriesCount)
      writer.clear()
      writer.add(batch, wholeOf(batch), createJudgement())
      const content = contentOf(writer)
      expect(decode(content, read)).toBeNull()
      expect(seriesOf(read)).toEqual(seriesOf(batch))
      // The start stands where receivers of today look for it, and where those of 3.7 do.
      const starts = decodeRw2(content).timeseries.map(({ samples, createdTimestamp }) => [
        samples[0]!.startTimestamp,
        createdTimestamp,
      ])
      expect(starts.slice(first.length)).toEqual(edits.map(({ start }) => [start, start]))
    }),
    { numRuns: numRuns * 3 },
  )
})

test('symbols that fill their room to the last byte leave what lies behind it alone', () => {
  // An entry of the table is a tag, two bytes of length, and the string.
  const VALUE_BYTES = 1_000
  const entry = VALUE_BYTES + 3
  const batch = createBatch()
  const read = createBatch()
  const writer = new RequestWriter(KEY, () => undefined)
  const first = '__name__'.length + 2 + 'm'.length + 2 + 'v'.length + 2
  for (let left = 0; left <= 8; left++) {
    const rest = NAMED_BYTES_MAX - left - first
    const whole = Math.floor(rest / entry) - 1
    const lengths = [...Array<number>(whole).fill(VALUE_BYTES), rest - whole * entry - 3]
    const series = [...lengths, ...Array<number>(400).fill(VALUE_BYTES)].map((length, i) => ({
      labels: { __name__: 'm', v: `${i}`.padEnd(length, '.') },
      samples: [{ value: i, timestamp: 1_700_000_000_000 }],
    }))
    expect(decode(rw2Of(series), batch)).toBeNull()
    batch.sampleKeep.fill(1, 0, batch.sampleCount)
    batch.seriesFamily.fill(0, 0, batch.seriesCount)
    writer.clear()
    writer.add(batch, wholeOf(batch), createJudgement())
    expect(decode(contentOf(writer), read)).toBeNull()
    expect(seriesOf(read)).toEqual(seriesOf(batch))
  }
})

test('a series that comes again and again takes no more room than there is', () => {
  // Where the table of series is full, nobody tells that it is the same.
  const labels = Array.from({ length: 60 }, (_, i) => [`l${i}`, 'v'])
  const one = {
    labels: { __name__: 'm', ...Object.fromEntries(labels) },
    samples: [{ value: 1, timestamp: 1_700_000_000_000 }],
  }
  const message = rw2Of([one])
  const again = rw2Of([one, one]).subarray(message.length)
  const count = Math.ceil((OUT_BYTES_MAX * 24) / again.length)
  const batch = createBatch()
  const read = createBatch()
  expect(decode(Buffer.concat([message, ...Array(count - 1).fill(again)]), batch)).toBeNull()
  expect(batch.seriesCount).toBe(count)
  batch.sampleKeep.fill(1, 0, count)
  batch.seriesFamily.fill(0, 0, count)
  const writer = new RequestWriter(KEY, () => undefined)
  writer.clear()
  writer.add(batch, wholeOf(batch), createJudgement())
  expect(decode(contentOf(writer), read)).toBeNull()
  const identities = (of: Batch) => Buffer.from(of.seriesIdentity.slice(0, count * 4).buffer)
  expect([read.seriesCount, read.rejections.total]).toEqual([count, 0])
  expect(identities(read).equals(identities(batch))).toBe(true)
})
