import { COMPRESS_TABLE } from '../layout'
import { commonBytes } from './bytes'
import { writeCopies, writeLiteral } from './snappy-elements'

/** What is looked through at once: offsets in it take 16 bits. */
const FRAGMENT_BYTES: usize = 65536
const TABLE_BITS_MIN: u32 = 8
const TABLE_BITS_MAX: u32 = 14
/** Bytes at the end of a fragment that are not looked at: words may be read from there. */
const MARGIN: usize = 15

/** What the table is made for now: a small fragment needs a small one, which is soon empty. */
let tableBits: u32 = TABLE_BITS_MAX

/**
 * Compresses `length` bytes from `from` on into elements of a snappy block at `to`, and returns
 * where they end: at most 32 bytes and seven sixths of the length behind `to`.
 *
 * For each place the table knows where its four bytes were seen last. Where nothing matches
 * for long, places are skipped, more and more of them.
 *
 * @see https://github.com/google/snappy/blob/main/format_description.txt
 */
export function compress(from: usize, length: usize, to: usize): usize {
  let out = to
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
    tableBits = min(TABLE_BITS_MAX, max(TABLE_BITS_MIN, 33 - <u32>clz(<u32>length)))
    memory.fill(COMPRESS_TABLE, 0, (<usize>2) << tableBits)
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
  const hash = (load<u32>(at) * 0x1e35a7bd) >> (32 - tableBits)
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
