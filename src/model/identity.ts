import { randomBytes } from 'node:crypto'
import { DIGEST_WORDS } from './batch.ts'

/**
 * 128-bit digests of symbols and series, under a secret key of this process.
 *
 * A symbol is digested once per request by HalfSipHash-1-3, run under two keys side by
 * side, a keyed function made to resist chosen input on 32-bit words. A series combines
 * the digests of its symbols, in order, in four lanes that share nothing: what a sender
 * would have to make collide are values it cannot see. Two different label sets share
 * all 128 bits with a probability of about 2^-128 each, so with ten million series the
 * chance of any false duplicate is below 1e-24 (the series table keeps all 128 bits).
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
 * Writes the identity of a label set at `out[at]`: `refs[from..to)` name its symbols, in
 * the order name, value, name, value, sorted by name.
 */
export function combineDigests(
  symbolDigest: Uint32Array,
  refs: Uint32Array,
  from: number,
  to: number,
  out: Uint32Array,
  at: number,
): void {
  let a = 0
  let b = 0
  let c = 0
  let d = to - from
  for (let i = from; i < to; i++) {
    const symbol = refs[i]! * DIGEST_WORDS
    a = step(a ^ symbolDigest[symbol]!)
    b = step(b ^ symbolDigest[symbol + 1]!)
    c = step(c ^ symbolDigest[symbol + 2]!)
    d = step(d ^ symbolDigest[symbol + 3]!)
  }
  out[at] = a
  out[at + 1] = b
  out[at + 2] = c
  out[at + 3] = d
}

/** A fixed permutation of 32 bits, so that order matters and no lane forgets what went in. */
function step(word: number): number {
  const spread = Math.imul(word ^ (word >>> 16), 0x7feb352d)
  return spread ^ (spread >>> 15)
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
