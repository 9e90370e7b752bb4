import { AT_INFINITY, REGISTERS } from '../layout'
import { areEqual } from './bytes'
import {
  boundCount,
  boundsOfMetric,
  nameOfBuckets,
  nameOfCount,
  nameOfSum,
  widestBound,
} from './known-metric'
import { addToPoint, beginPoint, countPoint, readCommon, settlePoint } from './point'
import { lengthOf } from './symbols'
import { lengthEnd, longLength } from './varint'

const COUNT = 0x21
const SUM = 0x29
const COUNTS = 0x32
const BOUNDS = 0x3a
const ATTRIBUTES = 0x4a
const FLAGS = 0x50
const MIN = 0x59
const MAX = 0x61

let count: u64 = 0
let sum: u64 = 0
let hasSum = false
/** Where the counts of its buckets lie, 0 when it has none; the same of its bounds. */
let counts: usize = 0
let countsBytes: u32 = 0
let bounds: usize = 0
let boundsBytes: u32 = 0

/** Reads a HistogramDataPoint, unless it is not plain: then it leaves nothing behind. */
export function readHistogramPoint(from: usize, end: usize): bool {
  const known = boundsOfMetric()
  if (known === 0 || !readFields(from, end)) return false
  const length = boundCount()
  if (boundsBytes !== length * 8 || !areEqual(bounds, known, <usize>boundsBytes)) return false
  if (countsBytes !== (length === 0 ? 0 : boundsBytes + 8)) return false
  const open = lengthOf(nameOfBuckets()) + widestBound()
  if (!settlePoint(length + 3, open, true)) return false
  countPoint()
  addAll(known + <usize>boundsBytes, length)
  return true
}

function readFields(from: usize, end: usize): bool {
  count = 0
  hasSum = false
  counts = 0
  countsBytes = 0
  bounds = 0
  boundsBytes = 0
  beginPoint()
  let at = from
  while (at < end) {
    const tag: u32 = load<u8>(at)
    if (tag === COUNT) {
      count = load<u64>(at + 1)
      at += 9
    } else if (tag === SUM) {
      sum = load<u64>(at + 1)
      hasSum = true
      at += 9
    } else if (tag === MIN || tag === MAX) {
      at += 9
    } else if (tag === COUNTS && counts === 0) {
      countsBytes = longLength(at + 1)
      counts = lengthEnd
      at = counts + <usize>countsBytes
    } else if (tag === BOUNDS && bounds === 0) {
      boundsBytes = longLength(at + 1)
      bounds = lengthEnd
      at = bounds + <usize>boundsBytes
    } else {
      at = readCommon(at, end, ATTRIBUTES, FLAGS)
      if (at === 0) return false
    }
  }
  return at === end
}

/** Its series, in the order of Prometheus; `les` are the symbols of the bounds. */
function addAll(les: usize, length: u32): void {
  if (hasSum) addToPoint(nameOfSum(), 0, sum)
  const total = reinterpret<u64>(<f64>count)
  addToPoint(nameOfCount(), 0, total)
  const name = nameOfBuckets()
  let below: f64 = 0
  for (let i: usize = 0; i < <usize>length; i++) {
    below += <f64>load<u64>(counts + (i << 3))
    addToPoint(name, load<u32>(les + (i << 2)), reinterpret<u64>(below))
  }
  addToPoint(name, load<u32>(REGISTERS + AT_INFINITY * 4), total)
}
