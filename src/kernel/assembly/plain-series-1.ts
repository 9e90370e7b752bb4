import { commonBytes } from './bytes'
import { hasRoomForSymbols, roomForSeries } from './columns'
import {
  beginWalk,
  bytesUpTo,
  endWalk,
  forgetLabels,
  keep,
  keptBytes,
  labelCount,
  labelsWithin,
  nameAt,
  placeNow,
  put,
  valueAt,
} from './label-set'
import { addPlainSeries, plainSampleEnd } from './plain-series'
import { intern, internNext } from './symbols'
import { bytesOfLength, shortLength } from './varint'

const SERIES = 0x0a
const LABEL = 0x0a
const NAME = 0x0a
const VALUE = 0x12

/** Where the labels of the series before lie in the body, and end; if there are any. */
let beforeAt: usize = 0
let beforeEnd: usize = 0

/**
 * Reads Remote Write 1.0 series from `from` on, and returns where the first lies that is not
 * plain, or `limit`.
 *
 * Senders repeat a target's labels for each of its series. So the bytes are compared with
 * those of the series before, and only labels that differ are taken apart.
 */
export function readPlainSeries1(from: usize, limit: usize): usize {
  let at = from
  for (let room = roomForSeries(); room > 0 && at < limit && hasRoomForSymbols(); room--) {
    if (load<u8>(at) !== SERIES) return at
    const length = shortLength(at + 1)
    const body = at + 1 + bytesOfLength(at + 1)
    if (body > limit || length > <u32>(limit - body)) return at
    const end = body + <usize>length
    const labelsEnd = walkLabels(body, end)
    if (labelsEnd === 0) {
      forgetLabels()
      return at
    }
    beforeAt = body
    beforeEnd = labelsEnd
    if (plainSampleEnd(labelsEnd, end) !== end) return at
    if (!addPlainSeries(labelsEnd, end, 0, 0, 0)) return at
    at = end
  }
  return at
}

/** Where the labels end that begin at `from`, 0 when they are not plain. */
function walkLabels(from: usize, limit: usize): usize {
  beginWalk()
  let at = from
  let before = beforeAt
  while (at < limit && load<u8>(at) === LABEL) {
    const common = commonBytes(
      at,
      before,
      labelCount() === 0 ? 0 : min(beforeEnd - before, limit - at),
    )
    const labels = labelsWithin(common)
    if (labels > 0) {
      const kept = keptBytes()
      if (!keep(labels)) return 0
      at += kept
      before += kept
      if (at >= limit || load<u8>(at) !== LABEL) break
    }
    const next = walkLabel(at, limit)
    if (next === 0) return 0
    before += skipped
    at = next
  }
  return endWalk() ? at : 0
}

/** What the walk goes over in the series before when it takes the label, in bytes. */
let skipped: usize = 0

/** The label at `at`, which differs from that of the series before; 0 when it is not plain. */
function walkLabel(at: usize, limit: usize): usize {
  const length = shortLength(at + 1)
  const label = at + 1 + bytesOfLength(at + 1)
  if (label > limit || length > <u32>(limit - label)) return 0
  if (load<u8>(label) !== NAME) return 0
  const end = label + <usize>length
  const nameLength = shortLength(label + 1)
  const name = label + 1 + bytesOfLength(label + 1)
  if (name > end || nameLength > <u32>(end - name)) return 0
  const nameEnd = name + <usize>nameLength
  if (nameEnd + 2 > end || load<u8>(nameEnd) !== VALUE) return 0
  const value = nameEnd + 1 + bytesOfLength(nameEnd + 1)
  if (value + <usize>shortLength(nameEnd + 1) !== end) return 0

  const isBehind = placeNow() >= labelCount()
  const symbol = intern(name, nameEnd, isBehind ? 0 : nameAt(placeNow()))
  const before = isBehind ? 0 : valueAt(placeNow())
  skipped = bytesUpTo(symbol)
  return put(symbol, internNext(value, end, before), <u32>(end - at)) ? end : 0
}
