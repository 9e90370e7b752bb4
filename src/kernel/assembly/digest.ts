import { KEY } from '../layout'

/**
 * Writes the 128-bit digest of `[from, to)` at `out`: HalfSipHash-1-3 with 64 bits of output,
 * under two keys side by side (Aumasson and Bernstein). The same as `digestBytes` in
 * `model/identity.ts`.
 */
export function digest(from: usize, to: usize, out: usize): void {
  half(load<u32>(KEY), load<u32>(KEY, 4), from, to, out)
  half(load<u32>(KEY, 8), load<u32>(KEY, 12), from, to, out + 8)
}

function half(k0: u32, k1: u32, from: usize, to: usize, out: usize): void {
  let v0 = k0
  let v1 = k1 ^ 0xee
  let v2 = 0x6c796765 ^ k0
  let v3 = 0x74656462 ^ k1
  const length = <u32>(to - from)
  const whole = to - (length & 3)
  const tail: u32 = (length & 3) << 3
  for (let at = from; at <= whole; at += 4) {
    let word = load<u32>(at)
    if (at === whole) word = (word & ((1 << tail) - 1)) | (length << 24)
    v3 ^= word
    v0 += v1
    v1 = rotl<u32>(v1, 5) ^ v0
    v0 = rotl<u32>(v0, 16)
    v2 += v3
    v3 = rotl<u32>(v3, 8) ^ v2
    v0 += v3
    v3 = rotl<u32>(v3, 7) ^ v0
    v2 += v1
    v1 = rotl<u32>(v1, 13) ^ v2
    v2 = rotl<u32>(v2, 16)
    v0 ^= word
  }
  v2 ^= 0xee
  for (let round = 0; round < 6; round++) {
    if (round === 3) {
      store<u32>(out, v1 ^ v3)
      v1 ^= 0xdd
    }
    v0 += v1
    v1 = rotl<u32>(v1, 5) ^ v0
    v0 = rotl<u32>(v0, 16)
    v2 += v3
    v3 = rotl<u32>(v3, 8) ^ v2
    v0 += v3
    v3 = rotl<u32>(v3, 7) ^ v0
    v2 += v1
    v1 = rotl<u32>(v1, 13) ^ v2
    v2 = rotl<u32>(v2, 16)
  }
  store<u32>(out, v1 ^ v3, 4)
}

/**
 * What a label adds to the identity of its series, four lanes at once: `labelWord` in
 * `model/identity.ts`.
 */
export function labelWords(name: v128, value: v128): v128 {
  const turned = v128.or(i32x4.shl(value, 11), i32x4.shr_u(value, 21))
  let words = i32x4.add(name, turned)
  words = i32x4.mul(v128.xor(words, i32x4.shr_u(words, 16)), i32x4.splat(0x85ebca6b))
  words = i32x4.mul(v128.xor(words, i32x4.shr_u(words, 13)), i32x4.splat(0xc2b2ae35))
  return v128.xor(words, i32x4.shr_u(words, 16))
}
