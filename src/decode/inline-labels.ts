import type { LabelSource } from './exemplar.ts'

/** Labels of a series that are remembered; those beyond are taken apart each time. */
const PLACES = 64

/**
 * Reads the labels of Remote Write 1.0, which are written out in every series.
 *
 * Senders repeat a target's labels for each of its series. So a label that is byte for byte
 * the one at its place in the series before has its symbols too, and is not taken apart.
 *
 * A class, because the memory speaks of one request's bytes and symbols, and must be
 * forgotten with it.
 */
export class InlineLabels {
  /** Where the label before lies in the body, per place; the length is 0 when there is none. */
  readonly #start = new Uint32Array(PLACES)
  readonly #length = new Uint32Array(PLACES)
  readonly #name = new Uint32Array(PLACES)
  readonly #value = new Uint32Array(PLACES)

  beginRequest(): void {
    this.#length.fill(0)
  }

  /** One Label message, if that is what the tag announces. */
  read(source: LabelSource, tag: number): boolean {
    if (tag !== 0x0a) return false
    const { labels, reader, symbols } = source
    const length = reader.skipBytes()
    const start = reader.at - length
    const place = labels.refCount() >>> 1
    const isKnown =
      place < PLACES &&
      length > 0 &&
      this.#length[place] === length &&
      symbols.areSame(this.#start[place]!, start, length)
    if (isKnown) {
      labels.push(this.#name[place]!)
      labels.push(this.#value[place]!)
    } else this.#parse(source, start, length, place)
    return true
  }

  #parse(
    { labels, reader, symbols }: LabelSource,
    start: number,
    length: number,
    place: number,
  ): void {
    const { at: end, limit } = reader
    let nameAt = 0
    let nameLength = 0
    let valueAt = 0
    let valueLength = 0
    reader.at = start
    reader.limit = end
    while (reader.hasMore()) {
      const field = reader.uint32()
      if (field === 0x0a) {
        nameLength = reader.skipBytes()
        nameAt = reader.at - nameLength
      } else if (field === 0x12) {
        valueLength = reader.skipBytes()
        valueAt = reader.at - valueLength
      } else reader.skip(field)
    }
    reader.limit = limit
    if (reader.malformed !== null) return

    // The name is likely to be the one before, even where the value is not.
    const guess = place < PLACES && this.#length[place]! > 0 ? this.#name[place]! : 0
    const name = symbols.intern(nameAt, nameAt + nameLength, guess)
    const value = symbols.intern(valueAt, valueAt + valueLength, 0)
    labels.push(name)
    labels.push(value)
    if (place >= PLACES) return
    this.#start[place] = start
    this.#length[place] = length
    this.#name[place] = name
    this.#value[place] = value
  }
}
