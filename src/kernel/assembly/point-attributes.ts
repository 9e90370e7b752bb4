import {
  AT_EPOCH,
  AT_SYMBOL_COUNT,
  IS_LABEL,
  NUMBER_BYTES_MAX,
  NUMBER_SYMBOLS_MAX,
  POINT_KEYS,
  POINT_OWN_MAX,
  POINT_VALUES,
  REGISTERS,
  VALUE_TEXT,
} from '../layout'
import { intern, traitsOf } from './symbols'
import { bytesOfLength, shortLength } from './varint'

const KEY = 0x0a
const VALUE = 0x12
const TEXT = 0x0a

let count: u32 = 0

/** Symbols of another request mean nothing in this one. */
export function forgetAttributes(): void {
  memory.fill(POINT_KEYS, 0, POINT_OWN_MAX * 4)
  memory.fill(POINT_VALUES, 0, POINT_OWN_MAX * 4)
}

export function beginAttributes(): void {
  count = 0
}

export function attributeCount(): u32 {
  return count
}

export function keyAt(place: u32): u32 {
  return load<u32>(POINT_KEYS + ((<usize>place) << 2))
}

export function attributeAt(place: u32): u32 {
  return load<u32>(POINT_VALUES + ((<usize>place) << 2))
}

/** Reads a KeyValue, or says that it is not plain: a key, and a value that makes a label. */
export function readAttribute(from: usize, end: usize): bool {
  if (count === POINT_OWN_MAX || load<u8>(from) !== KEY) return false
  const key = from + 1 + bytesOfLength(from + 1)
  const keyEnd = key + <usize>shortLength(from + 1)
  if (keyEnd + 2 > end || load<u8>(keyEnd) !== VALUE) return false
  const value = keyEnd + 1 + bytesOfLength(keyEnd + 1)
  if (value + <usize>shortLength(keyEnd + 1) !== end) return false
  // What stood here in the point before is most likely to stand here again.
  const symbol = readValue(value, end, attributeAt(count))
  if (symbol === 0) return false
  const word = (<usize>count) << 2
  store<u32>(POINT_KEYS + word, intern(key, keyEnd, keyAt(count)))
  store<u32>(POINT_VALUES + word, symbol)
  count += 1
  return true
}

/** The symbol of an AnyValue, 0 when it is none that is known. */
function readValue(from: usize, end: usize, guess: u32): u32 {
  if (from >= end) return 0
  if (load<u8>(from) === TEXT) {
    const text = from + 1 + bytesOfLength(from + 1)
    if (text + <usize>shortLength(from + 1) !== end) return 0
    const symbol = intern(text, end, guess)
    return (traitsOf(symbol) & IS_LABEL) === IS_LABEL ? symbol : 0
  }
  const symbols = load<u32>(REGISTERS + AT_SYMBOL_COUNT * 4)
  if (end - from > <usize>NUMBER_BYTES_MAX || symbols > <u32>NUMBER_SYMBOLS_MAX) return 0
  const known = VALUE_TEXT + ((<usize>intern(from, end, 0)) << 3)
  return load<u32>(known) === load<u32>(REGISTERS + AT_EPOCH * 4) ? load<u32>(known, 4) : 0
}
