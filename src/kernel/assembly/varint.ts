/** A length of more than two bytes comes out as more than any message has. */
const TOO_LONG: u32 = 0x1000_0000

/** A length of one byte or two. */
export function shortLength(at: usize): u32 {
  const word: u32 = load<u16>(at)
  if ((word & 0x80) === 0) return word & 0x7f
  return (word & 0x8000) === 0 ? (word & 0x7f) | ((word >> 1) & 0x3f80) : TOO_LONG
}

/** How many bytes such a length takes. */
export function bytesOfLength(at: usize): usize {
  return load<u8>(at) < 0x80 ? 1 : 2
}

/** Writes a number below 2^21 at `at`, and returns where it ends. */
export function writeNumber(at: usize, number: u32): usize {
  if (number < 0x80) {
    store<u8>(at, number)
    return at + 1
  }
  store<u16>(at, (number & 0x7f) | 0x80 | ((number << 1) & 0x7f00))
  if (number < 0x4000) return at + 2
  store<u8>(at + 1, (number >> 7) | 0x80)
  store<u8>(at + 2, number >> 14)
  return at + 3
}

/** Where the length ends that `longLength` read. */
export let lengthEnd: usize = 0

/** A length of up to four bytes; a longer one comes out as more than any message has. */
export function longLength(at: usize): u32 {
  let length: u32 = 0
  for (let shift: u32 = 0; shift < 28; shift += 7) {
    const byte: u32 = load<u8>(at)
    at += 1
    length |= (byte & 0x7f) << shift
    if (byte < 0x80) {
      lengthEnd = at
      return length
    }
  }
  lengthEnd = at
  return TOO_LONG
}
