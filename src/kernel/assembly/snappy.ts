/**
 * Decompresses the snappy block `[from, end)`, whose length has been read already, to `to`.
 * True when it fills `length` bytes exactly.
 *
 * Writes up to 63 bytes beyond the end, and reads up to 15 beyond the block.
 *
 * @see https://github.com/google/snappy/blob/main/format_description.txt
 */
export function decompress(from: usize, end: usize, to: usize, length: usize): bool {
  const first = to
  const last = to + length
  let at = from
  while (at < end) {
    const tag: u32 = load<u8>(at)
    at += 1
    if ((tag & 3) === 0) {
      let size: usize = (tag >> 2) + 1
      if (size > 60) {
        const extra = size - 60
        // The high bytes of the word are those of what follows.
        size = <usize>(load<u32>(at) & (u32.MAX_VALUE >> <u32>(32 - extra * 8))) + 1
        at += extra
        if (size === 0) return false
      }
      if (at > end || size > end - at || size > last - to) return false
      v128.store(to, v128.load(at))
      for (let i: usize = 16; i < size; i += 16) v128.store(to + i, v128.load(at + i))
      at += size
      to += size
      continue
    }
    let size: usize
    let offset: usize
    if ((tag & 3) === 1) {
      size = ((tag >> 2) & 7) + 4
      offset = ((tag >> 5) << 8) | load<u8>(at)
      at += 1
    } else {
      size = (tag >> 2) + 1
      if ((tag & 3) === 2) {
        offset = load<u16>(at)
        at += 2
      } else {
        offset = load<u32>(at)
        at += 4
      }
    }
    if (at > end || offset === 0 || offset > to - first || size > last - to) return false
    copy(to, offset, size)
    to += size
  }
  return to === last
}

/** Copies `size` bytes, 64 at most, from `offset` before; they may overlap. */
function copy(to: usize, offset: usize, size: usize): void {
  const from = to - offset
  if (offset >= 16) {
    v128.store(to, v128.load(from))
    if (size <= 16) return
    // All that may be asked for: how often a loop goes round is hard to foresee.
    v128.store(to, v128.load(from, 16), 16)
    v128.store(to, v128.load(from, 32), 32)
    v128.store(to, v128.load(from, 48), 48)
    return
  }
  // The first bytes repeat: each round copies what is there, and doubles it.
  let distance = offset
  const end = to + size
  while (to < end) {
    v128.store(to, v128.load(to - distance))
    to += min(distance, 16)
    if (distance < 16) distance += distance
  }
}
