import {
  AT_EPOCH,
  METRIC_BOUND_COUNT,
  METRIC_BOUNDS,
  METRIC_BUCKET,
  METRIC_BYTES,
  METRIC_COUNT,
  METRIC_EPOCH,
  METRIC_HAS_START,
  METRIC_HELP,
  METRIC_KIND,
  METRIC_NAME,
  METRIC_OF_SYMBOL,
  METRIC_SENT,
  METRIC_SUM,
  METRIC_TRAITS,
  METRIC_TYPE,
  METRIC_UNIT,
  METRIC_WIDEST,
  METRICS,
  METRICS_MAX,
  REGISTERS,
} from '../layout'

/** What Node found out about the metrics of a request; `layout.ts` says in which words. */
let metric: usize = 0

/** Makes the metric of this name the current one. Returns whether it is known. */
export function findMetric(sent: u32): bool {
  const number = load<u32>(METRIC_OF_SYMBOL + ((<usize>sent) << 2))
  // What other requests left there may be anything.
  if (number >= <u32>METRICS_MAX) return false
  useMetric(number)
  return (
    wordOf(METRIC_EPOCH) === load<u32>(REGISTERS + AT_EPOCH * 4) && wordOf(METRIC_SENT) === sent
  )
}

/** Makes the metric of this number the current one. */
export function useMetric(number: u32): void {
  metric = METRICS + <usize>number * METRIC_BYTES
}

function wordOf(word: usize): u32 {
  return load<u32>(metric + (word << 2))
}

export function unitOfMetric(): u32 {
  return wordOf(METRIC_UNIT)
}

export function kindOfMetric(): u32 {
  return wordOf(METRIC_KIND)
}

export function traitsOfMetric(): u32 {
  return wordOf(METRIC_TRAITS)
}

export function helpOfMetric(): u32 {
  return wordOf(METRIC_HELP)
}

export function setHelpOfMetric(help: u32): void {
  store<u32>(metric + METRIC_HELP * 4, help)
}

export function nameOfMetric(): u32 {
  return wordOf(METRIC_NAME)
}

export function typeOfMetric(): u32 {
  return wordOf(METRIC_TYPE)
}

export function hasStarts(): bool {
  return wordOf(METRIC_HAS_START) !== 0
}

export function nameOfSum(): u32 {
  return wordOf(METRIC_SUM)
}

export function nameOfCount(): u32 {
  return wordOf(METRIC_COUNT)
}

export function nameOfBuckets(): u32 {
  return wordOf(METRIC_BUCKET)
}

/** Where its bounds lie, 0 as long as nobody knows them. */
export function boundsOfMetric(): usize {
  return <usize>wordOf(METRIC_BOUNDS)
}

export function boundCount(): u32 {
  return wordOf(METRIC_BOUND_COUNT)
}

export function widestBound(): u32 {
  return wordOf(METRIC_WIDEST)
}
