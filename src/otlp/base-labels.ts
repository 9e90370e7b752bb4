import { IS_LABEL, SYMBOL_ROOM } from '../kernel/layout.ts'
import type { Batch } from '../model/batch.ts'
import { addLabel, createIdentitySum } from '../model/identity.ts'

/** One of them, as symbols. */
export type BaseLabel = {
  name: number
  value: number
  /** Whether it gives way to an attribute of a point, or takes its place. */
  isWeak: boolean
}

/** Numbers are given once, whichever base gets them. */
let epochs = 0

/**
 * The labels that all points of a resource and scope have in common, with what is known of
 * them: found once, and not for each point.
 *
 * `begin`, `setWeak` and `set`, `settle`.
 */
export class BaseLabels {
  /** All of them, also those without a value, which may take one away from a point. */
  readonly all: BaseLabel[] = []
  /** Names and values of those that have a value. */
  readonly names: number[] = []
  readonly values: number[] = []
  readonly identity = createIdentitySum()
  /** Written out. */
  bytes = 0
  isValid = true
  /** Of its names, also of those without a value: bases of the same number have the same. */
  version = 0
  /** Of all that it has. */
  epoch = 0

  /** Filled again for each base. */
  readonly #pool: BaseLabel[] = []
  readonly #stampOf = new Uint32Array(SYMBOL_ROOM)
  readonly #placeOf = new Uint32Array(SYMBOL_ROOM)
  #stamp = 0
  #lastNames: number[] = []

  /** Symbol 0 is no name that it has, unless somebody sent an empty one. */
  has(name: number): boolean {
    return this.#stampOf[name] === this.#stamp
  }

  begin(): void {
    this.all.length = 0
    this.#stamp += 1
    if (this.#stamp < 0xffff_ffff) return
    this.#stampOf.fill(0)
    this.#stamp = 1
  }

  /** Unless there is one of this name. */
  setWeak(name: number, value: number): void {
    if (!this.has(name)) this.#put(name, value, true)
  }

  set(name: number, value: number): void {
    this.#put(name, value, false)
  }

  #put(name: number, value: number, isWeak: boolean): void {
    const place = this.has(name) ? this.#placeOf[name]! : this.all.length
    this.#stampOf[name] = this.#stamp
    this.#placeOf[name] = place
    this.#pool[place] ??= { name: 0, value: 0, isWeak: false }
    const label = this.#pool[place]
    label.name = name
    label.value = value
    label.isWeak = isWeak
    this.all[place] = label
  }

  settle({ symbolDigest, symbolStart, symbolEnd, symbolTraits }: Batch): void {
    this.epoch = ++epochs
    let count = 0
    this.identity.fill(0)
    this.bytes = 0
    this.isValid = true
    for (const { name, value } of this.all) {
      if (value === 0 && name !== 0) continue
      if ((symbolTraits[name]! & symbolTraits[value]! & IS_LABEL) !== IS_LABEL) this.isValid = false
      this.names[count] = name
      this.values[count] = value
      count += 1
      addLabel(this.identity, symbolDigest, name, value)
      this.bytes += symbolEnd[name]! - symbolStart[name]! + symbolEnd[value]! - symbolStart[value]!
    }
    this.names.length = count
    this.values.length = count
    this.#compareNames()
  }

  #compareNames(): void {
    const { all } = this
    const last = this.#lastNames
    let isSame = last.length === all.length
    for (let i = 0; i < all.length && isSame; i++) isSame = last[i] === markOf(all[i]!)
    if (isSame) return
    this.version = ++epochs
    this.#lastNames = all.map(markOf)
  }

  /** Symbols of another request are others. */
  forget(): void {
    this.#lastNames = []
    this.version = ++epochs
  }
}

/** Its name, and whether it has a value. */
function markOf({ name, value }: BaseLabel): number {
  return value === 0 ? -1 - name : name
}
