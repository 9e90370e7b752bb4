import type { NaiveHistogram } from './naive-otlp.ts'
import type { Bits, HistogramMessage } from './remote-write.ts'

/** A NaN comes back from the wire as its bits. */
export function doubleOf(value: Bits): number {
  return typeof value === 'number' ? value : new Float64Array(BigUint64Array.of(value).buffer)[0]!
}

/** What matters of a native histogram, in the words of the oracle. */
export function nativeOf(message: HistogramMessage): NaiveHistogram {
  const { schema, sum, zeroThreshold, customValues } = message
  return {
    schema,
    count: Number(message.countInt),
    sum: doubleOf(sum),
    zeroCount: Number(message.zeroCountInt),
    zeroThreshold: Number(zeroThreshold),
    bounds: customValues.map(Number),
    positive: bucketsOf(message.positiveSpans, message.positiveDeltas),
    negative: bucketsOf(message.negativeSpans, message.negativeDeltas),
  }
}

function bucketsOf(
  spans: readonly { offset: number; length: number }[],
  deltas: readonly (number | bigint)[],
): [number, number][] {
  const buckets: [number, number][] = []
  let index = 0
  let count = 0
  let at = 0
  for (const { offset, length } of spans) {
    index += offset
    for (let i = 0; i < length; i++) {
      count += Number(deltas[at++])
      if (count > 0) buckets.push([index, count])
      index += 1
    }
  }
  return buckets
}
