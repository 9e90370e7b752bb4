import { IS_FILLED, IS_LABEL, IS_NAME_LABEL } from '../kernel/layout.ts'
import type { Batch } from '../model/batch.ts'
import { addLabel, createIdentitySum } from '../model/identity.ts'
import type { RejectReason } from '../model/rejection.ts'
import type { ProtobufReader } from '../wire/protobuf-reader.ts'
import { follows, sortLabels } from './label-order.ts'
import { describeLabels, shownSymbol } from './label-text.ts'
import { LABELS_PER_SERIES_MAX } from './limits.ts'
import { isText } from './symbols.ts'

const TOO_MANY_LABELS = `more than ${LABELS_PER_SERIES_MAX} labels`

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

  /** Of the series that was settled last. */
  readonly identity = createIdentitySum()

  #batch!: Batch
  #flaw: RejectReason | null = null
  #flawText = ''
  /** The symbol that the text speaks of, 0 for none. */
  #flawSymbol = 0

  beginRequest(batch: Batch): void {
    this.#batch = batch
    this.expandedBytes = 0
    this.from = 0
  }

  begin(): void {
    this.from = this.#batch.labelRefCount
    this.#flaw = null
  }

  /** The next reference: to a name if their number so far is even, else to a value. */
  push(symbol: number): void {
    const batch = this.#batch
    const { labelRefCount } = batch
    if (labelRefCount - this.from === LABELS_PER_SERIES_MAX * 2) {
      this.#refuse('label-invalid', TOO_MANY_LABELS)
      return
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
    const { labelRefs } = batch
    let { at } = reader
    while (at < limit && count < countMax) {
      let symbol = bytes[at++]!
      if (symbol >= 0x80) {
        const second = at < limit ? bytes[at]! : 0x80
        if (second < 0x80) {
          symbol = (symbol & 0x7f) | (second << 7)
          at += 1
        } else {
          reader.at = at - 1
          symbol = reader.uint32()
          at = reader.at
        }
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

  /** As `settle`, and computes the identity. */
  settleSeries(): RejectReason | null {
    const reason = this.settle()
    if (reason !== null) return reason
    const { identity } = this
    const { labelRefs, labelRefCount, symbolDigest } = this.#batch
    identity.fill(0)
    for (let i = this.from; i < labelRefCount; i += 2) {
      addLabel(identity, symbolDigest, labelRefs[i]!, labelRefs[i + 1]!)
    }
    return null
  }

  /**
   * Leaves out labels without a value, sorts by the bytes of the name, and says what is
   * wrong with the set, or null. Whether there is a metric name stands in `hasMetricName`.
   */
  settle(): RejectReason | null {
    if (this.#flaw !== null) return this.#flaw
    if (this.#isInOrder()) return null
    this.#batch.isPlain = false
    const reason = this.#checkEach()
    if (reason !== null) return reason
    const double = sortLabels(this.#batch, this.from, this.#batch.labelRefCount)
    return double === 0 ? null : this.#refuse('label-duplicate', 'two labels of the name', double)
  }

  /** The quick look, which nearly every set passes: nothing to leave out, sort or refuse. */
  #isInOrder(): boolean {
    const batch = this.#batch
    const { labelRefs, labelRefCount, symbolCount, symbolStart, symbolEnd } = batch
    const { symbolTraits: traits } = batch
    let expandedBytes = 0
    let allTraits = 0
    let before = 0
    for (let i = this.from; i < labelRefCount; i += 2) {
      const name = labelRefs[i]!
      const value = labelRefs[i + 1]!
      if (i + 1 === labelRefCount || name >= symbolCount || value >= symbolCount) return false
      const common = traits[name]! & traits[value]!
      if ((common & IS_LABEL) !== IS_LABEL) return false
      if (before !== 0 && !follows(batch, before, name)) return false
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
    const { symbolTraits: traits } = batch
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
      if (!isText(batch, name) || !isText(batch, value)) {
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
    const name = shownSymbol(this.#batch, this.#flawSymbol)
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
}
