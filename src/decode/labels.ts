import { type Batch, grown, symbolText } from '../model/batch.ts'
import type { RejectReason } from '../model/rejection.ts'
import type { ProtobufReader } from '../wire/protobuf-reader.ts'
import { LABELS_PER_SERIES_MAX } from './limits.ts'
import { IS_FILLED, IS_NAME_LABEL, IS_UTF8, type SymbolTable } from './symbols.ts'

/** What name and value of a label are. */
const IS_LABEL = IS_UTF8 | IS_FILLED

/** Above this many moves a label set is sorted as a whole: a sender chooses the order. */
const MOVES_MAX = 256

const TOO_MANY_LABELS = `more than ${LABELS_PER_SERIES_MAX} labels`

/** How much of a label set a message shows. */
const LABELS_SHOWN = 8
const VALUE_CHARACTERS_SHOWN = 60

/**
 * Takes the label references of one series, or of one exemplar, and brings them into the
 * order that identity and output need.
 *
 * A class, because the set under construction is the end of `batch.labelRefs`, from `from`
 * on, and must be given back when it is refused.
 */
export class LabelList {
  /** Where the current set begins in `labelRefs`. */
  from = 0
  /** Bytes of all labels of this request that were settled, written out. */
  expandedBytes = 0
  /** Of the set that was settled last: does one of the labels name the metric? */
  hasMetricName = false

  readonly #symbols: SymbolTable
  #batch: Batch
  #flaw: RejectReason | null = null
  #flawText = ''
  /** The symbol that the text speaks of, 0 for none. */
  #flawSymbol = 0

  constructor(symbols: SymbolTable, batch: Batch) {
    this.#symbols = symbols
    this.#batch = batch
  }

  beginRequest(batch: Batch): void {
    this.#batch = batch
    this.expandedBytes = 0
    this.from = 0
  }

  begin(): void {
    this.from = this.#batch.labelRefCount
    this.#flaw = null
  }

  /** References in the current set so far. */
  refCount(): number {
    return this.#batch.labelRefCount - this.from
  }

  /** The next reference: to a name if their number so far is even, else to a value. */
  push(symbol: number): void {
    const batch = this.#batch
    const { labelRefCount } = batch
    if (labelRefCount - this.from === LABELS_PER_SERIES_MAX * 2) {
      this.#refuse('label-invalid', TOO_MANY_LABELS)
      return
    }
    if (labelRefCount === batch.labelRefs.length) {
      batch.labelRefs = grown(batch.labelRefs, labelRefCount + 1)
    }
    batch.labelRefs[labelRefCount] = symbol
    batch.labelRefCount = labelRefCount + 1
  }

  /** References up to the reader's limit: a series' labels are one such list. */
  pushAll(reader: ProtobufReader): void {
    const { bytes, limit } = reader
    const batch = this.#batch
    const countMax = this.from + LABELS_PER_SERIES_MAX * 2
    let count = batch.labelRefCount
    // No reference takes less than a byte.
    const room = Math.min(countMax, count + limit - reader.at)
    if (room > batch.labelRefs.length) batch.labelRefs = grown(batch.labelRefs, room)
    const { labelRefs } = batch
    let { at } = reader
    while (at < limit && count < countMax) {
      let symbol = bytes[at++]!
      if (symbol >= 0x80) {
        reader.at = at - 1
        symbol = reader.uint32()
        at = reader.at
      }
      labelRefs[count++] = symbol
    }
    reader.at = at
    batch.labelRefCount = count
    if (reader.hasMore()) {
      this.#refuse('label-invalid', TOO_MANY_LABELS)
      while (reader.hasMore()) reader.uint32()
    }
  }

  /** Gives the current set back. */
  drop(): void {
    this.#batch.labelRefCount = this.from
  }

  /**
   * Leaves out labels without a value, sorts by the bytes of the name, and says what is
   * wrong with the set, or null. Whether there is a metric name stands in `hasMetricName`.
   */
  settle(): RejectReason | null {
    if (this.#flaw !== null) return this.#flaw
    if (this.#isInOrder()) return null
    return this.#checkEach() ?? this.#sort()
  }

  /** The quick look, which nearly every set passes: nothing to leave out, sort or refuse. */
  #isInOrder(): boolean {
    const batch = this.#batch
    const { labelRefs, labelRefCount, symbolCount, symbolStart, symbolEnd } = batch
    const { traits, followers } = this.#symbols
    let expandedBytes = 0
    let allTraits = 0
    let before = 0
    for (let i = this.from; i < labelRefCount; i += 2) {
      const name = labelRefs[i]!
      const value = labelRefs[i + 1]!
      if (i + 1 === labelRefCount || name >= symbolCount || value >= symbolCount) return false
      const common = traits[name]! & traits[value]!
      if ((common & IS_LABEL) !== IS_LABEL) return false
      // Names follow each other in few ways, so few are ever compared byte by byte.
      if (before !== 0 && followers[before] !== name) {
        if (compareSymbols(batch, before, name) >= 0) return false
        followers[before] = name
      }
      allTraits |= traits[name]!
      expandedBytes +=
        symbolEnd[name]! - symbolStart[name]! + symbolEnd[value]! - symbolStart[value]!
      before = name
    }
    this.expandedBytes += expandedBytes
    this.hasMetricName = (allTraits & IS_NAME_LABEL) !== 0
    return true
  }

  #checkEach(): RejectReason | null {
    const batch = this.#batch
    const { labelRefs, labelRefCount, symbolCount, symbolStart, symbolEnd } = batch
    const { traits } = this.#symbols
    for (let i = this.from; i < labelRefCount; i++) {
      if (labelRefs[i]! >= symbolCount) {
        batch.labelRefCount = i - ((i - this.from) & 1)
        return this.#refuse('symbol-out-of-range', 'a label reference beyond the symbol table')
      }
      this.expandedBytes += symbolEnd[labelRefs[i]!]! - symbolStart[labelRefs[i]!]!
    }
    if ((labelRefCount - this.from) % 2 !== 0) {
      return this.#refuse('label-invalid', 'a label name without a value')
    }
    this.hasMetricName = false
    let end = this.from
    for (let i = this.from; i < labelRefCount; i += 2) {
      const name = labelRefs[i]!
      const value = labelRefs[i + 1]!
      if ((traits[name]! & traits[value]! & IS_UTF8) === 0) {
        return this.#refuse('label-invalid', 'a label that is not valid UTF-8')
      }
      if ((traits[name]! & IS_FILLED) === 0) {
        return this.#refuse('label-invalid', 'a label with an empty name')
      }
      // A label without a value is no label.
      if ((traits[value]! & IS_FILLED) === 0) continue
      if ((traits[name]! & IS_NAME_LABEL) !== 0) this.hasMetricName = true
      labelRefs[end] = name
      labelRefs[end + 1] = value
      end += 2
    }
    batch.labelRefCount = end
    return null
  }

