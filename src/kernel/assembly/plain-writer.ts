import {
  AT_MISSING_FAMILY,
  AT_MISSING_SYMBOL,
  AT_OUT_BYTES,
  AT_OUT_STAMP,
  FAMILY_OUT,
  LABEL_REFS,
  OUT,
  OUT_BYTES_MAX,
  REGISTERS,
  SAMPLE_BITS,
  SAMPLE_HISTOGRAM_END,
  SAMPLE_KEEP,
  SAMPLE_SERIES,
  SAMPLE_START,
  SAMPLE_TIMESTAMP,
  SERIES_FAMILY,
  SERIES_HELP,
  SERIES_LABEL_END,
  SERIES_LABEL_START,
  SERIES_METADATA_TYPE,
  SERIES_UNIT,
  SYMBOL_NUMBER,
} from '../layout'
import { lengthOf } from './symbols'

const TIMESERIES = 0x2a
const LABELS_REFS = 0x0a
const SAMPLES = 0x12
const SAMPLE_VALUE = 0x09
const SAMPLE_TIME = 0x10
const METADATA = 0x2a
const METADATA_TYPE = 0x08
const METADATA_HELP = 0x18
const METADATA_UNIT = 0x20

/** Times that take six bytes as a varint: 1971 to 2109. */
const PLAIN_MS_MIN: f64 = 34359738368
const PLAIN_MS_END: f64 = 4398046511104
/** Labels of a plain series: with references of three bytes they take less than this. */
const PLAIN_REFS_MAX: u32 = 128
const PLAIN_BYTES_MAX: u32 = 512

/**
 * Writes the series of samples from `from` on that are like nearly all, into OUT: one float
 * sample from 1971 to 2109, no start. Those that are not kept are passed over.
 *
 * Returns where it stopped: at `to`, at a sample that is not plain, or where a symbol or a
 * family has no number in the message yet; that one stands in AT_MISSING_SYMBOL or
 * AT_MISSING_FAMILY then, and nothing of its series is written.
 */
export function writePlainSeries(from: u32, to: u32): u32 {
  store<u32>(REGISTERS + AT_MISSING_SYMBOL * 4, 0)
  store<u32>(REGISTERS + AT_MISSING_FAMILY * 4, 0)
  let out: usize = OUT + <usize>load<u32>(REGISTERS + AT_OUT_BYTES * 4)
  let sample = from
  for (; sample < to; sample++) {
    const series = load<u32>(SAMPLE_SERIES + ((<usize>sample) << 2))
    if (sample + 1 < to && load<u32>(SAMPLE_SERIES + ((<usize>sample) << 2), 4) === series) break
    if (load<u8>(SAMPLE_KEEP + <usize>sample) === 0) continue
    if (!isPlain(sample, series, out)) break
    const end = writeSeries(out, sample, series)
    if (end === 0) break
    out = end
  }
  store<u32>(REGISTERS + AT_OUT_BYTES * 4, <u32>(out - OUT))
  return sample
}

function isPlain(sample: u32, series: u32, out: usize): bool {
  const timestampMs = load<f64>(SAMPLE_TIMESTAMP + ((<usize>sample) << 3))
  const word = (<usize>series) << 2
  const refs = load<u32>(SERIES_LABEL_END + word) - load<u32>(SERIES_LABEL_START + word)
  return (
    timestampMs >= PLAIN_MS_MIN &&
    timestampMs < PLAIN_MS_END &&
    load<f64>(SAMPLE_START + ((<usize>sample) << 3)) === 0 &&
    load<u32>(SAMPLE_HISTOGRAM_END + ((<usize>sample) << 2)) === 0 &&
    refs <= PLAIN_REFS_MAX &&
    <u32>(out - OUT) + PLAIN_BYTES_MAX <= <u32>OUT_BYTES_MAX
  )
}

/** Where the series ends, 0 when something of it has no number. */
function writeSeries(start: usize, sample: u32, series: u32): usize {
  let at = writeRefs(start + 2, series)
  if (at === 0) return 0
  at = writeSample(at, sample)
  at = writeMetadata(at, series)
  if (at === 0) return 0
  store<u8>(start, TIMESERIES)
  return closeMessage(start + 1, at)
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

function writeRefs(start: usize, series: u32): usize {
  const word = (<usize>series) << 2
  const from = LABEL_REFS + ((<usize>load<u32>(SERIES_LABEL_START + word)) << 2)
  const to = LABEL_REFS + ((<usize>load<u32>(SERIES_LABEL_END + word)) << 2)
  if (from === to) return start
  let at = start + 2
  for (let ref = from; ref < to; ref += 4) {
    const symbol = load<u32>(ref)
    const number = load<u32>(SYMBOL_NUMBER + ((<usize>symbol) << 2))
    if (number === 0) return missingSymbol(symbol)
    at = writeNumber(at, number)
  }
  store<u8>(start, LABELS_REFS)
  return closeMessage(start + 1, at)
}

function writeNumber(at: usize, number: u32): usize {
  if (number < 0x80) {
    store<u8>(at, number)
    return at + 1
  }
  store<u16>(at, (number & 0x7f) | 0x80 | ((number << 1) & 0x7f00))
  if (number < 0x4000) return at + 2
  store<u8>(at + 1, (number >> 7) | 0x80)
  store<u8>(at + 2, number >> 14)
  return at + 3
}

function writeSample(start: usize, sample: u32): usize {
  let at = start
  const bits = load<u64>(SAMPLE_BITS + ((<usize>sample) << 3))
  store<u8>(at, SAMPLES)
  if (bits === 0) {
    // The value 0 is written by leaving it out.
    store<u8>(at + 1, 7)
    at += 2
  } else {
    store<u8>(at + 1, 16)
    store<u8>(at + 2, SAMPLE_VALUE)
    store<u64>(at + 3, bits)
    at += 11
  }
  const ms = <u64>load<f64>(SAMPLE_TIMESTAMP + ((<usize>sample) << 3))
  store<u8>(at, SAMPLE_TIME)
  const six =
    (ms & 0x7f) |
    ((ms & (0x7f << 7)) << 1) |
    ((ms & (0x7f << 14)) << 2) |
    ((ms & (0x7f << 21)) << 3) |
    ((ms & ((<u64>0x7f) << 28)) << 4) |
    ((ms >> 35) << 40)
  store<u64>(at + 1, six | 0x8080808080)
  return at + 7
}

/** A series' own metadata, or else what is known of its family. */
function writeMetadata(start: usize, series: u32): usize {
  let type: u32 = load<u8>(SERIES_METADATA_TYPE + <usize>series)
  const helpRef = load<u32>(SERIES_HELP + ((<usize>series) << 2))
  const unitRef = load<u32>(SERIES_UNIT + ((<usize>series) << 2))
  let help = load<u32>(SYMBOL_NUMBER + ((<usize>helpRef) << 2))
  let unit = load<u32>(SYMBOL_NUMBER + ((<usize>unitRef) << 2))
  // An empty string is symbol 0 in the message, whatever its number in the batch is.
  if (help === 0 && lengthOf(helpRef) !== 0) return missingSymbol(helpRef)
  if (unit === 0 && lengthOf(unitRef) !== 0) return missingSymbol(unitRef)
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

function missingSymbol(symbol: u32): usize {
  store<u32>(REGISTERS + AT_MISSING_SYMBOL * 4, symbol)
  return 0
}
