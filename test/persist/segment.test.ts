import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addRecord, emptyGroup } from '../../src/persist/group.ts'
import { RecordScanner } from '../../src/persist/scan.ts'
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  firstLsnOf,
  segmentName,
} from '../../src/persist/segment.ts'
import { MemoryDisk } from '../support/memory-disk.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)
const uint32 = fc.nat({ max: 0xffff_ffff })
const storeId = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((bytes) => Buffer.from(bytes).toString('hex'))
const header = fc.record({ version: uint32, storeId, firstLsn: fc.maxSafeNat(), chain: uint32 })

test('F6: a segment header is read back as it was written, and one flipped bit is noticed', () => {
  fc.assert(
    fc.property(header, (written) => {
      const bytes = encodeSegmentHeader(written)
      expect(bytes.length).toBe(64)
      expect(decodeSegmentHeader(bytes)).toEqual(written)
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        bytes[bit >> 3]! ^= 1 << (bit & 7)
        expect(decodeSegmentHeader(bytes)).toBeUndefined()
        bytes[bit >> 3]! ^= 1 << (bit & 7)
      }
    }),
    { numRuns: Math.min(numRuns, 50) },
  )
})

test('names sort as the numbers in them do, and other files are no segments', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (a, b) => {
      expect(firstLsnOf(segmentName(a))).toBe(a)
      expect(segmentName(a) < segmentName(b)).toBe(a < b)
    }),
    { numRuns },
  )
  for (const name of ['store.json', '1.log', '0000000000000001.log.torn-1', 'lock.1']) {
    expect(firstLsnOf(name)).toBeUndefined()
  }
})

test('a scan gives the same records whatever it reads ahead', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 12 }),
      fc.integer({ min: 1, max: 400 }),
      async (payloads, readAheadBytes) => {
        const { scanner, length } = await scannerOf(payloads, readAheadBytes)
        for (const [i, payload] of payloads.entries()) {
          const found = await scanner.next(length, 1000)
          expect(found).toMatchObject({ kind: 'record', header: { lsn: i + 1 }, payload })
        }
        expect((await scanner.next(length, 1000)).kind).toBe('end')
      },
    ),
    { numRuns },
  )
})

test('F6: a damaged stretch costs the records that it touches and no others', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 100 }), { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 33, max: 300 }),
      fc.nat(),
      fc.uint8Array({ minLength: 1, maxLength: 120 }),
      async (payloads, readAheadBytes, seed, garbage) => {
        const clean = recordsOf(payloads)
        const at = seed % clean.length
        const dirty = clean.slice()
        dirty.set(garbage.subarray(0, clean.length - at), at)
        const expected = payloads.flatMap((payload, i) => {
          const start = payloads.slice(0, i).reduce((bytes, one) => bytes + 32 + one.length, 0)
          const end = start + 32 + payload.length
          const isWhole =
            Buffer.compare(dirty.subarray(start, end), clean.subarray(start, end)) === 0
          return isWhole ? [i + 1] : []
        })
        const scanner = await scannerOver(dirty, readAheadBytes)
        const lsns: number[] = []
        for (;;) {
          const found = await scanner.next(dirty.length, 1000)
          if (found.kind === 'end') break
          if (found.kind === 'record') lsns.push(found.header.lsn)
        }
        expect(lsns).toEqual(expected)
      },
    ),
    { numRuns },
  )
})

test('F8: a sound record of an earlier life behind the last one is not taken for the next', async () => {
  const payloads = [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)]
  const records = recordsOf(payloads)
  const otherLife = recordsOf([
    Uint8Array.of(9),
    Uint8Array.of(8),
    Uint8Array.of(7),
    Uint8Array.of(6),
  ])
  const lower = new Uint8Array(Buffer.concat([records, records.subarray(33, 66)]))
  const sameNumber = new Uint8Array(Buffer.concat([records, otherLife.subarray(99)]))
  for (const bytes of [lower, sameNumber]) {
    const scanner = await scannerOver(bytes, 1000)
    for (const payload of payloads) {
      expect(await scanner.next(bytes.length, 1000)).toMatchObject({ kind: 'record', payload })
    }
    const end = await scanner.next(bytes.length, 1000)
    expect(end).toEqual({ kind: 'end', bytes: 33, reason: 'record out of place' })
  }
})

test('what a file holds beyond the limit of its segment is not read, however sound it is', async () => {
  const { scanner, length } = await scannerOf([Uint8Array.of(1), Uint8Array.of(2)], 1000)
  expect((await scanner.next(length, 2)).kind).toBe('record')
  expect(await scanner.next(length, 2)).toMatchObject({ kind: 'end', bytes: 33 })
  expect((await scanner.next(length - 1, 3)).kind).toBe('end')
  expect((await scanner.next(length, 3)).kind).toBe('record')
})

function recordsOf(payloads: readonly Uint8Array[]): Uint8Array {
  const group = emptyGroup(1, 0)
  for (const payload of payloads) addRecord(group, 1, [payload], 42)
  return new Uint8Array(Buffer.concat(group.parts))
}

async function scannerOf(payloads: readonly Uint8Array[], readAheadBytes: number) {
  const bytes = recordsOf(payloads)
  return { scanner: await scannerOver(bytes, readAheadBytes), length: bytes.length }
}

async function scannerOver(bytes: Uint8Array, readAheadBytes: number): Promise<RecordScanner> {
  const disk = new MemoryDisk()
  disk.plant('/segment', bytes)
  const file = await disk.open('/segment', 'read')
  return new RecordScanner(file, { seed: 42, position: 0, lsn: 1, chain: 0, readAheadBytes })
}
