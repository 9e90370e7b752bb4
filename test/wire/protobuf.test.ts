import fc from 'fast-check'
import protobuf from 'protobufjs'
import { expect, test } from 'vitest'
import { ProtobufReader } from '../../src/wire/protobuf-reader.ts'
import { ProtobufWriter, varintBytes } from '../../src/wire/protobuf-writer.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)

const uint64 = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.nat({ max: 64 }).map((bit) => BigInt.asUintN(64, 2n ** BigInt(bit))),
  fc.nat({ max: 64 }).map((bit) => BigInt.asUintN(64, 2n ** BigInt(bit) - 1n)),
)
const uint32 = fc.oneof(fc.nat({ max: 300 }), fc.nat({ max: 0xffff_ffff }))
const sint32 = fc.oneof(fc.integer(), fc.integer({ min: -300, max: 300 }))
const safeInteger = fc.oneof(fc.maxSafeInteger(), fc.constantFrom(0, -1, -(2 ** 32), 2 ** 32 - 1))

const low = (value: bigint) => Number(value & 0xffff_ffffn)
const high = (value: bigint) => Number(value >> 32n)

test('every kind of number comes back as it was written', () => {
  fc.assert(
    fc.property(uint32, sint32, uint64, safeInteger, uint64, (small, signed, wide, time, raw) => {
      const writer = new ProtobufWriter(1)
      writer.uint32(small)
      expect(writer.at).toBe(varintBytes(small))
      writer.sint32(signed)
      writer.varint64(low(wide), high(wide))
      writer.int64(time)
      writer.fixed64(low(raw), high(raw))

      const reader = new ProtobufReader()
      reader.reset(writer.written())
      expect(reader.uint32()).toBe(small)
      expect(reader.sint32()).toBe(signed)
      expect([reader.varint64(), reader.high]).toEqual([low(wide), high(wide)])
      expect(reader.int64()).toBe(time === 0 ? 0 : time)
      expect([reader.fixed64(), reader.high]).toEqual([low(raw), high(raw)])
      expect(reader.hasMore()).toBe(false)
      expect(reader.malformed).toBeNull()
    }),
    { numRuns },
  )
})

test('numbers are written byte by byte as protobufjs writes them', () => {
  fc.assert(
    fc.property(uint32, sint32, safeInteger, (small, signed, time) => {
      const theirs = protobuf.Writer.create().uint32(small).sint32(signed).int64(time).finish()
      const ours = new ProtobufWriter()
      ours.uint32(small)
      ours.sint32(signed)
      ours.int64(time)
      expect(Buffer.compare(ours.written(), theirs)).toBe(0)
    }),
    { numRuns },
  )
})

test('an int64 is read as the nearest double, and never brought below 2^53', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      const unsigned = BigInt.asUintN(64, value)
      const writer = new ProtobufWriter()
      writer.varint64(low(unsigned), high(unsigned))
      const reader = new ProtobufReader()
      reader.reset(writer.written())
      expect(reader.int64()).toBe(Number(value))
    }),
    { numRuns },
  )
})

test('a nested message of any length is found again, with what follows it', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom(0, 1, 126, 127, 128, 16_383, 16_384),
      (head, length) => {
        const content = new Uint8Array(length).map((_, i) => i * 7 + head.length)
        const writer = new ProtobufWriter(1)
        writer.uint32(0x0a)
        const outer = writer.open()
        writer.lengthDelimited(head, 0, head.length)
        const inner = writer.open()
        writer.raw(content, 0, length)
        writer.close(inner)
        writer.close(outer)
        writer.uint32(77)

        const reader = new ProtobufReader()
        reader.reset(writer.written())
        expect(reader.uint32()).toBe(0x0a)
        const end = reader.enter()
        const headLength = reader.skipBytes()
        const headBytes = reader.bytes.subarray(reader.at - headLength, reader.at)
        expect(Buffer.compare(headBytes, head)).toBe(0)
        const contentLength = reader.skipBytes()
        const contentBytes = reader.bytes.subarray(reader.at - contentLength, reader.at)
        expect(Buffer.compare(contentBytes, content)).toBe(0)
        expect(reader.hasMore()).toBe(false)
        reader.leave(end)
        expect(reader.uint32()).toBe(77)
        expect(reader.malformed).toBeNull()
      },
    ),
    { numRuns },
  )
})

test('skipping passes over exactly one value of each wire type', () => {
  for (const [tag, value] of [
    [0x08, '80808080808080808001'],
    [0x09, '0102030405060708'],
    [0x0a, '03616263'],
    [0x0d, '01020304'],
  ] as const) {
    const reader = new ProtobufReader()
    reader.reset(Buffer.from(`${value}2a`, 'hex'))
    reader.skip(tag)
    expect(reader.uint32()).toBe(42)
    expect(reader.malformed).toBeNull()
  }
})

test('groups, unused wire types and field 0 are malformed', () => {
  for (const tag of [0x0b, 0x0c, 0x0e, 0x0f, 0x00, 0x02]) {
    const reader = new ProtobufReader()
    reader.reset(new Uint8Array(20))
    reader.skip(tag)
    expect(reader.malformed).not.toBeNull()
    expect(reader.hasMore()).toBe(false)
  }
})

test('a number of eleven bytes is malformed', () => {
  for (const read of ['uint32', 'varint64', 'int64'] as const) {
    const reader = new ProtobufReader()
    reader.reset(Buffer.from(`${'80'.repeat(10)}01`, 'hex'))
    expect(reader[read]()).toBe(0)
    expect(reader.malformed).toContain('ten bytes')
  }
})

test('a varint longer than needed is read as what it says', () => {
  const reader = new ProtobufReader()
  reader.reset(Buffer.from('8580808080808080800085808080808080808000', 'hex'))
  expect(reader.uint32()).toBe(5)
  expect(reader.uint32()).toBe(5)
  expect(reader.malformed).toBeNull()
})

const step = fc.constantFrom(
  ...(['uint32', 'sint32', 'varint64', 'int64', 'fixed64', 'skipBytes', 'enter', 'skip'] as const),
)

test('whatever is read from whatever bytes, it stays inside, ends, and never throws', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.array(step), (bytes, steps) => {
      const reader = new ProtobufReader()
      const padded = Buffer.concat([Buffer.alloc(5, 0xff), bytes, Buffer.alloc(20, 0x01)])
      reader.reset(padded, 5, 5 + bytes.length)
      const outers: number[] = []
      for (const name of steps) {
        const before = reader.malformed
        if (name === 'skip') reader.skip(reader.uint32())
        else if (name === 'enter') outers.push(reader.enter())
        else reader[name]()
        expect(reader.at).toBeLessThanOrEqual(reader.limit)
        expect(reader.limit).toBeLessThanOrEqual(5 + bytes.length)
        if (before !== null) expect(reader.malformed).toBe(before)
      }
      for (const outer of outers.reverse()) reader.leave(outer)
    }),
    { numRuns: numRuns * 5 },
  )
})
