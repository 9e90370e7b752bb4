import { randomBytes } from 'node:crypto'
import { DIGEST_WORDS } from './batch.ts'

/**
 * 128-bit digests of symbols and series, under a secret key of this process.
 *
 * A symbol is digested once per request by HalfSipHash-1-3, run under two keys side by
 * side, a keyed function made to resist chosen input on 32-bit words. A series sums up the
 * digests of its labels in four lanes that share nothing: what a sender would have to make
 * collide are values it cannot see. In each lane two different label sets meet with a
 * probability of about 2^-32, which a test measures, in all four with one of 2^-128: with
 * ten million series the chance of any false duplicate is below 1e-24 (the series table
 * keeps all 128 bits).
 */
export type DigestKey = Uint32Array

/** Fresh from the system's randomness; tests pass a fixed one of four words. */
export function createDigestKey(): DigestKey {
  return new Uint32Array(new Uint8Array(randomBytes(16)).buffer)
}

/** Writes DIGEST_WORDS words for `bytes[from..to)` at `out[at]`. */
export function digestBytes(
  key: DigestKey,
  bytes: Uint8Array,
  from: number,
  to: number,
  out: Uint32Array,
  at: number,
): void {
  halfSipHash(key[0]!, key[1]!, bytes, from, to, out, at)
  halfSipHash(key[2]!, key[3]!, bytes, from, to, out, at + 2)
}

/**
 * An identity in the making: the sum, lane by lane, of a pseudorandom word for each label.
 *
 * A sum, because neighbouring series differ in few labels: the identity of the next one is
 * this one's, less what goes, plus what comes. It does not depend on the order of the
 * labels, which a set has none of.
 */
export type IdentitySum = Int32Array

export function createIdentitySum(): IdentitySum {
  return new Int32Array(DIGEST_WORDS)
}

/** Adds the label whose name and value are these symbols; `digests` are those of all symbols. */
export function addLabel(
  sum: IdentitySum,
  digests: Uint32Array,
  name: number,
  value: number,
): void {
  const n = name * DIGEST_WORDS
  const v = value * DIGEST_WORDS
  sum[0] = sum[0]! + labelWord(digests[n]!, digests[v]!)
  sum[1] = sum[1]! + labelWord(digests[n + 1]!, digests[v + 1]!)
  sum[2] = sum[2]! + labelWord(digests[n + 2]!, digests[v + 2]!)
  sum[3] = sum[3]! + labelWord(digests[n + 3]!, digests[v + 3]!)
}

/** The opposite of `addLabel`. */
export function removeLabel(
  sum: IdentitySum,
  digests: Uint32Array,
  name: number,
  value: number,
): void {
  const n = name * DIGEST_WORDS
  const v = value * DIGEST_WORDS
  sum[0] = sum[0]! - labelWord(digests[n]!, digests[v]!)
  sum[1] = sum[1]! - labelWord(digests[n + 1]!, digests[v + 1]!)
  sum[2] = sum[2]! - labelWord(digests[n + 2]!, digests[v + 2]!)
  sum[3] = sum[3]! - labelWord(digests[n + 3]!, digests[v + 3]!)
}

/**
 * One lane of a label: its name's word and its value's word, told apart by the turn, through
 * a permutation of 32 bits that no difference between its inputs survives (murmur3's).
 */
function labelWord(name: number, value: number): number {
  let word = (name + ((value << 11) | (value >>> 21))) | 0
  word = Math.imul(word ^ (word >>> 16), 0x85eb_ca6b)
  word = Math.imul(word ^ (word >>> 13), 0xc2b2_ae35)
  return word ^ (word >>> 16)
}

/** HalfSipHash-1-3 with 64 bits of output (Aumasson and Bernstein's reference, 32-bit words). */
function halfSipHash(
  k0: number,
  k1: number,
  bytes: Uint8Array,
  from: number,
  to: number,
  out: Uint32Array,
  at: number,
): void {
  let v0 = k0
  let v1 = k1 ^ 0xee
  let v2 = 0x6c796765 ^ k0
  let v3 = 0x74656462 ^ k1
  const length = to - from
  const whole = from + (length & ~3)

  for (let i = from; i < whole + 4; i += 4) {
    let word: number
    if (i < whole) {
      word = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
    } else {
      word = length << 24
      if ((length & 3) > 2) word |= bytes[i + 2]! << 16
      if ((length & 3) > 1) word |= bytes[i + 1]! << 8
      if ((length & 3) > 0) word |= bytes[i]!
    }
    v3 ^= word
    v0 = (v0 + v1) | 0
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
    v0 = (v0 << 16) | (v0 >>> 16)
    v2 = (v2 + v3) | 0
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
    v0 = (v0 + v3) | 0
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
    v2 = (v2 + v1) | 0
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
    v2 = (v2 << 16) | (v2 >>> 16)
    v0 ^= word
  }

  v2 ^= 0xee
  for (let round = 0; round < 7; round++) {
    if (round === 3) {
      out[at] = v1 ^ v3
      v1 ^= 0xdd
    }
    if (round === 6) break
    v0 = (v0 + v1) | 0
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
    v0 = (v0 << 16) | (v0 >>> 16)
    v2 = (v2 + v3) | 0
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
    v0 = (v0 + v3) | 0
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
    v2 = (v2 + v1) | 0
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
    v2 = (v2 << 16) | (v2 >>> 16)
  }
  out[at + 1] = v1 ^ v3
}
