import { addExemplars } from './exemplars.ts'
import type { Metric } from './metric.ts'
import { type Point, STALE_HIGH, STALE_LOW } from './point.ts'

const TAGS = { attributes: 0x3a, exemplars: 0x2a, flags: 0x40 }
const TWO_32 = 2 ** 32

const conversion = new Float64Array(1)
const conversionWords = new Uint32Array(conversion.buffer)

/** Reads a NumberDataPoint, up to the reader's limit: one series. */
export function readNumberPoint(point: Point, metric: Metric): void {
  const { request } = point
  const { reader } = request
  let low = 0
  let high = 0
  point.begin()
  while (reader.hasMore()) {
    const tag = reader.uint32()
    if (tag === 0x21) {
      low = reader.fixed64()
      high = reader.high
    } else if (tag === 0x31) {
      low = reader.fixed64()
      conversion[0] = (reader.high | 0) * TWO_32 + low
      low = conversionWords[0]!
      high = conversionWords[1]!
    } else if (!point.read(tag, TAGS)) reader.skip(tag)
  }
  if (!point.settle(metric, 0)) return
  request.addSeries(metric, metric.name, 0)
  const { timestampMs, startMs } = point
  if (point.isStale) request.addFloat(timestampMs, startMs, STALE_LOW, STALE_HIGH)
  else request.addFloat(timestampMs, startMs, low, high)
  if (metric.hasExemplars && point.exemplars.count > 0) addExemplars(point, metric)
}
