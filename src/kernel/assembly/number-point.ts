import { nameOfMetric } from './known-metric'
import { addToPoint, beginPoint, countPoint, readCommon, settlePoint } from './point'
import { lengthOf } from './symbols'

const DOUBLE = 0x21
const INTEGER = 0x31
const ATTRIBUTES = 0x3a
const FLAGS = 0x40

/** Reads a NumberDataPoint, unless it is not plain: then it leaves nothing behind. */
export function readNumberPoint(from: usize, end: usize): bool {
  let bits: u64 = 0
  beginPoint()
  let at = from
  while (at < end) {
    const tag: u32 = load<u8>(at)
    if (tag === DOUBLE) {
      bits = load<u64>(at + 1)
      at += 9
    } else if (tag === INTEGER) {
      bits = reinterpret<u64>(<f64>load<i64>(at + 1))
      at += 9
    } else {
      at = readCommon(at, end, ATTRIBUTES, FLAGS)
      if (at === 0) return false
    }
  }
  const name = nameOfMetric()
  if (at !== end || !settlePoint(1, lengthOf(name), false)) return false
  countPoint()
  addToPoint(name, 0, bits)
  return true
}
