import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addRecord, emptyGroup } from '../../src/persist/group.ts'
import { decodeRecordHeader, encodeRecordHeader, payloadCrcOf } from '../../src/persist/record.ts'
import { RecordScanner, type Scanned } from '../../src/persist/scan.ts'
import { MemoryDisk } from '../support/memory-disk.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)
const uint32 = fc.nat({ max: 0xffff_ffff })

const header = fc.record({
  lengthBytes: fc.nat({ max: 1 << 28 }),
  type: fc.nat({ max: 0xffff }),
  isGroupStart: fc.boolean(),
  lsn: fc.maxSafeNat(),
  chain: uint32,
  payloadCrc: uint32,
})

test('a header is read back as it was written, by the same store alone', () => {
  fc.assert(
    fc.property(header, uint32, uint32, (written, seed, other) => {
      const bytes = encodeRecordHeader(written, seed)
      expect(decodeRecordHeader(bytes, 0, seed)).toEqual(written)
      if (other !== seed) expect(decodeRecordHeader(bytes, 0, other)).toBeUndefined()
    }),
    { numRuns },
  )
})

test('every single flipped bit of a record is noticed', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 40 }), uint32, async (payload, seed) => {
      const group = emptyGroup(7, 1234)
      addRecord(group, 3, [payload], seed)
      const record = new Uint8Array(Buffer.concat(group.parts))
      expect(await scanned(record, seed)).toMatchObject({ kind: 'record', payload })
      for (let bit = 0; bit < record.length * 8; bit++) {
        const flipped = record.slice()
        flipped[bit >> 3]! ^= 1 << (bit & 7)
        expect((await scanned(flipped, seed)).kind).toBe('end')
      }
    }),
    { numRuns: Math.min(numRuns, 20) },
  )
})

test('the checksum of a payload does not depend on how it is cut into pieces', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array()), (parts) => {
      expect(payloadCrcOf(parts)).toBe(payloadCrcOf([Buffer.concat(parts)]))
    }),
    { numRuns },
  )
})

async function scanned(bytes: Uint8Array, seed: number): Promise<Scanned> {
  const disk = new MemoryDisk()
  disk.plant('/record', bytes)
  const file = await disk.open('/record', 'read')
  const scanner = new RecordScanner(file, {
    seed,
    position: 0,
    lsn: 7,
    chain: 1234,
    readAheadBytes: 64,
  })
  return scanner.next(bytes.length, 100)
}
