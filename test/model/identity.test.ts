import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createRemoteWrite1Decoder } from '../../src/decode/remote-write-1.ts'
import { createRemoteWrite2Decoder } from '../../src/decode/remote-write-2.ts'
import { createBatch } from '../../src/model/batch.ts'
import {
  addLabel,
  createIdentitySum,
  type DigestKey,
  digestBytes,
} from '../../src/model/identity.ts'
import { identityOf } from '../support/decoded.ts'
import { rw1Of, rw2Of } from '../support/remote-write.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)
const KEY: DigestKey = Uint32Array.of(0x01234567, 0x89abcdef, 0xdeadbeef, 0x02468ace)

type Labels = [name: string, value: string][]

function identityOfLabels(labels: Labels, key = KEY): string {
  const batch = createBatch()
  const body = rw2Of([{ labels, samples: [{ value: 1, timestamp: 1 }] }])
  expect(createRemoteWrite2Decoder(key)(body, batch)).toBeNull()
  expect(batch.seriesCount).toBe(1)
  return identityOf(batch, 0)
}

function digestOf(bytes: Uint8Array, key: DigestKey): string {
  const out = new Uint32Array(4)
  digestBytes(key, bytes, 0, bytes.length, out, 0)
  return out.join(' ')
}

/** Few characters, so that sets nearly collide. */
const text = fc.string({ unit: fc.constantFrom('a', 'b', 'é'), minLength: 1, maxLength: 4 })
const labelSet = fc
  .uniqueArray(fc.tuple(text, text), { selector: ([name]) => name, maxLength: 4 })
  .map((labels): Labels => [['__name__', 'up'], ...labels])

const canonical = (labels: Labels) => JSON.stringify(labels.toSorted())

test('two label sets have equal identities when, and only when, they are equal', () => {
  fc.assert(
    fc.property(labelSet, labelSet, (one, other) => {
      const areEqual = canonical(one) === canonical(other)
      expect(identityOfLabels(one) === identityOfLabels(other)).toBe(areEqual)
    }),
    { numRuns },
  )
})

test('ten thousand label sets that differ in a digit have ten thousand identities', () => {
  const series = Array.from({ length: 10_000 }, (_, i) => ({
    labels: { __name__: 'up', instance: `host-${i % 100}`, cpu: `${Math.floor(i / 100)}` },
    samples: [{ value: 1, timestamp: 1 }],
  }))
  const batch = createBatch()
  expect(createRemoteWrite2Decoder(KEY)(rw2Of(series), batch)).toBeNull()
  const identities = new Set(series.map((_, i) => identityOf(batch, i)))
  expect(identities.size).toBe(10_000)
})

test('the order of labels does not change the identity', () => {
  const shuffled = labelSet.chain((labels) =>
    fc.tuple(
      fc.constant(labels),
      fc.shuffledSubarray(labels, { minLength: labels.length, maxLength: labels.length }),
    ),
  )
  fc.assert(
    fc.property(shuffled, ([labels, other]) => {
      expect(identityOfLabels(other)).toBe(identityOfLabels(labels))
    }),
    { numRuns },
  )
})

test('a byte that moves between name and value, or between labels, changes the identity', () => {
  const identities = [
    [['ab', 'c']],
    [['a', 'bc']],
    [['abc', 'x']],
    [
      ['a', 'b'],
      ['c', 'x'],
    ],
    [
      ['a', 'bc'],
      ['x', 'x'],
    ],
    [
      ['a', 'x'],
      ['b', 'y'],
    ],
    [
      ['a', 'y'],
      ['b', 'x'],
    ],
  ].map((labels) => identityOfLabels([['__name__', 'up'], ...(labels as Labels)]))
  expect(new Set(identities).size).toBe(identities.length)
})

test('any single bit of the key changes every digest', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20 }), fc.nat({ max: 127 }), (bytes, bit) => {
      const key = KEY.slice()
      key[bit >> 5]! ^= 1 << (bit & 31)
      expect(digestOf(bytes, key)).not.toBe(digestOf(bytes, KEY))
    }),
    { numRuns },
  )
  const labels: Labels = [['__name__', 'up']]
  expect(identityOfLabels(labels, Uint32Array.of(1, 2, 3, 4))).not.toBe(identityOfLabels(labels))
})

test('a digest depends on its bytes alone, and on each of them', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
      fc.nat({ max: 9 }),
      fc.nat(),
      (bytes, before, seed) => {
        const out = new Uint32Array(6)
        const padded = Buffer.concat([Buffer.alloc(before, 7), bytes, Buffer.alloc(3, 9)])
        digestBytes(KEY, padded, before, before + bytes.length, out, 1)
        expect(out.slice(1, 5).join(' ')).toBe(digestOf(bytes, KEY))
        expect([out[0], out[5]]).toEqual([0, 0])

        const bit = seed % (bytes.length * 8)
        const changed = bytes.slice()
        changed[bit >> 3]! ^= 1 << (bit & 7)
        expect(digestOf(changed, KEY)).not.toBe(digestOf(bytes, KEY))
        expect(digestOf(Buffer.concat([bytes, Buffer.of(0)]), KEY)).not.toBe(digestOf(bytes, KEY))
      },
    ),
    { numRuns },
  )
})

