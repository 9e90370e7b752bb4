import type { Admission } from './admit/admission.ts'
import { PendingPushes } from './admit/pending-pushes.ts'
import type { PushDigest } from './admit/push-digest.ts'
import type { ReplayMemory } from './admit/replay.ts'
import type { Clock } from './base/clock.ts'
import type { ClockWatch } from './base/clock-watch.ts'
import type { Batch } from './model/batch.ts'
import { type Counts, samplesOf } from './model/counts.ts'
import {
  countBatch,
  countRefused,
  countReplay,
  createCounters,
  type IngestCounters,
} from './model/ingest-counters.ts'
import type { Judgement, Slice } from './model/judgement.ts'
import type { Outcome, Sender } from './model/outcome.ts'
import type { Rejections } from './model/rejection.ts'
import type { DeltaSums } from './otlp/deltas.ts'
import type { BlockWriter } from './persist/block-writer.ts'

/** A larger push is cut into several blocks, at the borders of series. */
const BLOCK_SAMPLES_MAX = 10_000
/** A smaller push shares a block, and with it a request to the destination, with others. */
const ADOPTED_SAMPLES_MIN = 1_000

export type Protocol = 'rw1' | 'rw2' | 'otlp' | 'otlp-json' | 'otlp-grpc'

/** One authenticated request: of remote write compressed as it came, of OTLP decompressed. */
export type Push = {
  sender: Sender
  protocol: Protocol
  body: Uint8Array
}

export type ReadParts = {
  /** Tells a push from all others. */
  digest: (push: Push) => PushDigest
  /** Why this compressed body is not even worth decompressing, or null. */
  inspect: (body: Uint8Array) => string | null
  /** What is in the body, in the batch's memory; null when it is damaged. */
  decompress: (body: Uint8Array, batch: Batch) => Uint8Array | null
  /** Fills the batch, or says why the request as a whole makes no sense. */
  decode: Record<Protocol, (raw: Uint8Array, batch: Batch) => string | null>
}

/** A push that was read, perhaps by another thread. */
export type Arrival = {
  sender: Sender
  digest: PushDigest
  batch: Batch
  /** The compressed body, to keep. */
  body: () => Uint8Array
}

export type IngestParts = {
  clock: Clock
  replay: ReplayMemory
  admission: Admission
  /** Null: nobody may send differences. */
  deltas: DeltaSums | null
  blocks: BlockWriter
  /** Why nothing can be kept at the moment, or null. */
  backlog: () => string | null
  watch: Pick<ClockWatch, 'latestMs'>
  /** How long a push waited for the disk. */
  onCommit: (seconds: number) => void
}

/** Fills `batch` from a push; returns why it is malformed as a whole, or null. */
export function readPush(parts: ReadParts, { protocol, body }: Push, batch: Batch): string | null {
  if (protocol !== 'rw1' && protocol !== 'rw2') return parts.decode[protocol](body, batch)
  // An empty Remote Write 1.0 message is an empty body, and some senders probe with it.
  if (body.length === 0 && protocol === 'rw1') return parts.decode.rw1(body, batch)
  const dishonest = parts.inspect(body)
  if (dishonest !== null) return dishonest
  const raw = parts.decompress(body, batch)
  if (raw === null) return 'the body is not a whole snappy block: check the Content-Encoding'
  return parts.decode[protocol](raw, batch)
}

/**
 * The near half of the gateway: a push in, durable block out.
 *
 * A sender forgets its samples the moment we accept them, so `accepted` is said only when
 * they are on disk.
 */
export function createIngest(parts: IngestParts) {
  const { clock, replay, admission, deltas, blocks } = parts
  const counters = createCounters()

  const pending = new PendingPushes()

  /**
   * The outcome of a push that needs not be read: it was here before, is on its way to the disk,
   * or finds no room.
   */
  function withoutReading(
    digest: PushDigest,
    { cluster }: Sender,
  ): Outcome | Promise<Outcome> | null {
    const again = (outcome: Outcome) => countReplay(counters, cluster, outcome)
    const answered = replay.find(digest, clock.monotonicMs())
    if (answered !== undefined) return again(answered)
    const underWay = pending.find(digest)
    if (underWay !== undefined) return underWay.then(again)
    const backlog = parts.backlog()
    return backlog === null ? null : countRefused(counters, backlog)
  }

  function countMalformed(): void {
    counters.pushes.malformed += 1
  }

  /** Takes what was read. The batch is done with when this returns, and not only resolves. */
  function take(arrival: Arrival): Promise<Outcome> {
    const { digest } = arrival
    const taken = judgeAndCommit(arrival)
    const added = pending.add(digest, taken)
    return taken.finally(() => pending.remove(added))
  }

  async function judgeAndCommit(arrival: Arrival): Promise<Outcome> {
    const outcome = admit(parts, counters, arrival)

    // A push of nothing but duplicates waits too, because the samples that it duplicates
    // may not be on disk yet.
    const startMs = clock.monotonicMs()
    try {
      const onDisk = await blocks.committed()
      admission.forget(onDisk)
      deltas?.forget(onDisk)
    } catch (error) {
      // What was decided has been undone already, or the sender's next try would look like a
      // duplicate of something that was lost. Where the disk is only slow it holds, and waits:
      // the next try is a duplicate of it, and is answered when it is on disk.
      return countRefused(counters, `the log cannot be written: ${(error as Error).message}`)
    }
    parts.onCommit((clock.monotonicMs() - startMs) / 1000)
    replay.remember(arrival.digest, outcome, clock.monotonicMs())
    counters.pushes[outcome.kind] += 1
    return outcome
  }

  return { withoutReading, countMalformed, take, counters }
}

