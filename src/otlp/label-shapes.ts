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

/** How the names of a point are sorted. */
export type Shape = {
  readonly own: Uint32Array
  readonly extra: number
  readonly baseVersion: number
  /** Places in the list of all names, sorted. */
  readonly order: Uint32Array
  /** Where in the order each of its own names stands. */
  readonly ownAt: Uint32Array
}

/** A request has few; more are those of somebody who tries, and are forgotten. */
const SHAPES_MAX = 4_096

/** Points that have the same names, which most of a request have, are sorted once. */
export class LabelShapes {
  readonly #shapes = new Map<number, Shape>()
  #last: Shape | null = null

  /** Symbols of another request are others. */
  forget(): void {
    this.#shapes.clear()
    this.#last = null
  }

  of(batch: Batch, names: ShapeOf): Shape {
    if (this.#last !== null && isSame(this.#last, names)) return this.#last
    const hash = hashOf(names)
    let shape = this.#shapes.get(hash)
    if (shape === undefined || !isSame(shape, names)) {
      if (this.#shapes.size === SHAPES_MAX) this.#shapes.clear()
      shape = shapeOf(batch, names)
      this.#shapes.set(hash, shape)
    }
    this.#last = shape
    return shape
  }
}

function versionOf(base: BaseLabels | null): number {
  return base === null ? 0 : base.version
}

function hashOf({ own, count, base, extra }: ShapeOf): number {
  let hash = extra * 31 + versionOf(base)
  for (let i = 0; i < count; i++) hash = Math.imul(hash, 0x01000193) ^ own[i]!
  return hash & 0x3fff_ffff
}

function isSame(shape: Shape, { own, count, base, extra }: ShapeOf): boolean {
  if (shape.baseVersion !== versionOf(base) || shape.extra !== extra) return false
  if (shape.own.length !== count) return false
  for (let i = 0; i < count; i++) if (shape.own[i] !== own[i]) return false
  return true
}

function shapeOf(batch: Batch, { own, count, base, name, extra }: ShapeOf): Shape {
  const baseNames = base === null ? NO_NAMES : base.names
  const total = count + baseNames.length + (extra === 0 ? 1 : 2)
  const order = new Uint32Array(total)
  const nameAt = (place: number): number => {
    if (place < count) return own[place]!
    const inBase = place - count
    if (inBase < baseNames.length) return baseNames[inBase]!
    return inBase === baseNames.length ? name : extra
  }
  for (let place = 0; place < total; place++) order[place] = place
  order.sort((one, other) => compareSymbols(batch, nameAt(one), nameAt(other)))
  const ownAt = new Uint32Array(count)
  for (let at = 0; at < total; at++) if (order[at]! < count) ownAt[order[at]!] = at
  return { own: own.slice(0, count), extra, baseVersion: versionOf(base), order, ownAt }
}

const NO_NAMES: readonly number[] = []
