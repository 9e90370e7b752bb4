import {
  AT_LABEL_BYTES,
  AT_LABEL_BYTES_MAX,
  AT_LABEL_REF_COUNT,
  LABEL_REFS,
  LAST_REFS,
  LAST_SUM,
  REGISTERS,
} from '../layout'
import { addSample, addSeries } from './columns'
import { labelBytes, labelCount } from './label-set'

/** A float sample. */
const SAMPLE = 0x12

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

/**
 * Adds a series of the labels that were walked last, with the plain sample `[at, end)`. False
 * when the request's labels are too wide: then nothing is added.
 */
export function addPlainSeries(at: usize, end: usize, metadata: u32, help: u32, unit: u32): bool {
  const wide = load<u32>(REGISTERS + AT_LABEL_BYTES * 4) + labelBytes()
  if (wide > load<u32>(REGISTERS + AT_LABEL_BYTES_MAX * 4)) return false
  store<u32>(REGISTERS + AT_LABEL_BYTES * 4, wide)

  const refFrom = load<u32>(REGISTERS + AT_LABEL_REF_COUNT * 4)
  const refs = LABEL_REFS + ((<usize>refFrom) << 2)
  const refBytes = (<usize>labelCount()) << 3
  for (let i: usize = 0; i < refBytes; i += 16) v128.store(refs + i, v128.load(LAST_REFS + i))

  const refTo = refFrom + labelCount() * 2
  const series = addSeries(refTo, v128.load(LAST_SUM), metadata, help, unit)
  addSample(series, plainTimestampMs(end), 0, end - at === 18 ? load<u64>(at + 3) : 0)
  return true
}
