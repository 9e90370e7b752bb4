import type { Batch } from '../model/batch.ts'
import type { ProtobufReader } from '../wire/protobuf-reader.ts'
import type { LabelList } from './labels.ts'
import { EXEMPLAR_CODE_POINTS_MAX, type RequestLimits } from './limits.ts'
import { isExactMs } from './sample-time.ts'

/** What reading labels takes: the two versions write them differently. */
export type LabelSource = {
  readonly reader: ProtobufReader
  readonly labels: LabelList
  readonly batch: Batch
}

/** Reads one field of labels into `labels`; false when the tag is not one. */
export type ReadLabels = (source: LabelSource, tag: number) => boolean

export type ExemplarParts = LabelSource & {
  readonly limits: RequestLimits
  readonly readLabels: ReadLabels
  /** Too many bytes of labels: the request is malformed. */
  failWide(): void
}

/**
 * Reads one Exemplar message, up to the reader's limit, into the series that was added to
 * the batch last. What is wrong with an exemplar never touches the samples beside it.
 *
 * @param newestMs of the samples beside it, or 0 when there are none: the timestamp of an
 *   exemplar that has none of its own
 */
export function decodeExemplar(parts: ExemplarParts, newestMs: number): void {
  const { batch, labels, limits, reader } = parts
  let low = 0
  let high = 0
  let timestampMs = 0
  labels.begin()
  while (reader.hasMore()) {
    const tag = reader.uint32()
    if (tag === 0x11) {
      low = reader.fixed64()
      high = reader.high
    } else if (tag === 0x18) timestampMs = reader.int64()
    else if (!parts.readLabels(parts, tag)) reader.skip(tag)
  }
  if (reader.malformed !== null) return

  if (timestampMs === 0) timestampMs = newestMs
  const problem = exemplarProblem(labels, timestampMs)
  if (labels.expandedBytes > limits.labelBytes) parts.failWide()
  if (problem !== null) {
    batch.rejections.add('exemplar-invalid', { exemplars: 1 }, problem)
    labels.drop()
  } else if (labels.codePoints() > EXEMPLAR_CODE_POINTS_MAX) {
    batch.exemplarsOversized += 1
    labels.drop()
  } else {
    addExemplar(batch, labels, timestampMs, low, high)
    if (batch.exemplarCount > limits.elements) {
      reader.fail(`more than ${limits.elements} exemplars in one request`)
    }
  }
}

function exemplarProblem(labels: LabelList, timestampMs: number): (() => string) | null {
  if (labels.settle() !== null) return () => labels.explain()
  if (timestampMs === 0) {
    return () => `an exemplar without a timestamp or a sample: ${labels.describe()}`
  }
  if (isExactMs(timestampMs)) return null
  return () => `timestamp ${timestampMs} is beyond 2^53 milliseconds, of ${labels.describe()}`
}

/** Appends an exemplar of the last series, with the labels that were settled. */
export function addExemplar(
  batch: Batch,
  labels: LabelList,
  timestampMs: number,
  low: number,
  high: number,
): void {
  const exemplar = batch.exemplarCount++
  batch.exemplarSeries[exemplar] = batch.seriesCount - 1
  batch.exemplarTimestampMs[exemplar] = timestampMs
  batch.exemplarBits[exemplar * 2] = low
  batch.exemplarBits[exemplar * 2 + 1] = high
  batch.exemplarLabelStart[exemplar] = labels.from
  batch.exemplarLabelEnd[exemplar] = batch.labelRefCount
}
