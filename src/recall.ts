import type { Admission } from './admit/admission.ts'
import { createRemoteWrite2Decoder } from './decode/remote-write-2.ts'
import { type Batch, createBatch } from './model/batch.ts'
import type { DigestKey } from './model/identity.ts'
import { BLOCK_RECORD, decodeBlock } from './persist/block.ts'
import type { Log } from './persist/log.ts'
import { decompressInto } from './wire/snappy.ts'

/** More of the log is not read. */
const RECALL_BYTES_MAX = 64 * 1024 * 1024

export type RecallParts = {
  log: Pick<Log, 'reader' | 'giveBack' | 'lastLsn' | 'oldestLsn' | 'sizeBytes' | 'bytesBelow'>
  admission: Admission
  /** Of the table's identities. */
  key: DigestKey
  /** The table knows of all blocks up to this one. */
  savedLsn: number
  /** Monotonic. */
  nowSeconds: number
  bytesMax?: number
}

/**
 * Brings the series table up to date with the log after a crash: judges the blocks that were
 * committed since it was saved once more, in their order, so that what senders repeat is known,
 * and what is late by now is told so instead of being accepted and then refused by the receiver.
 * Of a log that has grown by more than `bytesMax` since, the newest segments.
 *
 * Returns how many blocks that were. Rejects when the disk does.
 */
export async function recall(parts: RecallParts): Promise<number> {
  const { log, key, savedLsn, bytesMax = RECALL_BYTES_MAX } = parts
  if (savedLsn >= log.lastLsn) return 0
  const decode = createRemoteWrite2Decoder(key)
  const batch = createBatch()
  const reader = log.reader(Math.max(savedLsn + 1, firstOfNewest(log, bytesMax)))
  let blocks = 0
  try {
    for (let record = await reader.next(); record !== null; record = await reader.next()) {
      if (record.type === BLOCK_RECORD) {
        const { number, message } = decodeBlock(record.payload)
        const raw = decompressInto(batch.kernel, message)
        if (raw !== null && decode(raw, batch) === null) learn(parts, batch, number)
        blocks += 1
      }
      log.giveBack(record.payload)
    }
  } finally {
    await reader.close()
  }
  return blocks
}

/** The first record of the newest segments that take no more than is read. */
function firstOfNewest(log: RecallParts['log'], bytesMax: number): number {
  let [from, to] = [log.oldestLsn, log.lastLsn]
  while (from < to) {
    const middle = Math.floor((from + to) / 2)
    if (log.sizeBytes - log.bytesBelow(middle) > bytesMax) from = middle + 1
    else to = middle
  }
  return from
}

/** As when it was new; but whoever counts has counted it then. */
function learn({ admission, nowSeconds }: RecallParts, batch: Batch, block: number): void {
  const { duplicateSamples, conflictingSamples, untrackedSamples } = admission
  // They went out with the block, or wait in it.
  batch.exemplarCount = 0
  admission.metadata.learn(batch)
  const { seriesCount: toSeries, sampleCount: toSample } = batch
  const all = { fromSeries: 0, toSeries, fromSample: 0, toSample }
  admission.judge(batch, all, block, Number.POSITIVE_INFINITY, nowSeconds)
  admission.forget(block)
  Object.assign(admission, { duplicateSamples, conflictingSamples, untrackedSamples })
}
