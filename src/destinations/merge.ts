import { createRemoteWrite2Decoder } from '../decode/remote-write-2.ts'
import { type Batch, createBatch } from '../model/batch.ts'
import type { Block } from '../model/block.ts'
import type { DigestKey } from '../model/identity.ts'
import { clearJudgement, createJudgement, type Judgement } from '../model/judgement.ts'
import { BlockBuilder } from '../persist/block-builder.ts'
import { decompressInto } from '../wire/snappy.ts'

/**
 * Makes one block of several of one cluster: all that is in them, in their order. It has the
 * number and the time of the first one. Null when one of them cannot be read as a whole; then
 * each goes its own way, where that is told.
 */
export function createMerge(key: DigestKey): (blocks: readonly Block[]) => Block | null {
  const decode = createRemoteWrite2Decoder(key)
  const judgement = createJudgement()
  // Where pushes are large nothing is ever merged, and a batch takes memory.
  let own: { batch: Batch; builder: BlockBuilder } | undefined
  return (blocks) => {
    own ??= { batch: createBatch(), builder: new BlockBuilder(key, () => undefined) }
    const { batch, builder } = own
    const [first] = blocks
    if (first === undefined) return null
    builder.begin(first.number, first.cluster, first.receivedMs)
    for (const block of blocks) {
      const raw = decompressInto(batch.kernel, block.message)
      if (raw === null || decode(raw, batch) !== null) return null
      keepAll(batch, block, judgement)
      if (!isAll(batch, block)) return null
      const { seriesCount: toSeries, sampleCount: toSample } = batch
      builder.add(batch, { fromSeries: 0, toSeries, fromSample: 0, toSample }, judgement)
    }
    return builder.seal(first.samplesBefore, first.bytesBefore)
  }
}

/** What was judged once is not judged again. */
function keepAll(batch: Batch, block: Block, judgement: Judgement): void {
  clearJudgement(judgement, batch.exemplarCount)
  batch.sampleKeep.fill(1, 0, batch.sampleCount)
  batch.seriesFamily.fill(0, 0, batch.seriesCount)
  for (let i = 0; i < batch.exemplarCount; i++) {
    judgement.exemplarCarrier[i] = batch.exemplarSeries[i]!
  }
  judgement.kept = block.counts
  judgement.fence = block.fence
  judgement.minTimestampMs = block.minTimestampMs
  judgement.maxTimestampMs = block.maxTimestampMs
}

function isAll(batch: Batch, { counts }: Block): boolean {
  let histograms = 0
  for (let i = 0; i < batch.sampleCount; i++) {
    if (batch.sampleHistogramEnd[i]! > 0) histograms += 1
  }
  const samples = batch.sampleCount - histograms
  const { exemplarCount: exemplars } = batch
  return (
    samples === counts.samples && histograms === counts.histograms && exemplars === counts.exemplars
  )
}
