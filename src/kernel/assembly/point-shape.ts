import {
  AT_BASE_COUNT,
  AT_BASE_VERSION,
  AT_EPOCH,
  POINT_KEYS,
  POINT_LABELS,
  REGISTERS,
  SHAPE_BYTES,
  SHAPE_EPOCH,
  SHAPE_KEYS,
  SHAPE_NAMES,
  SHAPE_ORDER,
  SHAPE_OWN,
  SHAPE_TOTAL,
  SHAPE_VERSION,
  SHAPE_WITH_LE,
  SHAPES,
  SHAPES_MAX,
} from '../layout'
import { attributeAt } from './point-attributes'

/**
 * How the labels of a point are sorted, which depends on its keys, on the names of resource and
 * scope, and on whether it has `le`. Node finds it out when it reads such a point the general way.
 */
let shape: usize = 0

/** Where the shape of a point belongs whose keys are at POINT_KEYS. */
export function placeOfShape(own: u32, hasLe: bool): usize {
  let hash: u32 = hasLe ? 1 : 0
  for (let i: u32 = 0; i < own; i++) {
    hash = (hash ^ load<u32>(POINT_KEYS + ((<usize>i) << 2))) * 0x9e3779b1
  }
  return SHAPES + <usize>((hash >> 16) % SHAPES_MAX) * SHAPE_BYTES
}

/** Finds the shape of the point whose attributes were read last. */
export function findShape(own: u32, hasLe: bool): bool {
  const what = hasLe ? own | SHAPE_WITH_LE : own
  if (isShape(shape, own, what)) return true
  shape = placeOfShape(own, hasLe)
  return isShape(shape, own, what)
}

function isShape(at: usize, own: u32, what: u32): bool {
  if (at === 0 || wordOf(at, SHAPE_EPOCH) !== load<u32>(REGISTERS + AT_EPOCH * 4)) return false
  if (wordOf(at, SHAPE_VERSION) !== load<u32>(REGISTERS + AT_BASE_VERSION * 4)) return false
  if (wordOf(at, SHAPE_OWN) !== what) return false
  for (let i: usize = 0; i < <usize>own; i++) {
    if (wordOf(at, SHAPE_KEYS + i) !== load<u32>(POINT_KEYS + (i << 2))) return false
  }
  return true
}

function wordOf(at: usize, word: usize): u32 {
  return load<u32>(at + (word << 2))
}

/** How many labels the point has, with its name and, of a histogram, `le`. */
export function labelCount(): u32 {
  return wordOf(shape, SHAPE_TOTAL)
}

/** Where the first label lies in POINT_LABELS that is the point's own. */
export function ownLabels(): usize {
  return POINT_LABELS + ((<usize>load<u32>(REGISTERS + AT_BASE_COUNT * 4) + 2) << 3)
}

/** Writes the labels that the attributes of the point become to POINT_LABELS. */
export function takeOwnLabels(own: u32): void {
  const labels = ownLabels()
  for (let i: usize = 0; i < <usize>own; i++) {
    const label = labels + (i << 3)
    store<u32>(label, wordOf(shape, SHAPE_NAMES + i))
    store<u32>(label, attributeAt(<u32>i), 4)
  }
}

/** Writes the point's labels, sorted, at `refs`, without `le` unless it has one. */
export function writeLabels(refs: usize, hasLe: bool): usize {
  const total = labelCount()
  const le = hasLe ? u32.MAX_VALUE : load<u32>(REGISTERS + AT_BASE_COUNT * 4) + 1
  let at = refs
  for (let i: usize = 0; i < <usize>total; i++) {
    const place: u32 = load<u8>(shape + SHAPE_ORDER * 4 + i)
    if (place === le) continue
    store<u64>(at, load<u64>(POINT_LABELS + ((<usize>place) << 3)))
    at += 8
  }
  return at
}
