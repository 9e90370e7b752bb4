import {
  AT_SYMBOL_COUNT,
  IS_FILLED,
  IS_NAME_LABEL,
  IS_UTF8,
  RAW,
  REGISTERS,
  SLOTS,
  SLOTS_MAX,
  SLOTS_SPARE,
  SYMBOL_DIGEST,
  SYMBOL_END,
  SYMBOL_FOLLOWER,
  SYMBOL_HASH,
  SYMBOL_NEXT,
  SYMBOL_START,
  SYMBOL_TRAITS,
  SYMBOLS_MAX,
} from '../layout'
import { areEqual, isBefore, isUtf8 } from './bytes'
import { digest } from './digest'

/** Slots that are tried before a string simply becomes one more symbol. */
const PROBES_MAX = 32
const SLOTS_MIN = 4096
/** `__name__`, as one little-endian word. */
const NAME_LABEL: u64 = 0x5f5f656d616e5f5f

/** A slot is free unless it was taken in this epoch. */
let epoch: u32 = 0
let slotCount: u32 = SLOTS_MIN
let slotsTaken: u32 = 0

/** No string has a symbol. */
export function forgetSymbols(): void {
  slotCount = SLOTS_MIN
  startEpoch()
}

function startEpoch(): void {
  epoch += 1
  slotsTaken = 0
  if (epoch !== 0) return
  // After 2^32 requests: of all slots, also those that only large ones use.
  memory.fill(SLOTS, 0, SLOTS_MAX << 3)
  epoch = 1
}

export function startOf(symbol: u32): usize {
  return RAW + <usize>load<u32>(SYMBOL_START + ((<usize>symbol) << 2))
}

export function endOf(symbol: u32): usize {
  return RAW + <usize>load<u32>(SYMBOL_END + ((<usize>symbol) << 2))
}

export function lengthOf(symbol: u32): u32 {
  return <u32>(endOf(symbol) - startOf(symbol))
}

export function traitsOf(symbol: u32): u32 {
  return load<u8>(SYMBOL_TRAITS + <usize>symbol)
}

export function digestOf(symbol: u32): v128 {
  return v128.load(SYMBOL_DIGEST + ((<usize>symbol) << 4))
}

/**
 * The string `[from, to)` of the raw body as a new symbol. One more than are allowed is the
 * last: the request is refused for it, and whatever comes after is symbol 0.
 */
export function addSymbol(from: usize, to: usize): u32 {
  const symbol = load<u32>(REGISTERS + AT_SYMBOL_COUNT * 4)
  if (symbol > <u32>SYMBOLS_MAX) return 0
  store<u32>(REGISTERS + AT_SYMBOL_COUNT * 4, symbol + 1)
  const word = (<usize>symbol) << 2
  store<u32>(SYMBOL_START + word, <u32>(from - RAW))
  store<u32>(SYMBOL_END + word, <u32>(to - RAW))
  store<u32>(SYMBOL_FOLLOWER + word, 0)
  store<u32>(SYMBOL_NEXT + word, 0)
  digest(from, to, SYMBOL_DIGEST + ((<usize>symbol) << 4))
  store<u8>(SYMBOL_TRAITS + <usize>symbol, judgeString(from, to))
  return symbol
}

function judgeString(from: usize, to: usize): u32 {
  const filled: u32 = from === to ? 0 : IS_FILLED
  if (!isUtf8(from, to)) return filled
  const isName = to - from === 8 && load<u64>(from) === NAME_LABEL
  return filled | IS_UTF8 | (isName ? IS_NAME_LABEL : 0)
}

/** The symbol of `[from, to)`, a new one if need be; `guess` is one that is likely to be it. */
export function intern(from: usize, to: usize, guess: u32): u32 {
  if (from === to) return 0
  if (guess !== 0 && isSymbol(guess, from, to)) return guess
  const hash = hashOf(from, to)
  const mask = slotCount - 1
  let place = hash & mask
  for (let probe = 0; probe < PROBES_MAX; probe++) {
    const slot = SLOTS + ((<usize>place) << 3)
    if (load<u32>(slot) !== epoch) {
      const symbol = addSymbol(from, to)
      store<u32>(SYMBOL_HASH + ((<usize>symbol) << 2), hash)
      take(slot, symbol)
      return symbol
    }
    const symbol = load<u32>(slot, 4)
    if (load<u32>(SYMBOL_HASH + ((<usize>symbol) << 2)) === hash && isSymbol(symbol, from, to)) {
      return symbol
    }
    place = (place + 1) & mask
  }
  return addSymbol(from, to)
}

/**
 * The symbol of the value `[from, to)` where `before` stood in the series before: targets have
 * their series in one order, so it is likely to be the one that came after it the last time.
 */
export function internNext(from: usize, to: usize, before: u32): u32 {
  const next = SYMBOL_NEXT + ((<usize>before) << 2)
  const guess = load<u32>(next)
  const symbol = intern(from, to, guess)
  if (symbol !== guess) store<u32>(next, symbol)
  return symbol
}

function take(slot: usize, symbol: u32): void {
  store<u32>(slot, epoch)
  store<u32>(slot, symbol, 4)
  slotsTaken += 1
  if (slotsTaken * 2 > slotCount && slotCount < <u32>SLOTS_MAX) widen()
}

/** Twice the slots, and every symbol that had one in a new one. */
function widen(): void {
  const taken = slotsTaken
  const before = slotCount
  const epochBefore = epoch
  // Old and new slots share their memory, so the symbols move aside first.
  slotCount = before * 2
  let moved: usize = 0
  for (let i: u32 = 0; i < before; i++) {
    const slot = SLOTS + ((<usize>i) << 3)
    if (load<u32>(slot) !== epochBefore) continue
    store<u32>(SLOTS_SPARE + moved, load<u32>(slot, 4))
    moved += 4
  }
  startEpoch()
  slotsTaken = taken
  const mask = slotCount - 1
  for (let i: usize = 0; i < moved; i += 4) {
    const symbol = load<u32>(SLOTS_SPARE + i)
    let place = load<u32>(SYMBOL_HASH + ((<usize>symbol) << 2)) & mask
    while (load<u32>(SLOTS + ((<usize>place) << 3)) === epoch) place = (place + 1) & mask
    store<u32>(SLOTS + ((<usize>place) << 3), epoch)
    store<u32>(SLOTS + ((<usize>place) << 3), symbol, 4)
  }
}

function isSymbol(symbol: u32, from: usize, to: usize): bool {
  const start = startOf(symbol)
  const length = to - from
  return endOf(symbol) - start === length && areEqual(start, from, length)
}

function hashOf(from: usize, to: usize): u32 {
  const length = to - from
  let hash: u64 = <u64>length
  let at = from
  for (; at + 8 <= to; at += 8) hash = mix(hash ^ load<u64>(at))
  const rest = to - at
  if (rest > 0) hash = mix(hash ^ (load<u64>(at) & (u64.MAX_VALUE >> <u64>(64 - rest * 8))))
  return <u32>(hash ^ (hash >> 32))
}

function mix(word: u64): u64 {
  const product = word * 0x9e3779b97f4a7c15
  return product ^ (product >> 29)
}

/**
 * Does the name `name` come after the name `before`? Names follow each other in few ways,
 * so one that is known to follow is remembered for each.
 */
export function follows(before: u32, name: u32): bool {
  const follower = SYMBOL_FOLLOWER + ((<usize>before) << 2)
  if (load<u32>(follower) === name) return true
  if (!isBefore(startOf(before), endOf(before), startOf(name), endOf(name))) return false
  store<u32>(follower, name)
  return true
}
