import { AT_HAS_SERIES, AT_SYMBOL_COUNT, AT_SYMBOLS_MAX, IS_UTF8, REGISTERS } from '../layout'
import { commonBytes } from './bytes'
import { roomForSeries } from './columns'
import {
  beginWalk,
  bytesUpTo,
  endWalk,
  forgetLabels,
  keep,
  keptBytes,
  labelCount,
  labelsWithin,
  put,
} from './label-set'
import { addPlainSeries, plainSampleEnd } from './plain-series'
import { addSymbol, traitsOf } from './symbols'
import { bytesOfLength, shortLength } from './varint'

const SYMBOL = 0x22
const SERIES = 0x2a
const REFS = 0x0a
const METADATA = 0x2a

/**
 * Adds the symbols of a Remote Write 2.0 request from `from` on, passing over its series, and
 * returns where something else lies, or `limit`.
 */
export function readSymbols2(from: usize, limit: usize): usize {
  let at = from
  let room = load<u32>(REGISTERS + AT_SYMBOLS_MAX * 4) - load<u32>(REGISTERS + AT_SYMBOL_COUNT * 4)
  while (at < limit) {
    const tag: u32 = load<u8>(at)
    if (tag !== SYMBOL && tag !== SERIES) return at
    const length = shortLength(at + 1)
    const body = at + 1 + bytesOfLength(at + 1)
    if (body > limit || length > <u32>(limit - body)) return at
    const end = body + <usize>length
    if (tag === SERIES) store<u32>(REGISTERS + AT_HAS_SERIES * 4, 1)
    else {
      if (room === 0) return at
      room -= 1
      addSymbol(body, end)
    }
    at = end
  }
  return at
}

/** Where the first field lies that is no symbol; those were read before. */
function behindSymbols(from: usize, limit: usize): usize {
  let at = from
  while (at < limit && load<u8>(at) === SYMBOL) {
    const length = shortLength(at + 1)
    const body = at + 1 + bytesOfLength(at + 1)
    if (body > limit || length > <u32>(limit - body)) return at
    at = body + <usize>length
  }
  return at
}

/**
 * Reads Remote Write 2.0 series from `from` on, behind symbols, and returns where the first lies
 * that is not plain, or `limit`.
 */
export function readPlainSeries2(from: usize, limit: usize): usize {
  let at = behindSymbols(from, limit)
  for (let room = roomForSeries(); room > 0 && at < limit; room--) {
    if (load<u8>(at) !== SERIES) return at
    const length = shortLength(at + 1)
    const body = at + 1 + bytesOfLength(at + 1)
    if (body > limit || length > <u32>(limit - body)) return at
    const end = body + <usize>length
    if (load<u8>(body) !== REFS) return at
    const refsAt = body + 1 + bytesOfLength(body + 1)
    const refsEnd = refsAt + <usize>shortLength(body + 1)
    if (refsEnd > end || refsEnd < refsAt) return at
    if (!walkRefs(refsAt, refsEnd)) {
      forgetLabels()
      return at
    }
    const sampleEnd = plainSampleEnd(refsEnd, end)
    if (sampleEnd === 0) return at
    if (sampleEnd === end) {
      if (!addPlainSeries(refsEnd, end, 0, 0, 0)) return at
    } else {
      if (!readMetadata(sampleEnd, end)) return at
      if (!addPlainSeries(refsEnd, sampleEnd, type, help, unit)) return at
    }
    at = end
  }
  return at
}

/** Where the reference ends that was read last. */
let refEnd: usize = 0

function readRef(at: usize): u32 {
  const word: u32 = load<u16>(at)
  if ((word & 0x80) === 0) {
    refEnd = at + 1
    return word & 0x7f
  }
  refEnd = at + 2
  if ((word & 0x8000) === 0) return (word & 0x7f) | ((word >> 1) & 0x3f80)
  const third: u32 = load<u8>(at + 2)
  refEnd = at + 3
  const value = (word & 0x7f) | ((word >> 1) & 0x3f80) | (third << 14)
  return third < 0x80 ? value : u32.MAX_VALUE
}

/** Where the references of the series before lie, and end; if there are any. */
let beforeAt: usize = 0
let beforeEnd: usize = 0

/** Most labels stand there as they stood before, byte by byte; the others are taken apart. */
function walkRefs(from: usize, end: usize): bool {
  const symbolCount = load<u32>(REGISTERS + AT_SYMBOL_COUNT * 4)
  beginWalk()
  let at = from
  let before = beforeAt
  while (at < end) {
    const same = labelCount() === 0 ? 0 : commonBytes(at, before, min(beforeEnd - before, end - at))
    const labels = labelsWithin(same)
    if (labels > 0) {
      const kept = keptBytes()
      if (!keep(labels)) return false
      at += kept
      before += kept
      if (at >= end) break
    }
    const name = readRef(at)
    const value = readRef(refEnd)
    if (name >= symbolCount || value >= symbolCount) return false
    before += bytesUpTo(name)
    if (!put(name, value, <u32>(refEnd - at))) return false
    at = refEnd
  }
  beforeAt = from
  beforeEnd = end
  return at === end && endWalk()
}

let type: u32 = 0
let help: u32 = 0
let unit: u32 = 0

/** Metadata whose references are good. */
function readMetadata(from: usize, end: usize): bool {
  type = 0
  help = 0
  unit = 0
  if (load<u8>(from) !== METADATA) return false
  const body = from + 1 + bytesOfLength(from + 1)
  if (body + <usize>shortLength(from + 1) !== end) return false
  const symbolCount = load<u32>(REGISTERS + AT_SYMBOL_COUNT * 4)
  let at = body
  while (at < end) {
    const tag: u32 = load<u8>(at)
    const value = readRef(at + 1)
    at = refEnd
    if (tag === 0x08) {
      if (value > 7) return false
      type = value
      continue
    }
    if (value >= symbolCount || (traitsOf(value) & IS_UTF8) === 0) return false
    if (tag === 0x18) help = value
    else if (tag === 0x20) unit = value
    else return false
  }
  return at === end
}
