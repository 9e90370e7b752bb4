import {
  alike,
  distanceOf,
  forgetSeries,
  nextSeries,
  rememberNext,
  sampleSizeOf,
  setSizes,
  sizeOf,
} from './recent-series'
import { writeCopies, writeLiteral } from './snappy-elements'

/** Tags and lengths of a series and of its references. */
const HEAD_BYTES: usize = 4
/** Fewer bytes are not worth a copy. */
const COPY_MIN: usize = 4
/** What is open may not take more room than a series does, however many are the same. */
const COPIED_MAX: usize = 4096

/**
 * Series as elements of a snappy block, without looking for anything: what a series has in
 * common with one before it stands at the same place of that one, counted from the start, from
 * the end of the references, or from the end. Of Remote Write 1.0, writing and compressing takes
 * 121 ns per sample instead of 162, and a sample 13.7 bytes instead of 12.6.
 */
let out: usize = 0
/** A copy that may still grow, and how far back it reaches. */
let copied: usize = 0
let copiedFrom: usize = 0
/** Bytes from here on are in no element yet, but for those of the copy. */
let literalAt: usize = 0

/** Whether series are put as they are, for the compressor to look through. */
let isWhole: bool = false

/** Begins at `to`, with no series before; `asTheyAre` makes bytes of the series, no elements. */
export function beginElements(to: usize, asTheyAre: bool): void {
  out = to
  isWhole = asTheyAre
  copied = 0
  forgetSeries()
}

/** Writes what is still open, and returns where the elements end. */
export function endElements(): usize {
  putCopy()
  return out
}

/** Where the elements end but for a copy that may still grow. */
export function elementsEnd(): usize {
  return out
}

/** Appends the series that was written at `nextSeries`, `sampleSize` of it from its sample on. */
export function putSeries(size: usize, sampleSize: usize): void {
  const at = nextSeries()
  setSizes(size, sampleSize)
  if (isWhole) {
    for (let i: usize = 0; i < size; i += 16) v128.store(out + i, v128.load(at + i))
    out += size
    rememberNext()
    return
  }
  literalAt = at
  const before = alike()
  if (before !== 0) {
    const offset = distanceOf(before)
    if (sizeOf(before) === size) compare(at, before, size, offset)
    else compareParts(at, before, offset)
  }
  if (literalAt < at + size) putLiteral(at + size)
  rememberNext()
}

function compareParts(at: usize, before: usize, offset: usize): void {
  const size = sizeOf(at)
  const sampleSize = sampleSizeOf(at)
  const sizeBefore = sizeOf(before)
  const start = size - sampleSize
  const startBefore = sizeBefore - sampleSizeOf(before)
  if (start === startBefore) {
    compare(at, before, start, offset)
  } else {
    const shared = min(start, startBefore) - HEAD_BYTES
    const end = commonEnd(at + start, before + startBefore, shared)
    compare(at, before, min(start - end, startBefore), offset)
    compare(at + start - end, before + startBefore - end, end, offset + start - startBefore)
  }
  const equal = min(sampleSize, sampleSizeOf(before))
  compare(at + size - equal, before + sizeBefore - equal, equal, offset + size - sizeBefore)
}

/** Looks for bytes of `[from, from + length)` that are the same from `other` on, `offset` before. */
function compare(from: usize, other: usize, length: usize, offset: usize): void {
  for (let done: usize = 0; done < length; done += 64) {
    const size = min(<usize>64, length - done)
    let equal = equalBytes(from + done, other + done)
    if (size < 64) equal &= ((<u64>1) << size) - 1
    let at: usize = 0
    while (equal !== 0) {
      const differ = <usize>ctz(equal)
      equal >>= differ
      at += differ
      const run = <usize>ctz(~equal)
      passSame(from + done + at, run, offset)
      if (run === 64) break
      equal >>= run
      at += run
    }
  }
}

/** How many of the last 64 bytes before `one` and `other` are equal, `max` at most. */
function commonEnd(one: usize, other: usize, max: usize): usize {
  return min(max, <usize>clz(~equalBytes(one - 64, other - 64)))
}

/** A bit for each of 64 bytes, the first one lowest: whether it is the same here and there. */
function equalBytes(one: usize, other: usize): u64 {
  const first = i8x16.bitmask(i8x16.eq(v128.load(one), v128.load(other)))
  const second = i8x16.bitmask(i8x16.eq(v128.load(one, 16), v128.load(other, 16)))
  const third = i8x16.bitmask(i8x16.eq(v128.load(one, 32), v128.load(other, 32)))
  const fourth = i8x16.bitmask(i8x16.eq(v128.load(one, 48), v128.load(other, 48)))
  return <u64>(<u32>(first | (second << 16))) | ((<u64>(<u32>(third | (fourth << 16)))) << 32)
}

function passSame(from: usize, run: usize, offset: usize): void {
  const isJoint = from === literalAt && copiedFrom === offset && copied > 0 && copied < COPIED_MAX
  if (!isJoint) {
    if (run < COPY_MIN) return
    putLiteral(from)
    copiedFrom = offset
  }
  copied += run
  literalAt = from + run
}

/** What is open, and then the bytes up to `end`. */
function putLiteral(end: usize): void {
  putCopy()
  out = writeLiteral(literalAt, end, out)
  literalAt = end
}

function putCopy(): void {
  if (copied > 0) out = writeCopies(copiedFrom, copied, out)
  copied = 0
}
