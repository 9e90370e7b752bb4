import type { ProtobufReader } from '../wire/protobuf-reader.ts'
import { ATTRIBUTES_MAX, createAttributeList } from './attribute-list.ts'
import { BaseLabels } from './base-labels.ts'
import { GAUGE, type Metric } from './metric.ts'
import type { OtlpRequest } from './request.ts'
import { ResourceKeys } from './resource-keys.ts'

/**
 * Where points come from: what of it becomes labels of each series, and `target_info`, which
 * has the rest.
 *
 * A class, because it is filled again for each resource of a request.
 */
export class Resource {
  readonly #request: OtlpRequest
  readonly #list = createAttributeList()
  readonly #keys: ResourceKeys
  /** What `target_info` has beside the attributes. */
  readonly #target = new BaseLabels()
  /** The attributes that it has, and the metric itself once somebody asked. */
  readonly #left = createAttributeList()
  #targetInfo: Metric | null = null
  /** Symbols. */
  #job: number | null = null
  #instance: number | null = null
  /** The last namespace and name, and the job that they make. */
  readonly #joined = { namespace: 0, name: 0, job: 0 }

  constructor(request: OtlpRequest) {
    this.#request = request
    this.#keys = new ResourceKeys(request.options, request.texts)
  }

  beginRequest(): void {
    this.#request.attributes.forget(this.#list)
    this.#keys.beginRequest(this.#request.batch)
    this.#target.forget()
    this.#targetInfo = null
    this.#joined.job = 0
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
    this.#keys.settle(this.#list)
    const { namespace, name, instance } = this.#keys
    this.#job = this.#jobOf(this.#valueAt(namespace), this.#valueAt(name))
    this.#instance = this.#valueAt(instance)
  }

  #valueAt(place: number): number | null {
    return place < 0 ? null : this.#list.values[place]!
  }

  #jobOf(namespace: number | null, name: number | null): number | null {
    if (name === null || namespace === null) return name
    const joined = this.#joined
    if (joined.job === 0 || joined.namespace !== namespace || joined.name !== name) {
      const { texts } = this.#request
      joined.namespace = namespace
      joined.name = name
      joined.job = texts.of(`${texts.textOf(namespace)}/${texts.textOf(name)}`)
    }
    return joined.job
  }

  /** Adds to the labels that all points have. */
  addLabels(): void {
    const { base } = this.#request.labels
    const { names, values } = this.#list
    for (const place of this.#keys.promoted) base.setWeak(names[place]!, values[place]!)
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
    const { labels, batch } = this.#request
    const others = this.#list.count - this.#keys.identifying
    if (others === 0) return
    this.#request.beginDerived()
    const base = this.#target
    base.begin()
    this.#addTarget(base)
    base.settle(batch)
    this.#fillLeft()
    if (base.all.length === 0 && !this.#namesTarget()) return
    if (!labels.settle(this.#left, 0, base)) return
    this.#targetInfo ??= this.#describe()
    const metric = this.#targetInfo
    this.#request.addSeries(metric, metric.name, 0)
    this.#request.addDouble(timestampMs, 0, 1)
  }

  #fillLeft(): void {
    const { keys, names, values } = this.#list
    const left = this.#left
    left.count = 0
    for (const place of this.#keys.left) {
      left.keys[left.count] = keys[place]!
      left.names[left.count] = names[place]!
      left.values[left.count++] = values[place]!
    }
  }

  /** Whether an attribute says whose it is. */
  #namesTarget(): boolean {
    const { known } = this.#request
    const own = this.#left.names.subarray(0, this.#left.count)
    return own.includes(known.job) || own.includes(known.instance)
  }

  #describe(): Metric {
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
      number: -1,
      problem: null,
    }
  }
}
