import { SAMPLE_BITS, SAMPLE_START, SAMPLE_TIMESTAMP } from '../layout'

const SAMPLES = 0x12
const SAMPLE_VALUE = 0x09
const SAMPLE_TIME = 0x10
const SAMPLE_STARTS = 0x18
const CREATED_TIMESTAMP = 0x30

/** Times that take six bytes as a varint: 1971 to 2109. */
const PLAIN_MS_MIN: f64 = 34359738368
const PLAIN_MS_END: f64 = 4398046511104

/** Is its time, and its start where it has one, from 1971 to 2109? */
export function isPlainSample(sample: u32): bool {
  const startMs = startOf(sample)
  return isPlainTime(timeOf(sample)) && (startMs === 0 || isPlainTime(startMs))
}

function isPlainTime(ms: f64): bool {
  return ms >= PLAIN_MS_MIN && ms < PLAIN_MS_END
}

function timeOf(sample: u32): f64 {
  return load<f64>(SAMPLE_TIMESTAMP + ((<usize>sample) << 3))
}

function startOf(sample: u32): f64 {
  return load<f64>(SAMPLE_START + ((<usize>sample) << 3))
}

/** Writes a plain sample as a field of its series at `at`, and returns where it ends. */
export function writeSample(at: usize, sample: u32): usize {
  store<u8>(at, SAMPLES)
  // A value of 0 could be left out, but neighbours of one length compress better.
  store<u8>(at + 2, SAMPLE_VALUE)
  store<u64>(at + 3, load<u64>(SAMPLE_BITS + ((<usize>sample) << 3)))
  let end = writeTime(at + 11, SAMPLE_TIME, timeOf(sample))
  const startMs = startOf(sample)
  if (startMs !== 0) end = writeTime(end, SAMPLE_STARTS, startMs)
  store<u8>(at + 1, <u32>(end - at) - 2)
  return end
}

/** Writes its start once more, as the field of the series that it was up to Prometheus 3.7. */
export function writeCreated(at: usize, sample: u32): usize {
  const startMs = startOf(sample)
  return startMs === 0 ? at : writeTime(at, CREATED_TIMESTAMP, startMs)
}

function writeTime(at: usize, tag: u32, plainMs: f64): usize {
  const ms = <u64>plainMs
  const six =
    (ms & 0x7f) |
    ((ms & (0x7f << 7)) << 1) |
    ((ms & (0x7f << 14)) << 2) |
    ((ms & (0x7f << 21)) << 3) |
    ((ms & ((<u64>0x7f) << 28)) << 4) |
    ((ms >> 35) << 40)
  store<u8>(at, tag)
  store<u64>(at + 1, six | 0x8080808080)
  return at + 7
}
