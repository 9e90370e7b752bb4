/** Elements of a snappy block: written at `to`; the functions return where they end. */

/** The bytes `[from, end)`, at most 65,536, as they are. Reads and writes up to 15 bytes beyond. */
export function writeLiteral(from: usize, end: usize, to: usize): usize {
  const size = end - from
  if (size === 0) return to
  const last = <u32>(size - 1)
  let out = to
  if (last < 60) store<u8>(out++, last << 2)
  else if (last < 256) {
    store<u8>(out, 60 << 2)
    store<u8>(out + 1, last)
    out += 2
  } else {
    store<u8>(out, 61 << 2)
    store<u16>(out + 1, last)
    out += 3
  }
  for (let i: usize = 0; i < size; i += 16) v128.store(out + i, v128.load(from + i))
  return out + size
}

/** `size` bytes, four or more, that lie `offset` before, at most 65,535. */
export function writeCopies(offset: usize, size: usize, to: usize): usize {
  let out = to
  let rest = <u32>size
  // Copies are of 64 bytes at most, and none is left with fewer than four.
  while (rest >= 68) {
    out = writeCopy(offset, 64, out)
    rest -= 64
  }
  if (rest > 64) {
    out = writeCopy(offset, 60, out)
    rest -= 60
  }
  return writeCopy(offset, rest, out)
}

function writeCopy(offset: usize, size: u32, to: usize): usize {
  if (size < 12 && offset < 2048) {
    store<u8>(to, ((<u32>offset >> 8) << 5) | ((size - 4) << 2) | 1)
    store<u8>(to + 1, <u32>offset)
    return to + 2
  }
  store<u8>(to, ((size - 1) << 2) | 2)
  store<u16>(to + 1, <u32>offset)
  return to + 3
}
