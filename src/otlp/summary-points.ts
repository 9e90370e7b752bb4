import { doubleOf } from './any-value.ts'
import { decimalOf } from './decimal.ts'
import { type Metric, suffixed } from './metric.ts'
import type { Point } from './point.ts'

const TAGS = { attributes: 0x3a, exemplars: 0, flags: 0x40 }
const TWO_32 = 2 ** 32

/** Reads a SummaryDataPoint, up to the reader's limit: a sum, a count and its quantiles. */
export function readSummaryPoint(point: Point, metric: Metric): void {
  const { request } = point
  const { reader, texts } = request
  let count = 0
  let sum = 0
  const quantiles: { quantile: number; value: number }[] = []
  point.begin()
  while (reader.hasMore()) {
    const tag = reader.uint32()
    if (tag === 0x21) count = reader.fixed64() + reader.high * TWO_32
    else if (tag === 0x29) sum = doubleOf(reader.fixed64(), reader.high)
    else if (tag === 0x32) quantiles.push(readQuantile(point))
    else if (!point.read(tag, TAGS)) reader.skip(tag)
  }
  if (!point.settle(metric, request.known.quantile)) return
  point.addDouble(metric, suffixed(metric, 'sum', texts), 0, sum)
  point.addDouble(metric, suffixed(metric, 'count', texts), 0, count)
  for (const { quantile, value } of quantiles) {
    point.addDouble(metric, metric.name, texts.of(decimalOf(quantile)), value)
  }
}

function readQuantile({ request: { reader } }: Point): { quantile: number; value: number } {
  let quantile = 0
  let value = 0
  const outer = reader.enter()
  while (reader.hasMore()) {
    const tag = reader.uint32()
    if (tag === 0x09) quantile = doubleOf(reader.fixed64(), reader.high)
    else if (tag === 0x11) value = doubleOf(reader.fixed64(), reader.high)
    else reader.skip(tag)
  }
  reader.leave(outer)
  return { quantile, value }
}
