import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createRemoteWrite2Decoder } from '../../src/decode/remote-write-2.ts'
import { type Batch, createBatch } from '../../src/model/batch.ts'
import { createJudgement } from '../../src/model/judgement.ts'
import { RequestWriter } from '../../src/persist/request-writer.ts'
import { snappy } from '../../src/wire/snappy.ts'
import { seriesOf } from '../support/decoded.ts'
import { KEY, raw } from '../support/decoding.ts'
import { rw2Of } from '../support/remote-write.ts'
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

test('references of three bytes are read and written', () => {
  // Beyond 16,384 symbols; of the series' labels and of what they bring along.
  const series = Array.from({ length: 9_000 }, (_, i) => ({
    labels: { __name__: `metric_${i}`, instance: `host-${i}` },
    metadata: { type: 1, help: i % 1_000 === 999 ? `help ${i}` : '' },
    samples: [{ value: i, timestamp: 1 }],
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
