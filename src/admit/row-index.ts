import { DIGEST_WORDS } from '../model/batch.ts'

const SLOTS_MIN = 1024
/** Slots per row at least: with linear probing a hit then takes about one and a half looks. */
const SLOTS_PER_ROW = 1.5
/** Slots that are moved for each row that is added while the index grows. */
const MOVES_PER_ADD = 32

/**
 * Finds a row by its identity: open addressing, linear probing, at home by word 3.
 *
 * It grows to twice its size when it fills, a few slots with each row that is added, so that
 * nobody ever waits for it. Until all are moved the slots before are looked at as well. They
 * are not kept up any more, which does no harm: a hit counts only if the row has the identity.
 *
 * A class, because the slots must agree: every row that was added and not removed has exactly
 * one slot, or one among those that are still to be moved.
 */
export class RowIndex {
  readonly #words: Uint32Array
  readonly #rowWords: number
  readonly #isFree: (row: number) => boolean
  /** row + 1, 0 for an empty slot. */
  #slots = new Uint32Array(SLOTS_MIN)
  #before: Uint32Array | null = null
  /** Those before it have been moved. */
  #moveSlot = 0
  #count = 0

  /**
   * @param words of all rows, `rowWords` each, which begin with the identity
   * @param isFree whether a row belongs to nobody
   */
  constructor(words: Uint32Array, rowWords: number, isFree: (row: number) => boolean) {
    this.#words = words
    this.#rowWords = rowWords
    this.#isFree = isFree
  }

  get bytes(): number {
    return this.#slots.byteLength + (this.#before?.byteLength ?? 0)
  }

  /** The row whose identity stands at `identity[at]`, or -1. */
  find(identity: Uint32Array, at: number): number {
    const row = this.#findIn(this.#slots, identity, at)
    if (row >= 0 || this.#before === null) return row
    return this.#findIn(this.#before, identity, at)
  }

  /** Adds a row that has its identity, and is not there yet. */
  add(row: number): void {
    this.#count += 1
    if (this.#before !== null) this.#move(this.#before)
    else if (this.#count * SLOTS_PER_ROW > this.#slots.length) this.#grow()
    this.#put(row)
  }

  /** Takes a row out, which has its identity still. */
  remove(row: number): void {
    this.#count -= 1
    const slots = this.#slots
    const mask = slots.length - 1
    let hole = this.#home(row, mask)
    while (slots[hole] !== row + 1) {
      // It is among those that are not moved yet, and will not be.
      if (slots[hole] === 0) return
      hole = (hole + 1) & mask
    }
    // Rows behind the hole move up unless that would put them before their home, so that
    // probing never has to step over a grave.
    for (let slot = (hole + 1) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const distance = (slot - this.#home(slots[slot]! - 1, mask)) & mask
      if (distance < ((slot - hole) & mask)) continue
      slots[hole] = slots[slot]!
      hole = slot
    }
    slots[hole] = 0
  }

  isRowOf(row: number, identity: Uint32Array, at: number): boolean {
    const words = this.#words
    const start = row * this.#rowWords
    return (
      words[start + 3] === identity[at + 3] &&
      words[start + 2] === identity[at + 2] &&
      words[start + 1] === identity[at + 1] &&
      words[start] === identity[at]
    )
  }

  #findIn(slots: Uint32Array, identity: Uint32Array, at: number): number {
    const mask = slots.length - 1
    for (let slot = identity[at + DIGEST_WORDS - 1]! & mask; ; slot = (slot + 1) & mask) {
      const row = slots[slot]! - 1
      if (row < 0 || this.isRowOf(row, identity, at)) return row
    }
  }

  #grow(): void {
    this.#before = this.#slots
    this.#slots = new Uint32Array(this.#slots.length * 2)
    this.#moveSlot = 0
  }

  #move(before: Uint32Array): void {
    const end = Math.min(before.length, this.#moveSlot + MOVES_PER_ADD)
    for (; this.#moveSlot < end; this.#moveSlot++) {
      const row = before[this.#moveSlot]! - 1
      if (row >= 0 && !this.#isFree(row)) this.#put(row)
    }
    if (end === before.length) this.#before = null
  }

  /** Gives a row a slot unless it has one: it may belong to another series than before. */
  #put(row: number): void {
    const slots = this.#slots
    const mask = slots.length - 1
    let slot = this.#home(row, mask)
    while (slots[slot] !== 0) {
      if (slots[slot] === row + 1) return
      slot = (slot + 1) & mask
    }
    slots[slot] = row + 1
  }

  #home(row: number, mask: number): number {
    return this.#words[row * this.#rowWords + DIGEST_WORDS - 1]! & mask
  }
}
