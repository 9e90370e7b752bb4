import type { Batch } from '../model/batch.ts'

/** Above this many moves a label set is sorted as a whole: a sender chooses the order. */
const MOVES_MAX = 256

/**
 * Sorts the labels `[from, to)` of `batch.labelRefs` by the bytes of their names. Returns a
 * name that occurs twice, 0 when none does; then the order is not finished.
 */
export function sortLabels(batch: Batch, from: number, to: number): number {
  const { labelRefs } = batch
  let moves = 0
  // By insertion: most sets that are not in order are short, or nearly are.
  for (let i = from + 2; i < to; i += 2) {
    const name = labelRefs[i]!
    const value = labelRefs[i + 1]!
    let place = i
    let order = 1
    while (place > from) {
      order = compareSymbols(batch, labelRefs[place - 2]!, name)
      if (order <= 0) break
      place -= 2
      moves += 1
    }
    if (order === 0) return name
    if (place === i) continue
    labelRefs.copyWithin(place + 2, place, i)
    labelRefs[place] = name
    labelRefs[place + 1] = value
    if (moves > MOVES_MAX) return sortAll(batch, from, to)
  }
  return 0
}

/** n log n, whatever the order; allocates, which a sender that sorts never causes. */
function sortAll(batch: Batch, from: number, to: number): number {
  const { labelRefs } = batch
  const labels: { name: number; value: number }[] = []
  for (let i = from; i < to; i += 2) labels.push({ name: labelRefs[i]!, value: labelRefs[i + 1]! })
  labels.sort((one, other) => compareSymbols(batch, one.name, other.name))
  let at = from
  for (const [i, { name, value }] of labels.entries()) {
    if (i > 0 && compareSymbols(batch, labels[i - 1]!.name, name) === 0) return name
    labelRefs[at++] = name
    labelRefs[at++] = value
  }
  return 0
}

/** Below 0, 0 or above 0, by unsigned bytes: the order of UTF-8, not that of UTF-16. */
export function compareSymbols(batch: Batch, one: number, other: number): number {
  if (one === other) return 0
  const { bytes, symbolStart, symbolEnd } = batch
  let i = symbolStart[one]!
  let j = symbolStart[other]!
  const iEnd = symbolEnd[one]!
  const jEnd = symbolEnd[other]!
  while (i < iEnd && j < jEnd) {
    const difference = bytes[i++]! - bytes[j++]!
    if (difference !== 0) return difference
  }
  return iEnd - i - (jEnd - j)
}

/**
 * Does `name` come after `before`? Names follow each other in few ways, so few are ever
 * compared byte by byte: the batch remembers one for each.
 */
export function follows(batch: Batch, before: number, name: number): boolean {
  const { symbolFollower } = batch
  if (symbolFollower[before] === name) return true
  if (compareSymbols(batch, before, name) >= 0) return false
  symbolFollower[before] = name
  return true
}
