import { DIGEST_WORDS } from '../model/batch.ts'
import type { InlineLabels } from './inline-labels.ts'
import { IS_UTF8 } from './symbols.ts'
import type { TimeSeriesDecoder } from './time-series.ts'

/**
 * Series as nearly all of them come: labels that differ little from those of the series
 * before, one float sample, perhaps metadata. They are read in one go and from known places,
 * in half the time that the general way takes.
 *
 * Whatever looks otherwise is left to the general way, which also says what is wrong with it.
 */

const SAMPLE = 0x12
const METADATA = 0x2a
/** A plain series has fewer labels. */
const LABELS_MAX = 64

/** Reads Remote Write 2.0 series from the reader on, up to the first that is not plain. */
export function readPlainSeries2(series: TimeSeriesDecoder): void {
  const { batch, labels, reader } = series
  const { bytes, limit } = reader
  const { labelRefs } = batch
  for (let room = roomOf(series); room > 0 && reader.at < limit; room--) {
    const start = reader.at
    if (bytes[start] !== 0x2a) return
    const body = start + lengthBytes(bytes, start + 1) + 1
    const end = body + plainLength(bytes, start + 1)
    const refsEnd = body + 2 + bytes[body + 1]!
    if (end > limit || refsEnd > end || bytes[body] !== 0x0a || bytes[body + 1]! >= 0x80) return

    const from = batch.labelRefCount
    let count = from
    let at = body + 2
    while (at < refsEnd) {
      let ref = bytes[at++]!
      if (ref >= 0x80) {
        const second = bytes[at++]!
        if (second >= 0x80) return
        ref = (ref & 0x7f) | (second << 7)
      }
      labelRefs[count++] = ref
    }
    const sampleEnd = plainSampleEnd(bytes, at, end)
    if (at !== refsEnd || sampleEnd < 0) return
    batch.seriesMetadataType[batch.seriesCount] = 0
    batch.seriesHelpRef[batch.seriesCount] = 0
    batch.seriesUnitRef[batch.seriesCount] = 0
    if (sampleEnd < end && !readPlainMetadata(series, sampleEnd, end)) return
    batch.labelRefCount = count
    if (!labels.memory.settle(batch, from)) {
      batch.labelRefCount = from
      return
    }
    addPlainSeries(series, from, at, sampleEnd)
    reader.at = end
  }
}

/** The same of Remote Write 1.0, where labels are written out. */
export function readPlainSeries1(series: TimeSeriesDecoder, inline: InlineLabels): void {
  const { batch, labels, reader } = series
  const { bytes, limit } = reader
  for (let room = roomOf(series); room > 0 && reader.at < limit; room--) {
    const start = reader.at
    if (bytes[start] !== 0x0a) return
    const body = start + lengthBytes(bytes, start + 1) + 1
    const end = body + plainLength(bytes, start + 1)
    if (end > limit) return

    labels.begin()
    reader.at = body
    reader.limit = end
    inline.readFirst(series)
    reader.limit = limit
    const isPlain =
      reader.malformed === null &&
      labels.isSound &&
      plainSampleEnd(bytes, reader.at, end) === end &&
      labels.memory.settle(batch, labels.from)
    if (!isPlain) {
      // The general way reads it again, and comes upon the same.
      reader.malformed = null
      reader.at = start
      labels.drop()
      return
    }
    batch.seriesMetadataType[batch.seriesCount] = 0
    batch.seriesHelpRef[batch.seriesCount] = 0
    batch.seriesUnitRef[batch.seriesCount] = 0
    addPlainSeries(series, labels.from, reader.at, end)
    reader.at = end
  }
}

/** Series that the columns have room for as they are: the general way makes more. */
function roomOf({ batch, limits }: TimeSeriesDecoder): number {
  return Math.min(
    batch.seriesLabelStart.length - batch.seriesCount,
    batch.sampleSeries.length - batch.sampleCount,
    limits.elements - Math.max(batch.seriesCount, batch.sampleCount),
    Math.floor((batch.labelRefs.length - batch.labelRefCount) / (LABELS_MAX * 2)),
  )
}

