import {
  AT_BASE_COUNT,
  AT_BASE_VERSION,
  AT_EPOCH,
  POINT_KEYS,
  POINT_LABELS,
  REGISTERS,
  SHAPE_BYTES,
  SHAPES,
  SHAPES_MAX,
} from '../layout'
import { attributeAt } from './point-attributes'

/**
 * How the labels of a point are sorted, which depends on its keys, on the names of resource
 * and scope, and on whether it has `le`. Node finds it out when it reads such a point the
 * general way, and writes it here:
 *
 *     epoch, version of the base, count of keys + 2^16 if with `le`, count of labels: words
 *     16   keys, words
 *     144  names of the labels that they become, words
 *     272  the labels, sorted: places in POINT_LABELS, bytes
 */
const KEYS = 16
const NAMES = 144
const ORDER = 272
const WITH_LE: u32 = 0x10000

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
  const what = hasLe ? own | WITH_LE : own
  if (isShape(shape, own, what)) return true
  shape = placeOfShape(own, hasLe)
  return isShape(shape, own, what)
}

function isShape(at: usize, own: u32, what: u32): bool {
  if (at === 0 || load<u32>(at) !== load<u32>(REGISTERS + AT_EPOCH * 4)) return false
  if (load<u32>(at, 4) !== load<u32>(REGISTERS + AT_BASE_VERSION * 4)) return false
  if (load<u32>(at, 8) !== what) return false
  for (let i: usize = 0; i < <usize>own; i++) {
    if (load<u32>(at + KEYS + (i << 2)) !== load<u32>(POINT_KEYS + (i << 2))) return false
  }
  return true
}

/** How many labels the point has, with its name and, of a histogram, `le`. */
export function labelCount(): u32 {
  return load<u32>(shape, 12)
}

/** Where the first label lies in POINT_LABELS that is the point's own. */
export function ownLabels(): usize {
  return POINT_LABELS + ((<usize>load<u32>(REGISTERS + AT_BASE_COUNT * 4) + 2) << 3)
}

/** Writes the labels that the attributes of the point become to POINT_LABELS. */
export function takeOwnLabels(own: u32): void {
  const labels = ownLabels()
  for (let i: u32 = 0; i < own; i++) {
    const label = labels + ((<usize>i) << 3)
    store<u32>(label, load<u32>(shape + NAMES + ((<usize>i) << 2)))
    store<u32>(label, attributeAt(i), 4)
  }
}

/** Writes the point's labels, sorted, at `refs`, without `le` unless it has one. */
export function writeLabels(refs: usize, hasLe: bool): usize {
  const total = labelCount()
  const le = hasLe ? u32.MAX_VALUE : load<u32>(REGISTERS + AT_BASE_COUNT * 4) + 1
  let at = refs
  for (let i: usize = 0; i < <usize>total; i++) {
    const place: u32 = load<u8>(shape + ORDER + i)
    if (place === le) continue
    store<u64>(at, load<u64>(POINT_LABELS + ((<usize>place) << 3)))
    at += 8
  }
  return at
}
