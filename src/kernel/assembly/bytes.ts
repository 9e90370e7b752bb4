/** How many bytes are equal from `one` and from `other` on, `max` at most. */
export function commonBytes(one: usize, other: usize, max: usize): usize {
  for (let i: usize = 0; i < max; i += 16) {
    const equal = i8x16.bitmask(i8x16.eq(v128.load(one + i), v128.load(other + i)))
    if (equal !== 0xffff) return min(max, i + <usize>ctz(~equal))
  }
  return max
}

export function areEqual(one: usize, other: usize, length: usize): bool {
  return commonBytes(one, other, length) === length
}

/** Does the string `[one, oneEnd)` come before the other in the order of bytes? */
export function isBefore(one: usize, oneEnd: usize, other: usize, otherEnd: usize): bool {
  const length = min(oneEnd - one, otherEnd - other)
  const common = commonBytes(one, other, length)
  if (common < length) return load<u8>(one + common) < load<u8>(other + common)
  return oneEnd - one < otherEnd - other
}

/** Is it UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF? */
export function isUtf8(from: usize, to: usize): bool {
  let at = from
  while (at < to) {
    if (at + 16 <= to && i8x16.bitmask(v128.load(at)) === 0) {
      at += 16
      continue
    }
    const lead: u32 = load<u8>(at)
    if (lead < 0x80) {
      at += 1
      continue
    }
    const more: usize = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1
    if (lead < 0xc2 || lead > 0xf4 || at + more >= to) return false
    const second: u32 = load<u8>(at + 1)
    const low: u32 = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80
    const high: u32 = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf
    if (second < low || second > high) return false
    for (let i: usize = 2; i <= more; i++) if ((load<u8>(at + i) & 0xc0) !== 0x80) return false
    at += more + 1
  }
  return true
}
