import { compareSymbols } from '../decode/label-order.ts'
import type { Batch } from '../model/batch.ts'
import type { AttributeList } from './attribute-list.ts'
import type { OtlpOptions } from './options.ts'
import type { TextSymbols } from './text-symbols.ts'

const NAMESPACE = 'service.namespace'
const NAME = 'service.name'
const INSTANCE = 'service.instance.id'

/**
 * What the keys of a resource's attributes say: which attributes become labels of each series,
 * which identify it, and which are left for `target_info`. All are places in its list.
 *
 * A class, because the resources of a request mostly have the same keys, and then all of this
 * is known already.
 */
export class ResourceKeys {
  /** Sorted by their keys. */
  readonly promoted: number[] = []
  readonly left: number[] = []
  /** Those that identify, -1 when there is none. Of several with one key, the first counts. */
  namespace = -1
  name = -1
  instance = -1
  /** How many of these three there are. */
  identifying = 0

  readonly #options: OtlpOptions
  readonly #texts: TextSymbols
  #batch!: Batch
  /** Symbols of the keys that all of this is about. */
  readonly #keys: number[] = []

  constructor(options: OtlpOptions, texts: TextSymbols) {
    this.#options = options
    this.#texts = texts
  }

  /** Symbols of another request are others. */
  beginRequest(batch: Batch): void {
    this.#batch = batch
    this.#settle([])
  }

  settle({ keys, count }: AttributeList): void {
    let isSame = count === this.#keys.length
    for (let i = 0; i < count && isSame; i++) isSame = keys[i] === this.#keys[i]
    if (!isSame) this.#settle(keys.subarray(0, count))
  }

  #settle(keys: Iterable<number>): void {
    this.#keys.length = 0
    this.promoted.length = 0
    this.left.length = 0
    this.namespace = -1
    this.name = -1
    this.instance = -1
    for (const key of keys) this.#add(key)
    this.promoted.sort((one, other) =>
      compareSymbols(this.#batch, this.#keys[one]!, this.#keys[other]!),
    )
    const identifying = [this.namespace, this.name, this.instance]
    this.identifying = identifying.filter((place) => place >= 0).length
  }

  #add(key: number): void {
    const place = this.#keys.length
    const text = this.#texts.textOf(key)
    this.#keys.push(key)
    if (isPromoted(text, this.#options)) this.promoted.push(place)
    if (text === NAMESPACE) this.namespace = this.namespace < 0 ? place : this.namespace
    else if (text === NAME) this.name = this.name < 0 ? place : this.name
    else if (text === INSTANCE) this.instance = this.instance < 0 ? place : this.instance
    else {
      this.left.push(place)
      return
    }
    if (this.#options.keepIdentifyingResourceAttributes) this.left.push(place)
  }
}

function isPromoted(key: string, options: OtlpOptions): boolean {
  if (options.promoteAllResourceAttributes) return !options.ignoreResourceAttributes.includes(key)
  return options.promoteResourceAttributes.includes(key)
}
