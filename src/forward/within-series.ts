import type { Batch } from '../model/batch.ts'
import { type Counts, isNothing } from '../model/counts.ts'
import type { ProtobufWriter } from '../wire/protobuf-writer.ts'
import { snappy } from '../wire/snappy.ts'
import { BISECT_REQUESTS_MAX, bisect, type Guilt, type PartVerdict } from './bisect.ts'
import { encodeRemoteWrite1, firstOf } from './remote-write-1.ts'

export type SampleLoss = { lost: Counts; reason: string }

/**
 * What is lost of a series that a receiver of Remote Write 1.0 refuses, by its samples: it
 * undoes all of a request, so for one sample that is there already it refuses the newer ones
 * behind it, which are not. Null when there is nothing to tell apart.
 *
 * @param send resolves with the reason of a refusal, or null
 */
export async function lossesWithin(
  { from: series, to: endSeries, reason }: Guilt,
  batch: Batch,
  writer: ProtobufWriter,
  send: (body: Uint8Array, counts: Counts) => Promise<string | null>,
): Promise<SampleLoss[] | null> {
  const { sampleSeries, sampleCount } = batch
  const from = firstOf(sampleSeries, sampleCount, series)
  const to = firstOf(sampleSeries, sampleCount, series + 1)
  if (endSeries - series > 1 || to - from < 2) return null
  const encode = (first: number, end: number) =>
    encodeRemoteWrite1(batch, series, series + 1, writer, { from: first, to: end }).counts

  const sendPart = async (first: number, end: number): Promise<PartVerdict> => {
    const counts = encode(first, end)
    if (isNothing(counts)) return { kind: 'delivered' }
    const refusal = await send(snappy.compress(writer.written()), counts)
    return refusal === null ? { kind: 'delivered' } : { kind: 'rejected', reason: refusal }
  }
  const limits = { from, to, requestsMax: BISECT_REQUESTS_MAX }
  const guilty = await bisect({ ...limits, reason, send: sendPart })
  return guilty.map((guilt) => ({ lost: encode(guilt.from, guilt.to), reason: guilt.reason }))
}
