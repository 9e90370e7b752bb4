import { gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BODY_BYTES_MAX } from '../../src/receive/body.ts'
import { decompressed } from '../../src/receive/decompress.ts'

const COMPRESS = { gzip: gzipSync, zstd: zstdCompressSync }
const compression = fc.constantFrom('gzip' as const, 'zstd' as const)

/** Bytes that repeat every so often, so that some grow much when they are decompressed. */
const content = fc
  .tuple(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.nat(3_000))
  .map(([bytes, times]) => Buffer.concat(Array(times).fill(bytes)))

/** A copy of its own, because a body is given. */
const given = (bytes: Uint8Array) => new Uint8Array(bytes)

/** Behind a gzip stands the size of what it holds; nobody has to believe it. */
function saying(bytes: number, gzip: Buffer): Buffer {
  const lying = Buffer.from(gzip)
  lying.writeUInt32LE(bytes, lying.length - 4)
  return lying
}

test('whatever its size, a body comes out as it went in, and room for it was asked for', async () => {
  await fc.assert(
    fc.asyncProperty(compression, content, async (how, bytes) => {
      let room = 0
      const grow = (more: number) => {
        room += more
        return true
      }
      const body = await decompressed(given(COMPRESS[how](bytes)), how, grow)
      expect(body.kind === 'whole' && bytes.equals(body.bytes)).toBe(true)
      expect(room).toBeGreaterThanOrEqual(bytes.length)
    }),
    { numRuns: 200 },
  )
})

test.for([
  ['next to nothing', 600_000, 1],
  ['less than it is', 2_000_000, 100_000],
  ['more than it is', 1_000, 400_000],
  ['more than anybody may send', 1_000, 0xffff_ffff],
] as const)(
  'a gzip that says it holds %s is read all the same, or called damaged',
  async ([, length, said]) => {
    const bytes = Buffer.alloc(length, 'some text')
    const body = await decompressed(given(saying(said, gzipSync(bytes))), 'gzip', () => true)
    // The library checks the size at the end, and so do we: it is a part of the checksum.
    expect(body).toEqual({ kind: 'damaged', reason: expect.stringContaining('no whole gzip') })
  },
)

test('several gzips in a row are one body', async () => {
  const body = Buffer.concat([gzipSync(Buffer.alloc(900_000, 'a')), gzipSync(Buffer.from('b'))])
  const all = await decompressed(given(body), 'gzip', () => true)
  expect(all.kind === 'whole' && [all.bytes.length, all.bytes.at(-1)]).toEqual([900_001, 98])
})

test.for(['gzip', 'zstd'] as const)(
  'in %s, what is over the limit is too large, and not by one byte less',
  async (how) => {
    const largest = Buffer.alloc(BODY_BYTES_MAX, 'x')
    const whole = await decompressed(given(COMPRESS[how](largest)), how, () => true)
    expect(whole.kind === 'whole' && largest.equals(whole.bytes)).toBe(true)
    const larger = given(COMPRESS[how](Buffer.alloc(BODY_BYTES_MAX + 1, 'x')))
    expect(await decompressed(larger, how, () => true)).toEqual({ kind: 'too-large' })
  },
)

test.for(['gzip', 'zstd'] as const)(
  'in %s, what is cut off or was never it is damaged',
  async (how) => {
    const whole = COMPRESS[how](Buffer.alloc(50_000, 'some text'))
    for (const body of [
      whole.subarray(0, -1),
      whole.subarray(0, 12),
      Buffer.alloc(0),
      Buffer.from('text'),
    ]) {
      expect((await decompressed(given(body), how, () => true)).kind).toBe('damaged')
    }
  },
)

test('without room nothing is decompressed', async () => {
  const body = given(gzipSync(Buffer.alloc(50_000)))
  expect(await decompressed(body, 'gzip', () => false)).toEqual({ kind: 'no-room' })
})
