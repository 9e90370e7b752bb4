import { COMPRESS_TABLE } from '../layout'
import { commonBytes } from './bytes'

/** What is looked through at once: offsets in it take 16 bits. */
const FRAGMENT_BYTES: usize = 65536
const TABLE_BITS = 14
const TABLE_BYTES: usize = 32768
/** Bytes at the end of a fragment that are not looked at: words may be read from there. */
const MARGIN: usize = 15

/**
 * Compresses `length` bytes from `from` on into a snappy block at `to`, and returns where it
 * ends: at most 32 bytes and seven sixths of the length behind `to`.
 *
 * For each place the table knows where its four bytes were seen last. Where nothing matches
 * for long, places are skipped, more and more of them.
 *
 * @see https://github.com/google/snappy/blob/main/format_description.txt
 */
export function compress(from: usize, length: usize, to: usize): usize {
  let out = to
  let rest = <u32>length
  while (rest >= 0x80) {
    store<u8>(out++, rest | 0x80)
    rest >>= 7
  }
  store<u8>(out++, rest)
  const end = from + length
  for (let at = from; at < end; at += FRAGMENT_BYTES) {
    out = compressFragment(at, min(FRAGMENT_BYTES, end - at), out)
  }
  return out
}

function compressFragment(base: usize, length: usize, to: usize): usize {
  const end = base + length
  let out = to
  let written = base
  if (length > MARGIN + 1) {
    memory.fill(COMPRESS_TABLE, 0, TABLE_BYTES)
    const limit = end - MARGIN
    let at = base + 1
    while (true) {
      const found = findMatch(base, at, limit)
      if (found === 0) break
      out = writeLiteral(written, found, out)
      at = found
      let match = matchAt
      do {
        const size = 4 + commonBytes(at + 4, match + 4, end - at - 4)
        out = writeCopies(at - match, size, out)
        at += size
        written = at
        if (at >= limit) break
        remember(base, at - 1)
        match = lookUp(base, at)
      } while (load<u32>(at) === load<u32>(match))
      if (at >= limit) break
      at += 1
    }
  }
  return written < end ? writeLiteral(written, end, out) : out
}

/** Where the bytes lie that `findMatch` found again. */
let matchAt: usize = 0

/** The next place from `from` on whose four bytes were seen before; 0 when there is none. */
function findMatch(base: usize, from: usize, limit: usize): usize {
  let at = from
  let patience: usize = 32
  while (at < limit) {
    const match = lookUp(base, at)
    if (load<u32>(at) === load<u32>(match)) {
      matchAt = match
      return at
    }
    at += patience >> 5
    patience += patience >> 5
  }
  return 0
}

function slotOf(at: usize): usize {
  const hash = (load<u32>(at) * 0x1e35a7bd) >> (32 - TABLE_BITS)
  return COMPRESS_TABLE + ((<usize>hash) << 1)
}

function remember(base: usize, at: usize): void {
  store<u16>(slotOf(at), <u32>(at - base))
}

/** Where the four bytes at `at` may have been seen last; they have been seen at `at` then. */
function lookUp(base: usize, at: usize): usize {
  const slot = slotOf(at)
  const match = base + <usize>load<u16>(slot)
  store<u16>(slot, <u32>(at - base))
  return match
}

function writeLiteral(from: usize, end: usize, to: usize): usize {
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

/** Copies of 64 bytes at most; none is left with fewer than four. */
function writeCopies(offset: usize, size: usize, to: usize): usize {
  let out = to
  let rest = <u32>size
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