test('half of a digest is HalfSipHash-1-3 as its authors define it', () => {
  const out = new Uint32Array(4)
  const bytes = Uint8Array.from({ length: 11 }, (_, i) => i)
  digestBytes(Uint32Array.of(0x03020100, 0x07060504, 0, 0), bytes, 0, bytes.length, out, 0)
  expect([out[0], out[1]]).toEqual(halfSipHash13(0x03020100n, 0x07060504n, bytes))
})

test('a series has one identity in both versions of remote write', () => {
  fc.assert(
    fc.property(labelSet, (labels) => {
      const batch = createBatch()
      const body = rw1Of([{ labels, samples: [{ value: 1, timestamp: 1 }] }])
      expect(createRemoteWrite1Decoder(KEY)(body, batch)).toBeNull()
      expect(identityOf(batch, 0)).toBe(identityOfLabels(labels))
    }),
    { numRuns },
  )
})

test('a series has the same identity among others as alone, in both versions', () => {
  const sorted = labelSet.map(([name, ...rest]): Labels => [name!, ...rest.toSorted()])
  fc.assert(
    fc.property(fc.array(sorted, { maxLength: 8 }), (sets) => {
      const series = sets.map((labels) => ({ labels, samples: [{ value: 1, timestamp: 2 ** 40 }] }))
      const alone = sets.map((labels) => identityOfLabels(labels))
      const batch = createBatch()
      const among = () => sets.map((_, i) => identityOf(batch, i))
      expect(createRemoteWrite2Decoder(KEY)(rw2Of(series), batch)).toBeNull()
      expect(among()).toEqual(alone)
      expect(createRemoteWrite1Decoder(KEY)(rw1Of(series), batch)).toBeNull()
      expect(among()).toEqual(alone)
    }),
    { numRuns: numRuns * 3 },
  )
})

/** The plain version, in bigints: 1 compression round, 3 finalisation rounds, 64 bits out. */
function halfSipHash13(k0: bigint, k1: bigint, bytes: Uint8Array): number[] {
  const mask = 0xffff_ffffn
  const rotl = (word: bigint, by: bigint) => ((word << by) | (word >> (32n - by))) & mask
  let [v0, v1, v2, v3] = [k0, k1 ^ 0xeen, 0x6c796765n ^ k0, 0x74656462n ^ k1]
  const round = () => {
    v0 = (v0 + v1) & mask
    v1 = rotl(v1, 5n) ^ v0
    v0 = rotl(v0, 16n)
    v2 = (v2 + v3) & mask
    v3 = rotl(v3, 8n) ^ v2
    v0 = (v0 + v3) & mask
    v3 = rotl(v3, 7n) ^ v0
    v2 = (v2 + v1) & mask
    v1 = rotl(v1, 13n) ^ v2
    v2 = rotl(v2, 16n)
  }
  const padded = Buffer.alloc((Math.floor(bytes.length / 4) + 1) * 4)
  padded.set(bytes)
  padded[padded.length - 1] = bytes.length
  for (let at = 0; at < padded.length; at += 4) {
    const word = BigInt(padded.readUInt32LE(at))
    v3 ^= word
    round()
    v0 ^= word
  }
  v2 ^= 0xeen
  for (let i = 0; i < 3; i++) round()
  const first = v1 ^ v3
  v1 ^= 0xddn
  for (let i = 0; i < 3; i++) round()
  return [Number(first), Number(v1 ^ v3)]
}

/** Digests of the strings 0, 1, 2, … under KEY. */
function digestsOf(count: number): Uint32Array {
  const digests = new Uint32Array(count * 4)
  for (let i = 0; i < count; i++) {
    const text = Buffer.from(`${i}`)
    digestBytes(KEY, text, 0, text.length, digests, i * 4)
  }
  return digests
}

test('in each lane alone, sets of exchanged names and values meet as seldom as by chance', () => {
  const digests = digestsOf(80)
  const lanes = Array.from({ length: 4 }, () => new Uint32Array(2 ** 18))
  let count = 0
  for (let set = 0; set < 2 ** 18; set++) {
    // Two of 16 names with two of 64 values: every sum shares its parts with thousands.
    const sum = createIdentitySum()
    addLabel(sum, digests, set & 7, 16 + ((set >> 6) & 63))
    addLabel(sum, digests, 8 + ((set >> 3) & 7), 16 + ((set >> 12) & 63))
    for (const [lane, words] of lanes.entries()) words[set] = sum[lane]!
    count += 1
  }
  const expected = count ** 2 / 2 ** 33
  for (const words of lanes) {
    words.sort()
    const meetings = words.filter((word, i) => word === words[i - 1]).length
    expect(meetings).toBeLessThan(expected + 6 * Math.sqrt(expected))
  }
})
