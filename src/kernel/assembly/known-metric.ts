import {
  AT_EPOCH,
  METRIC_BYTES,
  METRIC_OF_SYMBOL,
  METRICS,
  METRICS_MAX,
  REGISTERS,
} from '../layout'

/**
 * What Node found out about the metrics of a request, in words: epoch; symbol of the name as it
 * was sent; unit, kind and traits, which have to be the same; help, name and type; whether its
 * points have a start; names with the suffixes `_sum`, `_count` and `_bucket`; of its bounds:
 * where they lie, how many, and the length of the longest one's text.
 */
let metric: usize = 0

/** Makes the metric of this name the current one. Returns whether it is known. */
export function findMetric(sent: u32): bool {
  const number = load<u32>(METRIC_OF_SYMBOL + ((<usize>sent) << 2))
  // What other requests left there may be anything.
  if (number >= <u32>METRICS_MAX) return false
  useMetric(number)
  return load<u32>(metric) === load<u32>(REGISTERS + AT_EPOCH * 4) && load<u32>(metric, 4) === sent
}

/** Makes the metric of this number the current one. */
export function useMetric(number: u32): void {
  metric = METRICS + <usize>number * METRIC_BYTES
}

export function unitOfMetric(): u32 {
  return load<u32>(metric, 8)
}

export function kindOfMetric(): u32 {
  return load<u32>(metric, 12)
}

export function traitsOfMetric(): u32 {
  return load<u32>(metric, 16)
}

export function helpOfMetric(): u32 {
  return load<u32>(metric, 20)
}

export function setHelpOfMetric(help: u32): void {
  store<u32>(metric, help, 20)
}

export function nameOfMetric(): u32 {
  return load<u32>(metric, 24)
}

export function typeOfMetric(): u32 {
  return load<u32>(metric, 28)
}

export function hasStarts(): bool {
  return load<u32>(metric, 32) !== 0
}

export function nameOfSum(): u32 {
  return load<u32>(metric, 36)
}

export function nameOfCount(): u32 {
  return load<u32>(metric, 40)
}

export function nameOfBuckets(): u32 {
  return load<u32>(metric, 44)
}

/** Where its bounds lie, 0 as long as nobody knows them. */
export function boundsOfMetric(): usize {
  return <usize>load<u32>(metric, 48)
}

export function boundCount(): u32 {
  return load<u32>(metric, 52)
}

export function widestBound(): u32 {
  return load<u32>(metric, 56)
}
