import {
  AT_ELEMENTS_MAX,
  AT_LABEL_BYTES,
  AT_LABEL_BYTES_MAX,
  AT_LABEL_REF_COUNT,
  AT_SAMPLE_COUNT,
  AT_SERIES_COUNT,
  AT_SYMBOL_COUNT,
  AT_SYMBOLS_MAX,
  LABEL_REFS,
  LAST_REFS,
  LAST_SUM,
  REGISTERS,
  SAMPLE_BITS,
  SAMPLE_HISTOGRAM_END,
  SAMPLE_HISTOGRAM_START,
  SAMPLE_SERIES,
  SAMPLE_START,
  SAMPLE_TIMESTAMP,
  SERIES_HELP,
  SERIES_IDENTITY,
  SERIES_LABEL_END,
  SERIES_LABEL_START,
  SERIES_METADATA_TYPE,
  SERIES_UNIT,
} from '../layout'
import { labelBytes, labelCount } from './label-set'

/** A float sample. */
const SAMPLE = 0x12

/** A length of more than two bytes comes out as more than any message has. */
const TOO_LONG: u32 = 0x1000_0000

/** A length of one byte or two. */
export function shortLength(at: usize): u32 {
  const word: u32 = load<u16>(at)
  if ((word & 0x80) === 0) return word & 0x7f
  return (word & 0x8000) === 0 ? (word & 0x7f) | ((word >> 1) & 0x3f80) : TOO_LONG
}

/** How many bytes such a length takes. */
export function bytesOfLength(at: usize): usize {
  return load<u8>(at) < 0x80 ? 1 : 2
}

/**
 * Where the sample ends that begins at `at`, or 0 when it is not plain: a value, left out
 * when it is 0, and a timestamp from 1971 to 2109, which takes six bytes.
 */
export function plainSampleEnd(at: usize, limit: usize): usize {
  if (at + 9 > limit || load<u8>(at) !== SAMPLE) return 0
  const length: u32 = load<u8>(at + 1)
  const end = at + 2 + <usize>length
  if (end > limit || (length !== 7 && (length !== 16 || load<u8>(at + 2) !== 0x09))) return 0
  // The tag, five bytes that go on, and one that does not.
  const last = load<u64>(end - 8) >> 8
  return (last & 0x80808080808000) === 0x00808080808000 && (last & 0xff) === 0x10 ? end : 0
}

/** The varint of six bytes that ends at `end`. */
function plainTimestampMs(end: usize): f64 {
  const six = load<u64>(end - 8) >> 16
  const value =
    (six & 0x7f) |
    ((six >> 1) & (0x7f << 7)) |
    ((six >> 2) & (0x7f << 14)) |
    ((six >> 3) & (0x7f << 21)) |
    ((six >> 4) & ((<u64>0x7f) << 28)) |
    ((six >> 5) & ((<u64>0x7f) << 35))
  return <f64>value
}

/** Series that the limits leave room for. The general way finds the next, and says so. */
export function roomForSeries(): u32 {
  const used = max(
    load<u32>(REGISTERS + AT_SERIES_COUNT * 4),
    load<u32>(REGISTERS + AT_SAMPLE_COUNT * 4),
  )
  const most = load<u32>(REGISTERS + AT_ELEMENTS_MAX * 4)
  return used < most ? most - used : 0
}

export function hasRoomForSymbols(): bool {
  return load<u32>(REGISTERS + AT_SYMBOL_COUNT * 4) < load<u32>(REGISTERS + AT_SYMBOLS_MAX * 4)
}

/**
 * Adds a series of the labels that were walked last, with the plain sample `[at, end)`. False
 * when the request's labels are too wide: then nothing is added.
 */
export function addPlainSeries(at: usize, end: usize, metadata: u32, help: u32, unit: u32): bool {
  const wide = load<u32>(REGISTERS + AT_LABEL_BYTES * 4) + labelBytes()
  if (wide > load<u32>(REGISTERS + AT_LABEL_BYTES_MAX * 4)) return false
  store<u32>(REGISTERS + AT_LABEL_BYTES * 4, wide)

  const series = load<u32>(REGISTERS + AT_SERIES_COUNT * 4)
  store<u32>(REGISTERS + AT_SERIES_COUNT * 4, series + 1)
  const refFrom = load<u32>(REGISTERS + AT_LABEL_REF_COUNT * 4)
  const refTo = refFrom + labelCount() * 2
  store<u32>(REGISTERS + AT_LABEL_REF_COUNT * 4, refTo)
  const refs = LABEL_REFS + ((<usize>refFrom) << 2)
  const refBytes = (<usize>labelCount()) << 3
  for (let i: usize = 0; i < refBytes; i += 16) v128.store(refs + i, v128.load(LAST_REFS + i))

  const word = (<usize>series) << 2
  store<u32>(SERIES_LABEL_START + word, refFrom)
  store<u32>(SERIES_LABEL_END + word, refTo)
  v128.store(SERIES_IDENTITY + ((<usize>series) << 4), v128.load(LAST_SUM))
  store<u8>(SERIES_METADATA_TYPE + <usize>series, metadata)
  store<u32>(SERIES_HELP + word, help)
  store<u32>(SERIES_UNIT + word, unit)

  const sample = load<u32>(REGISTERS + AT_SAMPLE_COUNT * 4)
  store<u32>(REGISTERS + AT_SAMPLE_COUNT * 4, sample + 1)
  store<u32>(SAMPLE_SERIES + ((<usize>sample) << 2), series)
  store<f64>(SAMPLE_TIMESTAMP + ((<usize>sample) << 3), plainTimestampMs(end))
  store<f64>(SAMPLE_START + ((<usize>sample) << 3), 0)
  const bits: u64 = end - at === 18 ? load<u64>(at + 3) : 0
  store<u64>(SAMPLE_BITS + ((<usize>sample) << 3), bits)
  store<u32>(SAMPLE_HISTOGRAM_START + ((<usize>sample) << 2), 0)
  store<u32>(SAMPLE_HISTOGRAM_END + ((<usize>sample) << 2), 0)
  return true
}
