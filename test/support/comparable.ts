import { decodeHistogram, type HistogramMessage } from './remote-write.ts'

/**
 * The bits of a sample for comparison between two Prometheus: of a histogram all of it, save
 * that empty buckets say nothing. Prometheus shows more of them as soon as a later sample in
 * the same chunk has more buckets, so they depend on when one looks.
 */
export function comparable(bits: string): string {
  const hex = /^histogram (\w+)$/.exec(bits)?.[1]
  if (hex === undefined) return bits
  const { positiveSpans, positiveDeltas, positiveCounts, ...others } = decodeHistogram(
    Buffer.from(hex, 'hex'),
  )
  const { negativeSpans, negativeDeltas, negativeCounts, ...rest } = others
  const positive = bucketsOf(positiveSpans, positiveDeltas, positiveCounts)
  const negative = bucketsOf(negativeSpans, negativeDeltas, negativeCounts)
  return JSON.stringify({ ...rest, positive, negative }, (_, value) =>
    typeof value === 'bigint' ? `${value}` : value,
  )
}

type Bits = HistogramMessage['sum']

/** Index and count of every bucket that is not empty. */
function bucketsOf(
  spans: readonly { offset: number; length: number }[],
  deltas: readonly Bits[],
  counts: readonly Bits[],
): [index: number, count: string][] {
  const buckets: [number, string][] = []
  let index = 0
  let place = 0
  let sum = 0n
  for (const { offset, length } of spans) {
    index += offset
    for (let i = 0; i < length; i++, index++, place++) {
      sum += BigInt(deltas[place] ?? 0)
      const count = deltas.length > 0 ? sum : BigInt(counts[place]!)
      if (count !== 0n) buckets.push([index, `${count}`])
    }
  }
  return buckets
}
