import type { LabelSource } from './exemplar.ts'

/** Labels of a series that are remembered; those beyond are taken apart each time. */
const PLACES = 64
const LABEL = 0x0a

/** Where the labels of a series lie in the body, one behind the other, and what they are. */
class Places {
  count = 0
  /** Of each label the place of its tag; one more entry says where the last one ends. */
  readonly start = new Uint32Array(PLACES + 1)
  /** Symbols of name and value, two entries per label. */
  readonly refs = new Uint32Array(PLACES * 2)

  add(end: number, name: number, value: number): void {
    const { count } = this
    if (count === PLACES) return
    this.start[count + 1] = end
    this.refs[count * 2] = name
    this.refs[count * 2 + 1] = value
    this.count = count + 1
  }

  /** Adds the labels from `place` up to `end` of another series, which are these bytes too. */
  addRun(other: Places, place: number, end: number, at: number): void {
    const moved = at - other.start[place]!
    let { count } = this
    for (let i = place; i < end && count < PLACES; i++, count++) {
      this.start[count + 1] = other.start[i + 1]! + moved
      this.refs[count * 2] = other.refs[i * 2]!
      this.refs[count * 2 + 1] = other.refs[i * 2 + 1]!
    }
    this.count = count
  }
}

/**
 * Reads the labels of Remote Write 1.0, which are written out in every series.
 *
 * Senders repeat a target's labels for each of its series. So the bytes are compared with
 * those of the series before, and labels that are the same byte for byte have the same
 * symbols: only the others are taken apart.
 *
 * A class, because the memory speaks of one request's bytes and symbols, and must be
 * forgotten with it.
 */
export class InlineLabels {
  #before = new Places()
  #current = new Places()

  beginRequest(): void {
    this.#before.count = 0
    this.#before.start[0] = 0
  }

  /** All labels at the beginning of a TimeSeries message, where senders put them. */
  readFirst(source: LabelSource): void {
    const { labels, reader, symbols } = source
    const { bytes, limit } = reader
    const before = this.#before
    const current = this.#current
    let { at } = reader
    current.count = 0
    current.start[0] = at
    for (let place = 0; at < limit && bytes[at] === LABEL; ) {
      const start = before.start[place]!
      const comparable = Math.min(before.start[before.count]! - start, limit - at)
      const common = symbols.commonBytes(at, start, comparable)
      let end = place
      while (end < before.count && before.start[end + 1]! - start <= common) end++
      if (end > place) {
        labels.pushRun(before.refs, place * 2, end * 2)
        current.addRun(before, place, end, at)
        at += before.start[end]! - start
        place = end
        if (at >= limit || bytes[at] !== LABEL) break
      }
      const nameGuess = place < before.count ? before.refs[place * 2]! : 0
      reader.at = at + 1
      if (!readPlainLabel(source, nameGuess)) this.#readLabel(source, nameGuess)
      if (reader.malformed !== null) return
      at = reader.at
      current.add(at, labels.lastName, labels.lastValue)
      place = placeAfter(before, place, labels.lastName)
    }
    reader.at = at
    this.#current = before
    this.#before = current
  }

  /** One Label message, if that is what the tag announces. */
  read(source: LabelSource, tag: number): boolean {
    if (tag === LABEL) this.#readLabel(source, 0)
    return tag === LABEL
  }

  #readLabel({ labels, reader, symbols }: LabelSource, nameGuess: number): void {
    let nameAt = 0
    let nameLength = 0
    let valueAt = 0
    let valueLength = 0
    const outer = reader.enter()
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
    reader.leave(outer)
    if (reader.malformed !== null) return
    const name = symbols.intern(nameAt, nameAt + nameLength, nameGuess)
    labels.pushLabel(name, symbols.intern(valueAt, valueAt + valueLength, 0))
  }
}

/** A label as senders write it, name then value and both short; false when it looks otherwise. */
function readPlainLabel({ labels, reader, symbols }: LabelSource, nameGuess: number): boolean {
  const { bytes, at, limit } = reader
  const end = at + 1 + bytes[at]!
  const nameEnd = at + 3 + bytes[at + 2]!
  const valueAt = nameEnd + 2
  if (bytes[at]! >= 0x80 || bytes[at + 1] !== 0x0a || end > limit || valueAt > end) return false
  if (bytes[nameEnd] !== 0x12 || valueAt + bytes[nameEnd + 1]! !== end) return false
  const name = symbols.intern(at + 3, nameEnd, nameGuess)
  labels.pushLabel(name, symbols.intern(valueAt, end, 0))
  reader.at = end
  return true
}

/**
 * Where to go on in the series before, after a label of this name that differs from the one
 * at `place`: behind its own if that is near, else where we were, because it is new.
 */
function placeAfter({ count, refs }: Places, place: number, name: number): number {
  const end = Math.min(count, place + 3)
  for (let i = place; i < end; i++) if (refs[i * 2] === name) return i + 1
  return place
}
