import {
  AT_MISSING_SYMBOL,
  AT_NAMED_BYTES,
  AT_NAMED_COUNT,
  AT_NEXT_NUMBER,
  NAMED,
  NAMED_BYTES_MAX,
  NAMED_DIGESTS,
  NAMED_MAX,
  REGISTERS,
  SYMBOL_NUMBER,
} from '../layout'
import { digestOf, lengthOf, startOf } from './symbols'
import { writeNumber } from './varint'

const SYMBOLS = 0x22
/** A tag and a length. */
const HEAD_MAX: u32 = 6

/**
 * The number of a symbol in the message that is being written. One that has none gets the next
 * one, and its string stands in NAMED then; 0 where Node has to give it, and it stands in
 * AT_MISSING_SYMBOL.
 */
export function numberOf(symbol: u32): u32 {
  const number = load<u32>(SYMBOL_NUMBER + ((<usize>symbol) << 2))
  return number !== 0 ? number : giveNumber(symbol)
}

function giveNumber(symbol: u32): u32 {
  const number = load<u32>(REGISTERS + AT_NEXT_NUMBER * 4)
  const given = load<u32>(REGISTERS + AT_NAMED_COUNT * 4)
  const bytes = load<u32>(REGISTERS + AT_NAMED_BYTES * 4)
  const length = lengthOf(symbol)
  const isRoom = given < <u32>NAMED_MAX && bytes + HEAD_MAX + length <= <u32>NAMED_BYTES_MAX
  if (number === 0 || length === 0 || !isRoom) {
    store<u32>(REGISTERS + AT_MISSING_SYMBOL * 4, symbol)
    return 0
  }
  let at: usize = NAMED + <usize>bytes
  store<u8>(at, SYMBOLS)
  at = writeNumber(at + 1, length)
  const from = startOf(symbol)
  for (let i: usize = 0; i < <usize>length; i += 16) v128.store(at + i, v128.load(from + i))
  v128.store(NAMED_DIGESTS + ((<usize>given) << 4), digestOf(symbol))
  store<u32>(REGISTERS + AT_NEXT_NUMBER * 4, number + 1)
  store<u32>(REGISTERS + AT_NAMED_COUNT * 4, given + 1)
  store<u32>(REGISTERS + AT_NAMED_BYTES * 4, <u32>(at - NAMED) + length)
  store<u32>(SYMBOL_NUMBER + ((<usize>symbol) << 2), number)
  return number
}
