import type { ProtobufReader } from '../wire/protobuf-reader.ts'
import { ATTRIBUTES_MAX, type AttributeList, createAttributeList } from './attributes.ts'
import { BaseLabels } from './base-labels.ts'
import { GAUGE, type Metric } from './metric.ts'
import type { OtlpRequest } from './request.ts'

const IDENTIFYING = ['service.namespace', 'service.name', 'service.instance.id']

/** Symbols of a label. */
type Label = { name: number; value: number }

/**
 * Where points come from: what of it becomes labels of each series, and `target_info`, which
 * has the rest.
 *
 * A class, because it is filled again for each resource of a request.
 */
export class Resource {
  readonly #request: OtlpRequest
  readonly #list = createAttributeList()
  /** The attributes that identify, and their places in the list. */
  readonly #identifying = new Map<string, number>()
  /** What `target_info` has beside the attributes. */
  readonly #target = new BaseLabels()
  #promoted: Label[] = []
  #job: number | null = null
  #instance: number | null = null

  constructor(request: OtlpRequest) {
    this.#request = request
  }

  beginRequest(): void {
    this.#request.attributes.forget(this.#list)
    this.#target.forget()
  }

  begin(): void {
    this.#list.count = 0
  }

  /** Reads a Resource message, up to the reader's limit. */
  read(reader: ProtobufReader): void {
    while (reader.hasMore()) {
      const tag = reader.uint32()
      if (tag === 0x0a) this.#request.attributes.read(reader, this.#list)
      else reader.skip(tag)
    }
    if (this.#list.count > ATTRIBUTES_MAX) {
      reader.fail(`a resource with more than ${ATTRIBUTES_MAX} attributes`)
    }
  }

  /** All of it was read. */
  settle(): void {
    const { texts, options } = this.#request
    const { count, keys, names, values } = this.#list
    const promoted: { key: string; label: Label }[] = []
    this.#identifying.clear()
    for (let i = 0; i < count; i++) {
      const key = texts.textOf(keys[i]!)
      if (IDENTIFYING.includes(key) && !this.#identifying.has(key)) this.#identifying.set(key, i)
      if (isPromoted(key, options)) {
        promoted.push({ key, label: { name: names[i]!, value: values[i]! } })
      }
    }
    promoted.sort((one, other) => Buffer.compare(Buffer.from(one.key), Buffer.from(other.key)))
    this.#promoted = promoted.map(({ label }) => label)
    this.#job = this.#jobOf()
    this.#instance = this.#valueOf('service.instance.id')
  }

  #valueOf(key: string): number | null {
    const place = this.#identifying.get(key)
    return place === undefined ? null : this.#list.values[place]!
  }

  #jobOf(): number | null {
    const { texts } = this.#request
    const name = this.#valueOf('service.name')
    const namespace = this.#valueOf('service.namespace')
    if (name === null || namespace === null) return name
    return texts.of(`${texts.textOf(namespace)}/${texts.textOf(name)}`)
  }

  /** Adds to the labels that all points have. */
  addLabels(): void {
    const { base } = this.#request.labels
    for (const { name, value } of this.#promoted) base.setWeak(name, value)
    this.#addTarget(base)
  }

  #addTarget(base: BaseLabels): void {
    const { known } = this.#request
    if (this.#job !== null) base.set(known.job, this.#job)
    if (this.#instance !== null) base.set(known.instance, this.#instance)
  }

  /**
   * Adds `target_info` at `timestampMs`, if there is something to say and a target to say it of.
   * The same is said with each push; a repetition is dropped as a duplicate.
   */
  addTargetInfo(timestampMs: number): void {
    const { labels, batch, known } = this.#request
    const others = this.#list.count - this.#identifying.size
    if (others === 0) return
    this.#request.beginDerived()
    const base = this.#target
    base.begin()
    this.#addTarget(base)
    base.settle(batch)
    const listed = this.#listed()
    const own = listed.names.subarray(0, listed.count)
    const hasTarget = base.all.length > 0 || own.includes(known.job)
    if ((!hasTarget && !own.includes(known.instance)) || !labels.settle(listed, 0, base)) return
    const metric = this.#targetInfo()
    this.#request.addSeries(metric, metric.name, 0)
    this.#request.addDouble(timestampMs, 0, 1)
  }

  /** The attributes that `target_info` has. */
  #listed(): AttributeList {
    if (this.#request.options.keepIdentifyingResourceAttributes) return this.#list
    const { count, keys, names, values } = this.#list
    const isLeft = (_: number, i: number): boolean =>
      !IDENTIFYING.includes(this.#request.texts.textOf(keys[i]!))
    const left = (column: Uint32Array): Uint32Array => column.subarray(0, count).filter(isLeft)
    const kept = left(keys)
    return { count: kept.length, keys: kept, names: left(names), values: left(values) }
  }

  #targetInfo(): Metric {
    const { texts } = this.#request
    return {
      text: 'target_info',
      name: texts.of('target_info'),
      help: texts.of('Target metadata'),
      unit: 0,
      type: GAUGE,
      hasExemplars: false,
      hasStart: false,
      isDelta: false,
      suffixed: { sum: 0, count: 0, bucket: 0 },
      problem: null,
    }
  }
}

function isPromoted(key: string, options: OtlpRequest['options']): boolean {
  if (options.promoteAllResourceAttributes) return !options.ignoreResourceAttributes.includes(key)
  return options.promoteResourceAttributes.includes(key)
}
