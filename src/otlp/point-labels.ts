import { compareSymbols } from '../decode/label-order.ts'
import { AT_LABEL_BYTES, IS_LABEL, SYMBOL_ROOM } from '../kernel/layout.ts'
import type { Batch } from '../model/batch.ts'
import { addLabel, createIdentitySum, type IdentitySum } from '../model/identity.ts'
import { ATTRIBUTES_MAX, type AttributeList } from './attribute-list.ts'
import { BaseLabels } from './base-labels.ts'
import { LabelShapes, type Shape, type ShapeOf } from './label-shapes.ts'
import type { PlainPoints } from './plain-points.ts'
import type { TextSymbols } from './text-symbols.ts'

/** Attributes, and what else may become a label. */
const LABELS_MAX = ATTRIBUTES_MAX * 4

/**
 * The labels of one point, from which one or many series are made that differ in their name
 * and in one more label. Sorted and digested once per point.
 *
 * `settle`, then `append` for each series.
 *
 * A class, because all of this is scratch space that is filled again for each point.
 */
export class PointLabels {
  /** What points have from their resource and scope. */
  readonly base = new BaseLabels()
  /** What the current one has. */
  #base = this.base
  readonly #texts: TextSymbols
  readonly #plain: PlainPoints
  readonly #shapes: LabelShapes
  #batch!: Batch
  /** The point's own. */
  #count = 0
  readonly #names = new Uint32Array(LABELS_MAX)
  readonly #values = new Uint32Array(LABELS_MAX)
  /** A name is among them when its stamp is theirs. */
  readonly #stampOf = new Uint32Array(SYMBOL_ROOM)
  #stamp = 0

  /** How the last point was sorted, and with which base. */
  #shapeNumber = 0
  #baseEpoch = 0
  readonly #asked: ShapeOf = { own: this.#names, count: 0, base: null, name: 0, extra: 0 }

  /** Name, value, name, value, … sorted; and where those are that each series has its own of. */
  readonly #sorted = new Uint32Array(LABELS_MAX * 2)
  #sortedLength = 0
  #nameAt = 0
  #extraAt = -1
  /** Of all the others. */
  readonly #identity = createIdentitySum()
  #bytes = 0
  #nameSymbol = 0
  #extraSymbol = 0

  /** Of the series that was appended last. */
  readonly identity: IdentitySum = createIdentitySum()

  constructor(texts: TextSymbols, plain: PlainPoints) {
    this.#texts = texts
    this.#plain = plain
    this.#shapes = new LabelShapes()
  }

  beginRequest(batch: Batch): void {
    this.#batch = batch
    this.#shapes.forget()
    this.#shapeNumber = 0
    this.base.forget()
    this.#nameSymbol = this.#texts.of('__name__')
  }

  /** Bytes of all labels of this request, written out. */
  get expandedBytes(): number {
    return this.#batch.kernel.registers[AT_LABEL_BYTES]!
  }

