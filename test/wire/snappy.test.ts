import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Kernel } from '../../src/kernel/kernel.ts'
import {
  declaredLength,
  decompressInto,
  inspect,
  nativeSnappy,
  portableSnappy,
  type Snappy,
  snappy,
} from '../../src/wire/snappy.ts'
import { SnappyWriter } from '../../src/wire/snappy-writer.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)

const native = nativeSnappy()!
const portable = portableSnappy()
const memory = new Kernel()
const writer = new SnappyWriter()
const kernel: Snappy = {
  decompress: (body) => decompressInto(memory, body),
  // In parts, as it is used.
  compress: (raw) => {
    writer.clear()
    writer.add(raw.subarray(7))
    return writer.finish(raw.subarray(0, 7)).block
  },
}
const all: [string, Snappy][] = [
  ['native', native],
  ['portable', portable],
  ['kernel', kernel],
]

/** Text and runs, so that blocks have literals and copies of every kind. */
const content = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .constantFrom('cluster', 'node_cpu_seconds_total', 'aaaaaaa')
        .map((text) => Buffer.from(text)),
      fc.nat({ max: 3000 }).map((length) => new Uint8Array(length)),
      // Copies that overlap what they write, of every short offset.
      fc
        .tuple(fc.uint8Array({ minLength: 1, maxLength: 20 }), fc.nat({ max: 40 }))
        .map(([period, times]) => Buffer.concat(Array.from({ length: times }, () => period))),
    ),
    { maxLength: 20 },
  )
  .map((parts) => new Uint8Array(Buffer.concat(parts)))

/** Bytes that look random, and the same ones for the same seed. */
function noise(seed: number, length: number): Uint8Array {
  let state = seed + 1
  return Uint8Array.from({ length }, () => {
    state = Math.imul(state, 1_664_525) + 1_013_904_223
    return state >>> 24
  })
}

test('the native library loads here and is the one in use', () => {
  expect(nativeSnappy()).not.toBeNull()
  const raw = Buffer.from('some content that repeats, some content that repeats')
  expect(snappy.compress(raw)).toEqual(native.compress(raw))
})

for (const [name, implementation] of all) {
  test(`${name}: what is compressed comes back, and declares its length`, () => {
    fc.assert(
      fc.property(content, (raw) => {
        const body = implementation.compress(raw)
        expect(declaredLength(body)).toBe(raw.length)
        expect(inspect(body, raw.length)).toBeNull()
        expect(sameBytes(native.decompress(body), raw)).toBe(true)
        expect(sameBytes(portable.decompress(body), raw)).toBe(true)
        expect(sameBytes(kernel.decompress(body), raw)).toBe(true)
      }),
      { numRuns },
    )
  })

  test(`${name}: what is larger than a fragment comes back, whether it repeats or not`, () => {
    // Snappy looks for repetition in fragments of 64 KiB, and copies reach over any distance.
    const sizes = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 90_000 })), { maxLength: 6 })
    fc.assert(
      fc.property(sizes, (pieces) => {
        const raw = Buffer.concat(pieces.map(([seed, length]) => noise(seed % 3, length)))
        const body = implementation.compress(raw)
        for (const other of [native, portable, kernel]) {
          expect(sameBytes(other.decompress(body), raw)).toBe(true)
        }
      }),
      { numRuns: Math.ceil(numRuns / 5) },
    )
  })

  test(`${name}: a cut or changed length is damage`, () => {
    fc.assert(
      fc.property(content, fc.nat(), (raw, seed) => {
        const body = implementation.compress(raw)
        expect(implementation.decompress(body.subarray(0, seed % body.length))).toBeNull()
        const lying = Uint8Array.from(body)
        lying[0]! ^= 1 << (seed % 7)
        expect(implementation.decompress(lying)).toBeNull()
      }),
      { numRuns },
    )
  })

  test(`${name}: G16: framed data is damage`, () => {
    const framed = Buffer.from('ff060000734e61507059', 'hex')
    expect(implementation.decompress(framed)).toBeNull()
    const chunk = Buffer.concat([framed, Buffer.from('01080000deadbeef61626364', 'hex')])
    expect(implementation.decompress(chunk)).toBeNull()
  })

  test(`${name}: offsets and lengths outside of the content are damage`, () => {
    for (const block of [
      '', // not even a length
      '050061', // declares five, brings one
      '0100610062', // declares one, brings two
      '0400610600', // a copy that is cut off
      '040061060000', // a copy from nowhere: offset 0
      '0400610a0500', // a copy from before the beginning
      '040061010a', // the same, with a short offset
      '0400610bfeffffff', // the same, with a long offset
      '0400610501', // a copy of five bytes where three are missing
      '04f0', // a literal without its length
      'ffffffffff01', // six bytes of length
    ]) {
      expect([block, implementation.decompress(Buffer.from(block, 'hex'))]).toEqual([block, null])
    }
  })
}

test('all implementations judge any bytes alike', () => {
  fc.assert(
    fc.property(
      content,
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 3 }),
      (raw, changes) => {
        const body = Uint8Array.from(native.compress(raw))
        for (const [at, byte] of changes) body[at % body.length] = byte
        const one = native.decompress(body)
        const other = portable.decompress(body)
        const third = kernel.decompress(body)
        expect([other === null, third === null]).toEqual([one === null, one === null])
        if (one === null) return
        expect(sameBytes(one, other!)).toBe(true)
        expect(sameBytes(one, third!)).toBe(true)
      },
    ),
    { numRuns: numRuns * 5 },
  )
})

test('random bytes are judged alike and never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 30 }), (body) => {
      const one = native.decompress(body)
      const other = portable.decompress(body)
      const third = kernel.decompress(body)
      expect([other === null, third === null]).toEqual([one === null, one === null])
      inspect(body, 100)
    }),
    { numRuns: numRuns * 5 },
  )
})

test('G13: a body of ten bytes that declares 4 GiB is refused for its length alone', () => {
  const body = Buffer.from('ffffffff0f0061616161', 'hex')
  expect(declaredLength(body)).toBe(2 ** 32 - 1)
  expect(inspect(body, 32 * 2 ** 20)).toContain('exceeds limit 33554432')
  expect(inspect(body, 2 ** 33)).toContain('cannot decode to')
  expect(native.decompress(body)).toBeNull()
  expect(portable.decompress(body)).toBeNull()
  expect(kernel.decompress(body)).toBeNull()
})

test('G14: the limit is inclusive', () => {
  const body = snappy.compress(new Uint8Array(1000))
  expect(inspect(body, 1000)).toBeNull()
  expect(inspect(body, 999)).toContain('decoded length 1000 exceeds limit 999')
})

test('the densest honest body passes the check for honesty', () => {
  const body = snappy.compress(new Uint8Array(1 << 20))
  expect(body.length * 21).toBeLessThan(1 << 20)
  expect(inspect(body, 1 << 20)).toBeNull()
})

function sameBytes(one: Uint8Array | null, other: Uint8Array): boolean {
  return one !== null && Buffer.compare(one, other) === 0
}