/** A length of one or two bytes; a longer one comes out as more than any message has. */
function plainLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!
  if (first < 0x80) return first
  const second = bytes[at + 1]!
  return second < 0x80 ? (first & 0x7f) | (second << 7) : Number.MAX_SAFE_INTEGER
}

function lengthBytes(bytes: Uint8Array, at: number): number {
  return bytes[at]! < 0x80 ? 1 : 2
}

/**
 * Where the sample ends that begins at `at`, or -1 when it is not plain: a value, left out
 * when it is 0, and a timestamp from 1971 to 2109, which takes six bytes.
 */
function plainSampleEnd(bytes: Uint8Array, at: number, limit: number): number {
  const length = bytes[at + 1]!
  const end = at + 2 + length
  if (bytes[at] !== SAMPLE || end > limit || bytes[end - 7] !== 0x10) return -1
  if (length !== 7 && (length !== 16 || bytes[at + 2] !== 0x09)) return -1
  const more =
    bytes[end - 6]! & bytes[end - 5]! & bytes[end - 4]! & bytes[end - 3]! & bytes[end - 2]!
  return more >= 0x80 && bytes[end - 1]! < 0x80 ? end : -1
}

/** Reads metadata whose references are good into the columns of the series that comes next. */
function readPlainMetadata(
  { batch, symbols }: TimeSeriesDecoder,
  start: number,
  end: number,
): boolean {
  const { bytes, seriesCount, symbolCount } = batch
  if (bytes[start] !== METADATA || start + 2 + bytes[start + 1]! !== end) return false
  for (let at = start + 2; at < end; ) {
    const tag = bytes[at++]!
    let value = bytes[at++]!
    if (value >= 0x80) {
      const second = bytes[at++]!
      if (second >= 0x80) return false
      value = (value & 0x7f) | (second << 7)
    }
    if (at > end) return false
    if (tag === 0x08 && value <= 7) batch.seriesMetadataType[seriesCount] = value
    else if (value >= symbolCount || (symbols.traits[value]! & IS_UTF8) === 0) return false
    else if (tag === 0x18) batch.seriesHelpRef[seriesCount] = value
    else if (tag === 0x20) batch.seriesUnitRef[seriesCount] = value
    else return false
  }
  return true
}

/** Adds the series of the labels from `from` on, with the plain sample `[sampleAt, sampleEnd)`. */
function addPlainSeries(
  series: TimeSeriesDecoder,
  from: number,
  sampleAt: number,
  sampleEnd: number,
): void {
  const { batch, labels, limits, reader } = series
  const { bytes } = batch
  const { identity } = labels.memory
  const number = batch.seriesCount++
  const at = number * DIGEST_WORDS
  batch.seriesLabelStart[number] = from
  batch.seriesLabelEnd[number] = batch.labelRefCount
  batch.seriesIdentity[at] = identity[0]!
  batch.seriesIdentity[at + 1] = identity[1]!
  batch.seriesIdentity[at + 2] = identity[2]!
  batch.seriesIdentity[at + 3] = identity[3]!

  const sample = batch.sampleCount++
  const hasValue = bytes[sampleAt + 1] === 16
  batch.sampleSeries[sample] = number
  batch.sampleTimestampMs[sample] = plainTimestampMs(bytes, sampleEnd)
  batch.sampleStartMs[sample] = 0
  batch.sampleBits[sample * 2] = hasValue ? reader.view.getUint32(sampleAt + 3, true) : 0
  batch.sampleBits[sample * 2 + 1] = hasValue ? reader.view.getUint32(sampleAt + 7, true) : 0
  batch.sampleHistogramStart[sample] = 0
  batch.sampleHistogramEnd[sample] = 0

  labels.expandedBytes += labels.memory.bytes
  if (labels.expandedBytes > limits.labelBytes) series.failWide()
}

/** The varint of six bytes that ends at `end`. */
function plainTimestampMs(bytes: Uint8Array, end: number): number {
  const low =
    (bytes[end - 6]! & 0x7f) |
    ((bytes[end - 5]! & 0x7f) << 7) |
    ((bytes[end - 4]! & 0x7f) << 14) |
    ((bytes[end - 3]! & 0x7f) << 21)
  return ((bytes[end - 2]! & 0x7f) | (bytes[end - 1]! << 7)) * 2 ** 28 + low
}
