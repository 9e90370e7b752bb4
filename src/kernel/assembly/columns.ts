import {
  AT_ELEMENTS_MAX,
  AT_LABEL_REF_COUNT,
  AT_SAMPLE_COUNT,
  AT_SERIES_COUNT,
  AT_SYMBOL_COUNT,
  AT_SYMBOLS_MAX,
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

/** How many series there is room for. The general way finds one more, and says so. */
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

/** Appends a series whose labels are the references from the last one's on, up to `refTo`. */
export function addSeries(refTo: u32, identity: v128, type: u32, help: u32, unit: u32): u32 {
  const series = load<u32>(REGISTERS + AT_SERIES_COUNT * 4)
  store<u32>(REGISTERS + AT_SERIES_COUNT * 4, series + 1)
  const word = (<usize>series) << 2
  store<u32>(SERIES_LABEL_START + word, load<u32>(REGISTERS + AT_LABEL_REF_COUNT * 4))
  store<u32>(SERIES_LABEL_END + word, refTo)
  store<u32>(REGISTERS + AT_LABEL_REF_COUNT * 4, refTo)
  v128.store(SERIES_IDENTITY + ((<usize>series) << 4), identity)
  store<u8>(SERIES_METADATA_TYPE + <usize>series, type)
  store<u32>(SERIES_HELP + word, help)
  store<u32>(SERIES_UNIT + word, unit)
  return series
}

/** Appends a float sample of `series`, and returns its number. */
export function addSample(series: u32, timestampMs: f64, startMs: f64, bits: u64): u32 {
  const sample = load<u32>(REGISTERS + AT_SAMPLE_COUNT * 4)
  store<u32>(REGISTERS + AT_SAMPLE_COUNT * 4, sample + 1)
  const word = (<usize>sample) << 2
  store<u32>(SAMPLE_SERIES + word, series)
  store<f64>(SAMPLE_TIMESTAMP + (word << 1), timestampMs)
  store<f64>(SAMPLE_START + (word << 1), startMs)
  store<u64>(SAMPLE_BITS + (word << 1), bits)
  store<u32>(SAMPLE_HISTOGRAM_START + word, 0)
  store<u32>(SAMPLE_HISTOGRAM_END + word, 0)
  return sample
}
