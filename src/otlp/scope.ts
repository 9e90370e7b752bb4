import type { ProtobufReader } from '../wire/protobuf-reader.ts'
import { ATTRIBUTES_MAX, createAttributeList } from './attribute-list.ts'
import { labelNameOf } from './label-name.ts'
import type { OtlpRequest } from './request.ts'

/** Attributes of a scope that would say what its own fields say. */
const OWN = ['name', 'version', 'schema_url']

/**
 * The instrumentation scope of points: who measured. A class, because it is filled again for
 * each scope of a request.
 */
export class Scope {
  readonly #request: OtlpRequest
  readonly #list = createAttributeList()
  #name = 0
  #version = 0
  #schemaUrl = 0
  #labels: { name: number; value: number }[] = []

  constructor(request: OtlpRequest) {
    this.#request = request
  }

  beginRequest(): void {
    this.#request.attributes.forget(this.#list)
  }

  begin(): void {
    this.#list.count = 0
    this.#name = 0
    this.#version = 0
    this.#schemaUrl = 0
    this.#labels = []
  }

  /** Reads an InstrumentationScope message, up to the reader's limit. */
  read(reader: ProtobufReader): void {
    while (reader.hasMore()) {
      const tag = reader.uint32()
      if (tag === 0x0a) this.#name = this.#readText(reader)
      else if (tag === 0x12) this.#version = this.#readText(reader)
      else if (tag === 0x1a) this.#request.attributes.read(reader, this.#list)
      else reader.skip(tag)
    }
    if (this.#list.count > ATTRIBUTES_MAX) {
      reader.fail(`a scope with more than ${ATTRIBUTES_MAX} attributes`)
    }
  }

  /** Reads the field `schema_url` of what has the scope. */
  readSchemaUrl(reader: ProtobufReader): void {
    this.#schemaUrl = this.#readText(reader)
  }

  #readText(reader: ProtobufReader): number {
    const length = reader.skipBytes()
    const { texts } = this.#request
    return texts.of(texts.text(reader.at - length, reader.at))
  }

  /** All of it was read. */
  settle(): void {
    const { texts, options } = this.#request
    if (!options.promoteScopeMetadata || this.#name === 0) return
    for (let i = 0; i < this.#list.count; i++) {
      const key = texts.textOf(this.#list.keys[i]!)
      if (OWN.includes(key)) continue
      const name = texts.of(labelNameOf(`otel_scope_${key}`, options))
      this.#labels.push({ name, value: this.#list.values[i]! })
    }
    this.#labels.push({ name: texts.of('otel_scope_name'), value: this.#name })
    this.#labels.push({ name: texts.of('otel_scope_version'), value: this.#version })
    this.#labels.push({ name: texts.of('otel_scope_schema_url'), value: this.#schemaUrl })
  }

  /** Adds to the labels that all points have, behind those of the resource. */
  addLabels(): void {
    const { base } = this.#request.labels
    for (const { name, value } of this.#labels) base.set(name, value)
  }
}