  /** By insertion: most sets that are not in order are short, or nearly are. */
  #sort(): RejectReason | null {
    const batch = this.#batch
    const { labelRefs, labelRefCount } = batch
    let moves = 0
    for (let i = this.from + 2; i < labelRefCount; i += 2) {
      const name = labelRefs[i]!
      const value = labelRefs[i + 1]!
      let place = i
      let order = 1
      while (place > this.from) {
        order = compareSymbols(batch, labelRefs[place - 2]!, name)
        if (order <= 0) break
        place -= 2
        moves += 1
      }
      if (order === 0) return this.#refuse('label-duplicate', 'two labels of the name', name)
      if (place === i) continue
      labelRefs.copyWithin(place + 2, place, i)
      labelRefs[place] = name
      labelRefs[place + 1] = value
      if (moves > MOVES_MAX) return this.#sortAll()
    }
    return null
  }

  /** Code points of the set's names and values together. */
  codePoints(): number {
    const { bytes, labelRefs, labelRefCount, symbolStart, symbolEnd } = this.#batch
    let count = 0
    for (let i = this.from; i < labelRefCount; i++) {
      const end = symbolEnd[labelRefs[i]!]!
      // Every byte begins a code point but those that continue one, 10xxxxxx.
      for (let at = symbolStart[labelRefs[i]!]!; at < end; at++) {
        if ((bytes[at]! & 0xc0) !== 0x80) count++
      }
    }
    return count
  }

  /** What made `settle` refuse the set, and the set itself, for a person. */
  explain(): string {
    const name = symbolText(this.#batch, this.#flawSymbol).slice(0, VALUE_CHARACTERS_SHOWN)
    const what = name === '' ? this.#flawText : `${this.#flawText} ${JSON.stringify(name)}`
    return `${what}, in ${this.describe()}`
  }

  /** `{"__name__"="up", "job"="node"}`, cut if it is long. */
  describe(): string {
    return describeLabels(this.#batch, this.from)
  }

  #refuse(reason: RejectReason, text: string, symbol = 0): RejectReason {
    // The first flaw is the one that is told.
    if (this.#flaw !== null) return this.#flaw
    this.#flaw = reason
    this.#flawText = text
    this.#flawSymbol = symbol
    return reason
  }

  /** n log n, whatever the order; allocates, which a sender that sorts never causes. */
  #sortAll(): RejectReason | null {
    const batch = this.#batch
    const { labelRefs } = batch
    const labels: { name: number; value: number }[] = []
    for (let i = this.from; i < batch.labelRefCount; i += 2) {
      labels.push({ name: labelRefs[i]!, value: labelRefs[i + 1]! })
    }
    labels.sort((one, other) => compareSymbols(batch, one.name, other.name))
    let at = this.from
    for (const [i, { name, value }] of labels.entries()) {
      if (i > 0 && compareSymbols(batch, labels[i - 1]!.name, name) === 0) {
        return this.#refuse('label-duplicate', 'two labels of the name', name)
      }
      labelRefs[at++] = name
      labelRefs[at++] = value
    }
    return null
  }
}

/** Below 0, 0 or above 0, by unsigned bytes: the order of UTF-8, not that of UTF-16. */
export function compareSymbols(batch: Batch, one: number, other: number): number {
  if (one === other) return 0
  const { bytes, symbolStart, symbolEnd } = batch
  let i = symbolStart[one]!
  let j = symbolStart[other]!
  const iEnd = symbolEnd[one]!
  const jEnd = symbolEnd[other]!
  while (i < iEnd && j < jEnd) {
    const difference = bytes[i++]! - bytes[j++]!
    if (difference !== 0) return difference
  }
  return iEnd - i - (jEnd - j)
}

function describeLabels(batch: Batch, from: number): string {
  const shown: string[] = []
  const end = Math.min(batch.labelRefCount - 1, from + LABELS_SHOWN * 2)
  for (let i = from; i < end; i += 2) {
    const name = symbolText(batch, batch.labelRefs[i]!).slice(0, VALUE_CHARACTERS_SHOWN)
    const value = symbolText(batch, batch.labelRefs[i + 1]!).slice(0, VALUE_CHARACTERS_SHOWN)
    shown.push(`${JSON.stringify(name)}=${JSON.stringify(value)}`)
  }
  if (batch.labelRefCount - from > LABELS_SHOWN * 2) shown.push('…')
  return `{${shown.join(', ')}}`
}
