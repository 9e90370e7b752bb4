import { IS_LABEL, IS_UTF8 } from '../kernel/layout.ts'
import type { Batch } from '../model/batch.ts'

/**
 * Symbols of a batch whose body is being read: each has its digest and its traits, judged
 * once however many labels refer to it.
 *
 * Remote Write 2.0 brings its symbols along, and `addSymbol` takes them as they are. Remote
 * Write 1.0 repeats every string, and `internSymbol` finds the symbol that a string has
 * already. The interner's own hash has no key, so somebody may send strings that all collide;
 * hence a bound on probes, after which a symbol is double. That costs a little and changes
 * nothing: equal strings have equal digests.
 */

/** The range `from` up to `to` of the batch's bytes as a new symbol. */
export function addSymbol(batch: Batch, from: number, to: number): number {
  return batch.kernel.addSymbol(from, to)
}

/** The symbol of a string, a new one if need be; `guess` is one that is likely to be it. */
export function internSymbol(batch: Batch, from: number, to: number, guess: number): number {
  return batch.kernel.intern(from, to, guess)
}

/** Whether a symbol is text. */
export function isText({ symbolTraits }: Batch, symbol: number): boolean {
  return (symbolTraits[symbol]! & IS_UTF8) !== 0
}

/** Whether a symbol may be the name or the value of a label. */
export function isLabel({ symbolTraits }: Batch, symbol: number): boolean {
  return (symbolTraits[symbol]! & IS_LABEL) === IS_LABEL
}
