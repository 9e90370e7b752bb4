import {
  AT_HAS_POINTS,
  AT_MISSING_FAMILY,
  AT_MISSING_SYMBOL,
  AT_OUT_BYTES,
  AT_OUT_RAW_BYTES,
  AT_OUT_STAMP,
  FAMILY_OUT,
  LABEL_REFS,
  OUT,
  OUT_BYTES_MAX,
  PLAIN_BYTES_MAX,
  REGISTERS,
  SAMPLE_HISTOGRAM_END,
  SAMPLE_KEEP,
  SAMPLE_SERIES,
  SERIES_FAMILY,
  SERIES_HELP,
  SERIES_LABEL_END,
  SERIES_LABEL_START,
  SERIES_METADATA_TYPE,
  SERIES_UNIT,
} from '../layout'
import { isPlainSample, writeCreated, writeSample } from './plain-sample'
import { nextSeries, RECENT_REFS_MAX, refEndsOf, refsOf, setRefs, withRefs } from './recent-series'
import { beginElements, elementsEnd, endElements, putSeries } from './series-elements'
import { numberOf } from './symbol-numbers'
import { lengthOf } from './symbols'
import { writeNumber } from './varint'

const TIMESERIES = 0x2a
const LABELS_REFS = 0x0a
const METADATA = 0x2a
const METADATA_TYPE = 0x08
const METADATA_HELP = 0x18
const METADATA_UNIT = 0x20

/** Labels of a plain series: with references of three bytes they take less than this. */
const PLAIN_REFS_MAX: u32 = 128
/** Tag and length of references that take fewer than 128 bytes. */
const REFS_HEAD: usize = 2

/**
 * Writes the series of samples from `from` on that are like nearly all, into OUT, as elements of
 * a snappy block: one float sample from 1971 to 2109. Those that are not kept are passed over.
 * Those of OTLP are written as they are: a Collector sends the same metrics of many resources,
 * and there the compressor finds more, 10 bytes per sample instead of 16.
 *
 * Returns where it stopped: at `to`, at a sample that is not plain, or where a symbol or a
 * family has no number in the message yet; that one stands in AT_MISSING_SYMBOL or
 * AT_MISSING_FAMILY then, nothing of its series is written, and the last element may still be
 * open: the next call goes on with it.
 */
export function writePlainSeries(from: u32, to: u32): u32 {
  store<u32>(REGISTERS + AT_MISSING_SYMBOL * 4, 0)
  store<u32>(REGISTERS + AT_MISSING_FAMILY * 4, 0)
  if (load<u32>(REGISTERS + AT_OUT_RAW_BYTES * 4) === 0) {
    beginElements(OUT, load<u32>(REGISTERS + AT_HAS_POINTS * 4) === 1)
  }
  let isMissing = false
  let sample = from
  for (; sample < to; sample++) {
    const series = load<u32>(SAMPLE_SERIES + ((<usize>sample) << 2))
    if (sample + 1 < to && load<u32>(SAMPLE_SERIES + ((<usize>sample) << 2), 4) === series) break
    if (load<u8>(SAMPLE_KEEP + <usize>sample) === 0) continue
    if (!isPlain(sample, series)) break
    isMissing = !writeSeries(sample, series)
    if (isMissing) break
  }
  const end = isMissing ? elementsEnd() : endElements()
  store<u32>(REGISTERS + AT_OUT_BYTES * 4, <u32>(end - OUT))
  return sample
}

function isPlain(sample: u32, series: u32): bool {
  const word = (<usize>series) << 2
  const refs = load<u32>(SERIES_LABEL_END + word) - load<u32>(SERIES_LABEL_START + word)
  return (
    isPlainSample(sample) &&
    load<u32>(SAMPLE_HISTOGRAM_END + ((<usize>sample) << 2)) === 0 &&
    refs > 0 &&
    refs <= PLAIN_REFS_MAX &&
    <u32>(elementsEnd() - OUT) + PLAIN_BYTES_MAX * 2 <= <u32>OUT_BYTES_MAX
  )
}

/** False when something of it has no number. */
function writeSeries(sample: u32, series: u32): bool {
  const start = nextSeries()
  const sampleAt = writeRefs(start + 2, series)
  if (sampleAt === 0) return false
  let inner = writeMetadata(writeSample(sampleAt, sample), series)
  if (inner === 0) return false
  inner = writeCreated(inner, sample)
  store<u8>(start, TIMESERIES)
  const end = closeMessage(start + 1, inner)
  putSeries(end - start, inner - sampleAt)
  const raw = load<u32>(REGISTERS + AT_OUT_RAW_BYTES * 4) + <u32>(end - start)
  store<u32>(REGISTERS + AT_OUT_RAW_BYTES * 4, raw)
  return true
}