/**
 * Judges what was decoded and puts what is new into blocks. Synchronous from the first
 * look to the last entry: nobody may see a sample as seen that is not on its way to disk.
 */
function admit(
  parts: IngestParts,
  counters: IngestCounters,
  { sender: { cluster }, batch, body }: Arrival,
): Outcome {
  const { clock, admission, deltas, blocks } = parts
  const duplicatesNow = () => admission.duplicateSamples + admission.conflictingSamples
  admission.metadata.learn(batch)
  const nowMs = clock.nowMs()
  const latestMs = parts.watch.latestMs()
  const nowSeconds = Math.floor(clock.monotonicMs() / 1000)
  deltas?.addUp(batch, nowMs, nowSeconds)
  const written = countsOf(batch)
  const duplicatesBefore = duplicatesNow()
  let lastBlock = 0
  for (const slice of slicesOf(batch)) {
    const block = blocks.blockFor(cluster, slice.toSample - slice.fromSample, nowMs)
    lastBlock = block.number
    const judgement = admission.judge(batch, slice, block.number, latestMs, nowSeconds)
    if (block.isEmpty && isKeptAsItCame(batch, judgement)) {
      block.adopt(batch, judgement, body())
    } else if (samplesOf(judgement.kept) > 0) {
      block.add(batch, slice, judgement)
    }
    // A duplicate counts as written: its sender is done with it, and takes "2xx, nothing
    // written" for a receiver that misunderstood.
    written.samples -= judgement.refused.samples
    written.histograms -= judgement.refused.histograms
  }
  // With the last of them, so that a push of which a part is on disk is repeated as a whole.
  deltas?.settle(lastBlock)
  const duplicates = duplicatesNow() - duplicatesBefore
  countBatch(counters, { cluster, written, duplicates, batch })
  if (batch.rejections.isEmpty) return { kind: 'accepted', written }
  const { points: rejectedPoints } = batch.rejections
  return { kind: 'partial', written, rejectedPoints, reason: sentence(batch.rejections) }
}

function countsOf(batch: Batch): Counts {
  const { sampleCount, sampleHistogramEnd } = batch
  let histograms = 0
  if (batch.histogramByteCount > 0) {
    for (let i = 0; i < sampleCount; i++) if (sampleHistogramEnd[i]! > 0) histograms += 1
  }
  return { samples: sampleCount - histograms, histograms, exemplars: batch.exemplarCount }
}

/**
 * Whether the push itself can be the block: nothing was refused, dropped or added. Small ones
 * are written anew, because they share a block with others.
 */
function isKeptAsItCame(batch: Batch, { kept, held, addsMetadata }: Judgement): boolean {
  if (!batch.isPlain || addsMetadata || held.length > 0) return false
  return kept.samples === batch.sampleCount && kept.samples >= ADOPTED_SAMPLES_MIN
}

/** Cuts a batch at series borders into slices that fit a block. An ordinary push is one slice. */
function* slicesOf(batch: Batch): Generator<Slice> {
  const { seriesCount, sampleCount, sampleSeries } = batch
  if (sampleCount <= BLOCK_SAMPLES_MAX) {
    if (seriesCount === 0) return
    yield { fromSeries: 0, toSeries: seriesCount, fromSample: 0, toSample: sampleCount }
    return
  }
  let slice: Slice = { fromSeries: 0, toSeries: 0, fromSample: 0, toSample: 0 }
  for (let series = 0; series < seriesCount; series++) {
    while (slice.toSample < sampleCount && sampleSeries[slice.toSample] === series) {
      slice.toSample += 1
    }
    slice.toSeries = series + 1
    if (slice.toSample - slice.fromSample < BLOCK_SAMPLES_MAX) continue
    yield slice
    const { toSample } = slice
    slice = { fromSeries: series + 1, toSeries: series + 1, fromSample: toSample, toSample }
  }
  if (slice.toSeries > slice.fromSeries) yield slice
}

/** What was refused and why, for the person who runs the sender: five reasons at most. */
function sentence(rejections: Rejections): string {
  const reasons = [...rejections].slice(0, 5)
  const lines = reasons.map(
    ([reason, { elements, example }]) => `${elements} ${reason}: ${example}`,
  )
  return `${rejections.total} rejected, the rest is stored\n${lines.join('\n')}`
}
