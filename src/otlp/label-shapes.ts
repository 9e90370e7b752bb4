import { compareSymbols } from '../decode/label-order.ts'
import type { Batch } from '../model/batch.ts'
import type { BaseLabels } from './base-labels.ts'

/** The names of a point: its own, those of the base, the metric's, and one more or 0. */
export type ShapeOf = {
  count: number
  own: Uint32Array
  base: BaseLabels | null
  name: number
  extra: number
}

/** How the names of a point are sorted. Good until the next one is asked for. */
export type Shape = {
  /** Another one whenever anything of it is. */
  number: number
  readonly own: number[]
  extra: number
  baseVersion: number
  /** Places in the list of all names, sorted. */
  readonly order: number[]
  /** Where in the order each of its own names stands. */
  readonly ownAt: number[]
}

/** A request has few; two that want the same place are sorted whenever they take turns. */
const SHAPES = 1_024

/**
 * Points that have the same names, which most of a request have, are sorted once.
 *
 * Each shape is filled again and again: made anew for each request, they and the Map that they
 * were in were most of what the collector had to copy, 1.4 MB at each scavenge.
 *
 * A class, because a shape keeps its number only as long as it is the same.
 */
export class LabelShapes {
  readonly #shapes: (Shape | undefined)[] = new Array(SHAPES).fill(undefined)
  #last: Shape | null = null
  #numbers = 0

  of(batch: Batch, names: ShapeOf): Shape {
    if (this.#last !== null && isSame(this.#last, names)) return this.#last
    const place = placeOf(names)
    this.#shapes[place] ??= noShape()
    const shape = this.#shapes[place]
    if (shape.number === 0 || !isSame(shape, names)) {
      fill(shape, batch, names)
      shape.number = ++this.#numbers
    }
    this.#last = shape
    return shape
  }

  /** Symbols of another request are others. */
  forget(): void {
    for (const shape of this.#shapes) if (shape !== undefined) shape.number = 0
    this.#last = null
  }
}

function noShape(): Shape {
  return { number: 0, own: [], extra: 0, baseVersion: 0, order: [], ownAt: [] }
}

function versionOf(base: BaseLabels | null): number {
  return base === null ? 0 : base.version
}

function placeOf({ own, count, base, extra }: ShapeOf): number {
  let hash = extra * 31 + versionOf(base)
  for (let i = 0; i < count; i++) hash = Math.imul(hash, 0x01000193) ^ own[i]!
  return (hash ^ (hash >>> 10) ^ (hash >>> 20)) & (SHAPES - 1)
}

function isSame(shape: Shape, { own, count, base, extra }: ShapeOf): boolean {
  if (shape.baseVersion !== versionOf(base) || shape.extra !== extra) return false
  if (shape.own.length !== count) return false
  for (let i = 0; i < count; i++) if (shape.own[i] !== own[i]) return false
  return true
}

function fill(shape: Shape, batch: Batch, names: ShapeOf): void {
  const { own, count, base, name, extra } = names
  const baseNames = base === null ? NO_NAMES : base.names
  const total = count + baseNames.length + (extra === 0 ? 1 : 2)
  const nameAt = (place: number): number => {
    if (place < count) return own[place]!
    const inBase = place - count
    if (inBase < baseNames.length) return baseNames[inBase]!
    return inBase === baseNames.length ? name : extra
  }
  shape.extra = extra
  shape.baseVersion = versionOf(base)
  const { order, ownAt } = shape
  order.length = total
  for (let place = 0; place < total; place++) order[place] = place
  order.sort((one, other) => compareSymbols(batch, nameAt(one), nameAt(other)))
  shape.own.length = count
  ownAt.length = count
  for (let i = 0; i < count; i++) shape.own[i] = own[i]!
  for (let at = 0; at < total; at++) if (order[at]! < count) ownAt[order[at]!] = at
}

const NO_NAMES: readonly number[] = []
