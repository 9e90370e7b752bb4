import {
  AT_BASE_BYTES,
  AT_BASE_COUNT,
  AT_LABEL_BYTES,
  AT_LABEL_BYTES_MAX,
  AT_LABEL_REF_COUNT,
  AT_POINT_COUNT,
  LABEL_REFS,
  POINT_BASE_SUM,
  POINT_LABELS,
  POINT_NEWEST_MS,
  REFS_MAX,
  REGISTERS,
  SAMPLE_POINT,
} from '../layout'
import { addSample, addSeries, roomForSeries } from './columns'
import { labelWords } from './digest'
import { hasStarts, helpOfMetric, typeOfMetric, unitOfMetric } from './known-metric'
import { attributeCount, beginAttributes, readAttribute } from './point-attributes'
import { findShape, labelCount, ownLabels, takeOwnLabels, writeLabels } from './point-shape'
import { digestOf, lengthOf } from './symbols'
import { bytesOfLength, shortLength } from './varint'

const START = 0x11
const TIME = 0x19
const NANOS_PER_MS: u64 = 1_000_000

/** Of the point that is being read. */
let timestampMs: f64 = 0
let startMs: f64 = 0
/** What its labels add to the identity and the length of a series, but for the name and `le`. */
const OWN_SUM = memory.data(16, 16)
let ownBytes: u32 = 0

export function beginPoint(): void {
  beginAttributes()
  timestampMs = 0
  startMs = 0
}

/**
 * Reads the field at `at` if all points have it, of which the tags of attributes and flags
 * differ. Returns where it ends, 0 when it is not plain.
 */
export function readCommon(at: usize, end: usize, attributes: u32, flags: u32): usize {
  const tag: u32 = load<u8>(at)
  if (tag === attributes) {
    const from = at + 1 + bytesOfLength(at + 1)
    const to = from + <usize>shortLength(at + 1)
    return to <= end && readAttribute(from, to) ? to : 0
  }
  if (tag === TIME) timestampMs = msAt(at + 1)
  else if (tag === START) startMs = msAt(at + 1)
  else return tag === flags && load<u8>(at + 1) === 0 ? at + 2 : 0
  return at + 9
}

function msAt(at: usize): f64 {
  return <f64>(load<u64>(at) / NANOS_PER_MS)
}

/**
 * All fields were read. Finds what its series have in common; false when that is not plain, or
 * when there may be no room for them.
 *
 * @param series how many there are
 * @param open bytes of a name and of a value of `le`, the longest
 */
export function settlePoint(series: u32, open: u32, hasLe: bool): bool {
  const own = attributeCount()
  if (timestampMs === 0 || !findShape(own, hasLe)) return false
  if (!hasStarts() || startMs >= timestampMs) startMs = 0
  takeOwnLabels(own)
  const labels = ownLabels()
  let sum = v128.load(POINT_BASE_SUM)
  ownBytes = load<u32>(REGISTERS + AT_BASE_BYTES * 4)
  for (let i: usize = 0; i < <usize>own; i++) {
    const name = load<u32>(labels + (i << 3))
    const value = load<u32>(labels + (i << 3), 4)
    sum = i32x4.add(sum, labelWords(digestOf(name), digestOf(value)))
    ownBytes += lengthOf(name) + lengthOf(value)
  }
  v128.store(OWN_SUM, sum)
  return hasRoom(series, open)
}

function hasRoom(series: u32, open: u32): bool {
  const bytes = <u64>load<u32>(REGISTERS + AT_LABEL_BYTES * 4)
  const refs = <u64>load<u32>(REGISTERS + AT_LABEL_REF_COUNT * 4)
  return (
    series <= roomForSeries() &&
    bytes + <u64>series * (ownBytes + open) <= load<u32>(REGISTERS + AT_LABEL_BYTES_MAX * 4) &&
    refs + <u64>series * (labelCount() * 2) <= <u64>REFS_MAX
  )
}

/** The point was plain: it has a number, and its time counts. */
export function countPoint(): void {
  const before = load<u32>(REGISTERS + AT_POINT_COUNT * 4)
  store<u32>(REGISTERS + AT_POINT_COUNT * 4, before + 1)
  if (timestampMs > load<f64>(POINT_NEWEST_MS)) store<f64>(POINT_NEWEST_MS, timestampMs)
}

/**
 * Appends a series of the point with one sample.
 *
 * @param name symbol of the metric's name
 * @param le symbol of the value of `le`, 0 for a series without it
 */
export function addToPoint(name: u32, le: u32, bits: u64): void {
  const labels = POINT_LABELS + ((<usize>load<u32>(REGISTERS + AT_BASE_COUNT * 4)) << 3)
  store<u32>(labels, name, 4)
  let sum = i32x4.add(v128.load(OWN_SUM), labelWords(digestOf(load<u32>(labels)), digestOf(name)))
  if (le !== 0) {
    store<u32>(labels, le, 12)
    sum = i32x4.add(sum, labelWords(digestOf(load<u32>(labels, 8)), digestOf(le)))
  }
  const bytes = load<u32>(REGISTERS + AT_LABEL_BYTES * 4) + ownBytes + lengthOf(name)
  store<u32>(REGISTERS + AT_LABEL_BYTES * 4, bytes + lengthOf(le))
  const refs = LABEL_REFS + ((<usize>load<u32>(REGISTERS + AT_LABEL_REF_COUNT * 4)) << 2)
  const refTo = <u32>((writeLabels(refs, le !== 0) - LABEL_REFS) >> 2)
  const series = addSeries(refTo, sum, typeOfMetric(), helpOfMetric(), unitOfMetric())
  const sample = addSample(series, timestampMs, startMs, bits)
  const point = load<u32>(REGISTERS + AT_POINT_COUNT * 4)
  store<u32>(SAMPLE_POINT + ((<usize>sample) << 2), point)
}
