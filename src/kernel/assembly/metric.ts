import { AT_RESUME, IS_UTF8, RAW, REGISTERS } from '../layout'
import { hasRoomForSymbols } from './columns'
import { readHistogramPoint } from './histogram-point'
import {
  findMetric,
  helpOfMetric,
  kindOfMetric,
  setHelpOfMetric,
  traitsOfMetric,
  unitOfMetric,
  useMetric,
} from './known-metric'
import { readNumberPoint } from './number-point'
import { intern, traitsOf } from './symbols'
import { lengthEnd, longLength } from './varint'

const METRIC = 0x12
const NAME = 0x0a
const DESCRIPTION = 0x12
const UNIT = 0x1a
const GAUGES: u32 = 0x2a
const SUMS: u32 = 0x3a
const HISTOGRAMS: u32 = 0x4a
const POINT = 0x0a
const TEMPORALITY = 0x10
const IS_MONOTONIC = 0x18

/** The fields of the current metric. */
let name: usize = 0
let nameEnd: usize = 0
let description: usize = 0
let descriptionEnd: usize = 0
let unit: usize = 0
let unitEnd: usize = 0
let kind: u32 = 0
let data: usize = 0
let dataEnd: usize = 0

/**
 * Reads the metrics of a ScopeMetrics from `from` on, and returns where the first lies that is
 * not plain, or `limit`: one that is not known, or that has a point which is not plain. Then
 * AT_RESUME says which point, and 0 says that it is not known.
 */
export function readMetrics(from: usize, limit: usize): usize {
  let at = from
  while (at < limit) {
    store<u32>(REGISTERS + AT_RESUME * 4, 0)
    if (load<u8>(at) !== METRIC) return at
    const length = longLength(at + 1)
    const body = lengthEnd
    if (body > limit || length > <u32>(limit - body)) return at
    const end = body + <usize>length
    if (!readHead(body, end) || !isKnown()) return at
    const stop = readPoints(data, dataEnd)
    if (stop !== dataEnd) {
      store<u32>(REGISTERS + AT_RESUME * 4, <u32>(stop - RAW))
      return at
    }
    at = end
  }
  return at
}

function readHead(from: usize, end: usize): bool {
  name = 0
  nameEnd = 0
  description = 0
  descriptionEnd = 0
  unit = 0
  unitEnd = 0
  kind = 0
  let at = from
  while (at < end) {
    const tag: u32 = load<u8>(at)
    const length = longLength(at + 1)
    const body = lengthEnd
    if (body > end || length > <u32>(end - body)) return false
    at = body + <usize>length
    if (tag === NAME) {
      name = body
      nameEnd = at
    } else if (tag === DESCRIPTION) {
      description = body
      descriptionEnd = at
    } else if (tag === UNIT) {
      unit = body
      unitEnd = at
    } else if (tag === GAUGES || tag === SUMS || tag === HISTOGRAMS) {
      kind = tag
      data = body
      dataEnd = at
    } else return false
  }
  return kind !== 0
}

/** Whether it is what it was when Node described it. Takes its description, which may change. */
function isKnown(): bool {
  if (!hasRoomForSymbols() || !findMetric(intern(name, nameEnd, 0))) return false
  if (kindOfMetric() !== kind || traitsOfMetric() !== readTraits()) return false
  if (unitOfMetric() !== textSymbol(unit, unitEnd, unitOfMetric())) return false
  setHelpOfMetric(textSymbol(description, descriptionEnd, helpOfMetric()))
  return true
}

/** 0 when it is no text. */
function textSymbol(from: usize, to: usize, guess: u32): u32 {
  const symbol = intern(from, to, guess)
  return (traitsOf(symbol) & IS_UTF8) === 0 ? 0 : symbol
}

/** Twice the temporality, and one more if it is monotonic; no traits that are known if strange. */
function readTraits(): u32 {
  let temporality: u32 = 0
  let isMonotonic: u32 = 0
  let at = data
  while (at < dataEnd) {
    const tag: u32 = load<u8>(at)
    if (tag === POINT) {
      const length = longLength(at + 1)
      if (lengthEnd > dataEnd || length > <u32>(dataEnd - lengthEnd)) return u32.MAX_VALUE
      at = lengthEnd + <usize>length
      continue
    }
    const value: u32 = load<u8>(at + 1)
    if (at + 2 > dataEnd || value >= 0x80) return u32.MAX_VALUE
    if (tag === TEMPORALITY) temporality = value
    else if (tag === IS_MONOTONIC) isMonotonic = value === 0 ? 0 : 1
    else return u32.MAX_VALUE
    at += 2
  }
  return temporality * 2 + isMonotonic
}

/** Reads points of the metric from `from` on, and returns where the first not plain one lies. */
function readPoints(from: usize, limit: usize): usize {
  let at = from
  while (at < limit) {
    const tag: u32 = load<u8>(at)
    if (tag === TEMPORALITY || tag === IS_MONOTONIC) {
      if (load<u8>(at + 1) >= 0x80 || at + 2 > limit) return at
      at += 2
      continue
    }
    const length = longLength(at + 1)
    const body = lengthEnd
    if (tag !== POINT || body > limit || length > <u32>(limit - body)) return at
    const end = body + <usize>length
    if (!hasRoomForSymbols()) return at
    const isRead = kind === HISTOGRAMS ? readHistogramPoint(body, end) : readNumberPoint(body, end)
    if (!isRead) return at
    at = end
  }
  return at
}

/** The same of a metric whose other fields Node has read: its number, and its description. */
export function readPointsOf(metric: u32, help: u32, from: usize, limit: usize): usize {
  useMetric(metric)
  setHelpOfMetric(help)
  kind = kindOfMetric()
  return readPoints(from, limit)
}