/** Writes the length of the message behind its byte at `at`, which moves when that is small. */
function closeMessage(at: usize, end: usize): usize {
  const length = <u32>(end - at - 1)
  if (length < 0x80) {
    store<u8>(at, length)
    return end
  }
  memory.copy(at + 2, at + 1, <usize>length)
  store<u8>(at, length | 0x80)
  store<u8>(at + 1, length >> 7)
  return end + 1
}

/** Where the references end that are written at `start`, 0 when one of them has no number. */
function writeRefs(start: usize, series: u32): usize {
  const word = (<usize>series) << 2
  const first = load<u32>(SERIES_LABEL_START + word)
  const count = load<u32>(SERIES_LABEL_END + word) - first
  const refs = LABEL_REFS + ((<usize>first) << 2)
  setRefs(refs, count)
  const like = count <= RECENT_REFS_MAX ? withRefs(count) : 0
  if (like !== 0) {
    const end = patchRefs(start, refs, count, like)
    if (end !== 0) return end
  }
  return writeAllRefs(start, refs, count)
}

/**
 * Writes references by changing those of the series `like`, which has as many: one by one, all of
 * writing takes 138 ns per sample, and so 99. 0 when a number takes other room than the one in
 * its place.
 */
function patchRefs(start: usize, refs: usize, count: u32, like: usize): usize {
  const refsLike = refsOf(like)
  const ends = refEndsOf(nextSeries())
  const endsLike = refEndsOf(like)
  for (let i: usize = 0; i < <usize>count; i += 16) {
    v128.store(ends + i, v128.load(endsLike + i))
  }
  const size = <usize>load<u8>(ends + <usize>count - 1)
  for (let i: usize = 0; i < size; i += 16) v128.store(start + i, v128.load(like + 2 + i))
  for (let i: usize = 0; i < <usize>count; i += 4) {
    const at = i << 2
    let differ = i32x4.bitmask(i32x4.ne(v128.load(refs + at), v128.load(refsLike + at)))
    while (differ !== 0) {
      const ref = i + <usize>ctz(differ)
      differ &= differ - 1
      if (ref >= <usize>count) break
      const number = numberOf(load<u32>(refs + (ref << 2)))
      if (number === 0) return 0
      const from = ref === 0 ? REFS_HEAD : <usize>load<u8>(ends + ref - 1)
      if (writeNumber(start + from, number) !== start + <usize>load<u8>(ends + ref)) return 0
    }
  }
  return start + size
}

function writeAllRefs(start: usize, refs: usize, count: u32): usize {
  const ends = refEndsOf(nextSeries())
  let at = start + REFS_HEAD
  for (let i: usize = 0; i < <usize>count; i++) {
    const number = numberOf(load<u32>(refs + (i << 2)))
    if (number === 0) return 0
    at = writeNumber(at, number)
    store<u8>(ends + i, <u32>(at - start))
  }
  store<u8>(start, LABELS_REFS)
  return closeMessage(start + 1, at)
}

/** A series' own metadata, or else what is known of its family. */
function writeMetadata(start: usize, series: u32): usize {
  let type: u32 = load<u8>(SERIES_METADATA_TYPE + <usize>series)
  const helpRef = load<u32>(SERIES_HELP + ((<usize>series) << 2))
  const unitRef = load<u32>(SERIES_UNIT + ((<usize>series) << 2))
  // An empty string is symbol 0 in the message, whatever its number in the batch is.
  let help = lengthOf(helpRef) === 0 ? 0 : numberOf(helpRef)
  let unit = lengthOf(unitRef) === 0 ? 0 : numberOf(unitRef)
  if (load<u32>(REGISTERS + AT_MISSING_SYMBOL * 4) !== 0) return 0
  if ((type | help | unit) === 0) {
    const family = load<u32>(SERIES_FAMILY + ((<usize>series) << 2))
    if (family === 0) return start
    const known = FAMILY_OUT + ((<usize>family) << 4)
    if (load<u32>(known) !== load<u32>(REGISTERS + AT_OUT_STAMP * 4)) {
      store<u32>(REGISTERS + AT_MISSING_FAMILY * 4, family)
      return 0
    }
    type = load<u32>(known, 4)
    help = load<u32>(known, 8)
    unit = load<u32>(known, 12)
  }
  let at = start + 2
  at = writeField(at, METADATA_TYPE, type)
  at = writeField(at, METADATA_HELP, help)
  at = writeField(at, METADATA_UNIT, unit)
  store<u8>(start, METADATA)
  store<u8>(start + 1, <u32>(at - start) - 2)
  return at
}

/** A field of the value 0 is left out. */
function writeField(at: usize, tag: u32, value: u32): usize {
  if (value === 0) return at
  store<u8>(at, tag)
  return writeNumber(at + 1, value)
}
