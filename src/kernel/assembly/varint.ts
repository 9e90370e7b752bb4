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
