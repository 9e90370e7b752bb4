import {
  IS_LABEL,
  IS_NAME_LABEL,
  LAST_LABELS_MAX,
  LAST_LENGTHS,
  LAST_REFS,
  LAST_SUM,
} from '../layout'
import { labelWords } from './digest'
import { digestOf, follows, lengthOf, traitsOf } from './symbols'

/**
 * The labels of the series before, which become those of the next one by small changes:
 * neighbours differ in few labels. With the set goes all that is known of it: that it is
 * sorted and valid, its identity, and how long it is when written out.
 *
 * A walk goes over the set from its first place: `keep` passes what is the same, `put` says
 * what stands here instead, `end` cuts what is left. Any of them may find the set not plain;
 * then it is forgotten, and the general way reads the series.
 */
let count: u32 = 0
/** Where the walk stands. */
let place: u32 = 0
/** Whether the label before `place` has a new neighbour, whose name has to follow its own. */
let isJoint = false
let bytes: u32 = 0
/** What all labels take in the body, and those before `place`. */
let length: usize = 0
let passed: usize = 0

export function labelCount(): u32 {
  return count
}

export function labelBytes(): u32 {
  return bytes
}

export function placeNow(): u32 {
  return place
}

export function forgetLabels(): void {
  count = 0
  bytes = 0
  length = 0
  v128.store(LAST_SUM, i32x4.splat(0))
}

export function beginWalk(): void {
  place = 0
  passed = 0
  isJoint = false
}

export function nameAt(at: u32): u32 {
  return load<u32>(LAST_REFS + ((<usize>at) << 3))
}

export function valueAt(at: u32): u32 {
  return load<u32>(LAST_REFS + ((<usize>at) << 3), 4)
}

/** What the label takes in the body, with its tag. */
export function lengthAt(at: u32): u32 {
  return load<u32>(LAST_LENGTHS + ((<usize>at) << 2))
}

/** What the labels take that `labelsWithin` counted last. */
let within: usize = 0

export function keptBytes(): usize {
  return within
}

/** How many labels from the walk's place on end within so many bytes of the body. */
export function labelsWithin(size: usize): u32 {
  // Nearly always all that are left, behind the label that is another.
  within = length - passed
  if (size >= within) return count - place
  within = 0
  let at = place
  while (at < count) {
    const next = within + <usize>lengthAt(at)
    if (next > size) break
    within = next
    at += 1
  }
  return at - place
}

/**
 * What lies from the walk's place up to the end of the label of this name, in the body; 0
 * when none is near.
 */
export function bytesUpTo(name: u32): usize {
  const end = place + distanceTo(name)
  if (end >= count || nameAt(end) !== name) return 0
  let size: usize = 0
  for (let i = place; i <= end; i++) size += <usize>lengthAt(i)
  return size
}

/** The next `labels` labels, which `labelsWithin` counted, stay as they are. */
export function keep(labels: u32): bool {
  if (isJoint) {
    if (!follows(nameAt(place - 1), nameAt(place))) return false
    isJoint = false
  }
  place += labels
  passed += within
  return true
}

/** A label that differs from the one at this place. */
export function put(name: u32, value: u32, size: u32): bool {
  if ((traitsOf(name) & traitsOf(value) & IS_LABEL) !== IS_LABEL) return false
  if (place === 0 && (traitsOf(name) & IS_NAME_LABEL) === 0) return false
  if (place < count && nameAt(place) === name) {
    if (isJoint && !follows(nameAt(place - 1), name)) return false
    isJoint = false
    return exchange(value, size)
  }
  const gone = distanceTo(name)
  if (gone > 0) {
    for (let i: u32 = 0; i < gone; i++) removeAt(place)
    if (place > 0 && !follows(nameAt(place - 1), name)) return false
    isJoint = false
    return valueAt(place) === value && lengthAt(place) === size ? pass() : exchange(value, size)
  }
  return insert(name, value, size)
}

/** The set ends here. */
export function endWalk(): bool {
  while (count > place) removeAt(count - 1)
  return count > 0
}

function pass(): bool {
  passed += <usize>lengthAt(place)
  place += 1
  return true
}

/** How many labels lie before one of this name, 0 when there is none near. */
function distanceTo(name: u32): u32 {
  const end = min(count, place + 4)
  for (let i = place; i < end; i++) if (nameAt(i) === name) return i - place
  return 0
}

function exchange(value: u32, size: u32): bool {
  const name = nameAt(place)
  const before = valueAt(place)
  const digest = digestOf(name)
  const gone = labelWords(digest, digestOf(before))
  const come = labelWords(digest, digestOf(value))
  v128.store(LAST_SUM, i32x4.add(i32x4.sub(v128.load(LAST_SUM), gone), come))
  bytes += lengthOf(value) - lengthOf(before)
  store<u32>(LAST_REFS + ((<usize>place) << 3), value, 4)
  length += <usize>size - <usize>lengthAt(place)
  passed += <usize>size
  store<u32>(LAST_LENGTHS + ((<usize>place) << 2), size)
  place += 1
  return true
}

function insert(name: u32, value: u32, size: u32): bool {
  if (count === LAST_LABELS_MAX) return false
  if (place > 0 && !follows(nameAt(place - 1), name)) return false
  const refs = LAST_REFS + ((<usize>place) << 3)
  const lengths = LAST_LENGTHS + ((<usize>place) << 2)
  const after = <usize>(count - place)
  memory.copy(refs + 8, refs, after << 3)
  memory.copy(lengths + 4, lengths, after << 2)
  store<u32>(refs, name)
  store<u32>(refs, value, 4)
  store<u32>(lengths, size)
  const come = labelWords(digestOf(name), digestOf(value))
  v128.store(LAST_SUM, i32x4.add(v128.load(LAST_SUM), come))
  bytes += lengthOf(name) + lengthOf(value)
  length += <usize>size
  passed += <usize>size
  count += 1
  place += 1
  isJoint = place < count
  return true
}

function removeAt(at: u32): void {
  const name = nameAt(at)
  const value = valueAt(at)
  const gone = labelWords(digestOf(name), digestOf(value))
  v128.store(LAST_SUM, i32x4.sub(v128.load(LAST_SUM), gone))
  bytes -= lengthOf(name) + lengthOf(value)
  const refs = LAST_REFS + ((<usize>at) << 3)
  const lengths = LAST_LENGTHS + ((<usize>at) << 2)
  length -= <usize>lengthAt(at)
  const after = <usize>(count - at - 1)
  memory.copy(refs, refs + 8, after << 3)
  memory.copy(lengths, lengths + 4, after << 2)
  count -= 1
}