  /**
   * Makes the set of the attributes and of `base`, with room for the metric's name and for the
   * label `extra`, 0 for none. Returns false when there is a label that may not be one.
   */
  settle(list: AttributeList, extra: number, base = this.base): boolean {
    this.#extraSymbol = extra
    this.#base = base
    this.#stamp += 1
    if (this.#stamp === 0xffff_ffff) this.#stampOf.fill(0)
    const isPlain = !base.has(this.#nameSymbol) && !base.has(extra) && this.#setOwn(list)
    if (!isPlain) this.#setAll(list)
    const used = isPlain ? base : null
    if (!this.#isValid(used)) return false
    this.#digest(used)
    const shape = this.#sort(used)
    if (used === this.base && this.#count === list.count) this.#plain.learnShape(list, shape)
    return true
  }

  /** Returns false when two labels have one name: then it takes a closer look. */
  #setOwn({ count, names, values }: AttributeList): boolean {
    const stampOf = this.#stampOf
    let own = 0
    for (let i = 0; i < count; i++) {
      const name = names[i]!
      const isTaken = stampOf[name] === this.#stamp || this.#base.has(name)
      if (isTaken || name === this.#nameSymbol || name === this.#extraSymbol) return false
      stampOf[name] = this.#stamp
      // A label without a value is no label; one without a name is a mistake.
      if (values[i] === 0 && name !== 0) continue
      this.#names[own] = name
      this.#values[own++] = values[i]!
    }
    this.#count = own
    return true
  }

  /**
   * The same with base and all, by the rules: attributes whose keys become one name share it,
   * `one;other` in the order of keys; weak labels of the base give way, the others do not.
   */
  #setAll({ count, keys, names, values }: AttributeList): void {
    const places = Array.from({ length: count }, (_, i) => i).sort((one, other) =>
      compareSymbols(this.#batch, keys[one]!, keys[other]!),
    )
    const joined = new Map<number, string>()
    for (const i of places) {
      const value = this.#texts.textOf(values[i]!)
      const before = joined.get(names[i]!)
      joined.set(names[i]!, before === undefined ? value : `${before};${value}`)
    }
    const all = new Map([...joined].map(([name, value]) => [name, this.#texts.of(value)]))
    for (const { name, value, isWeak } of this.#base.all) {
      if (!isWeak || !all.has(name)) all.set(name, value)
    }
    all.delete(this.#nameSymbol)
    if (this.#extraSymbol !== 0) all.delete(this.#extraSymbol)
    this.#count = 0
    for (const [name, value] of all) {
      if (value === 0 && name !== 0) continue
      this.#names[this.#count] = name
      this.#values[this.#count++] = value
    }
  }

  #isValid(base: BaseLabels | null): boolean {
    if (base?.isValid === false) return false
    const { symbolTraits: traits } = this.#batch
    for (let i = 0; i < this.#count; i++) {
      const common = traits[this.#names[i]!]! & traits[this.#values[i]!]!
      if ((common & IS_LABEL) !== IS_LABEL) return false
    }
    return true
  }

  /** Of what all series of the point have. */
  #digest(base: BaseLabels | null): void {
    const { symbolDigest, symbolStart, symbolEnd } = this.#batch
    const identity = this.#identity
    let bytes = base === null ? 0 : base.bytes
    for (let i = 0; i < identity.length; i++) identity[i] = base === null ? 0 : base.identity[i]!
    for (let i = 0; i < this.#count; i++) {
      const name = this.#names[i]!
      const value = this.#values[i]!
      addLabel(identity, symbolDigest, name, value)
      bytes += symbolEnd[name]! - symbolStart[name]! + symbolEnd[value]! - symbolStart[value]!
    }
    this.#bytes = bytes
  }

  #sort(base: BaseLabels | null): Shape {
    const asked = this.#asked
    asked.count = this.#count
    asked.base = base
    asked.name = this.#nameSymbol
    asked.extra = this.#extraSymbol
    const shape = this.#shapes.of(this.#batch, asked)
    const isSorted = shape.number === this.#shapeNumber
    const isAsBefore = base !== null && isSorted && base.epoch === this.#baseEpoch
    this.#shapeNumber = shape.number
    this.#baseEpoch = base === null ? 0 : base.epoch
    // Of neighbours with the same names nothing differs but the values of their own.
    if (isAsBefore) this.#exchangeOwn(shape)
    else this.#arrange(shape, base)
    return shape
  }

  #exchangeOwn({ ownAt }: Shape): void {
    for (let i = 0; i < ownAt.length; i++) this.#sorted[ownAt[i]! * 2 + 1] = this.#values[i]!
  }

  #arrange({ order }: Shape, base: BaseLabels | null): void {
    const sorted = this.#sorted
    const own = this.#count
    const nameIndex = own + (base === null ? 0 : base.names.length)
    this.#extraAt = -1
    for (let i = 0; i < order.length; i++) {
      const index = order[i]!
      const at = i * 2
      if (index < own) {
        sorted[at] = this.#names[index]!
        sorted[at + 1] = this.#values[index]!
      } else if (index < nameIndex) {
        sorted[at] = base!.names[index - own]!
        sorted[at + 1] = base!.values[index - own]!
      } else if (index === nameIndex) {
        sorted[at] = this.#nameSymbol
        this.#nameAt = at
      } else {
        sorted[at] = this.#extraSymbol
        this.#extraAt = at
      }
    }
    this.#sortedLength = order.length * 2
  }

  /**
   * Appends the labels of one series to the batch, and sets `identity`.
   *
   * @param name value of `__name__`
   * @param extra value of the label that `settle` left open, 0 for a series without it
   */
  append(name: number, extra: number): void {
    const batch = this.#batch
    const { labelRefs, symbolDigest, symbolStart, symbolEnd } = batch
    const sorted = this.#sorted
    sorted[this.#nameAt + 1] = name
    if (this.#extraAt >= 0) sorted[this.#extraAt + 1] = extra
    const left = extra === 0 ? this.#extraAt : -1
    let at = batch.labelRefCount
    for (let i = 0; i < this.#sortedLength; i += 2) {
      if (i === left) continue
      labelRefs[at] = sorted[i]!
      labelRefs[at + 1] = sorted[i + 1]!
      at += 2
    }
    batch.labelRefCount = at
    const { identity } = this
    for (let i = 0; i < identity.length; i++) identity[i] = this.#identity[i]!
    addLabel(identity, symbolDigest, this.#nameSymbol, name)
    if (extra !== 0) addLabel(identity, symbolDigest, this.#extraSymbol, extra)
    const open = symbolEnd[name]! - symbolStart[name]! + symbolEnd[extra]! - symbolStart[extra]!
    batch.kernel.registers[AT_LABEL_BYTES]! += this.#bytes + open
  }

  /** `{"job"="node", …}`, cut if it is long. */
  describe(): string {
    const shown: string[] = []
    for (let i = 0; i < Math.min(this.#count, 8); i++) {
      const name = this.#texts.textOf(this.#names[i]!).slice(0, 60)
      const value = this.#texts.textOf(this.#values[i]!).slice(0, 60)
      shown.push(`${JSON.stringify(name)}=${JSON.stringify(value)}`)
    }
    return `{${shown.join(', ')}}`
  }
}
