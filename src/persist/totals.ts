import { SluiceError } from '../base/errors.ts'
import type { Block } from '../model/block.ts'
import { samplesOf } from '../model/counts.ts'
import { Tally, UNKNOWN_CLUSTER } from '../model/tally.ts'
import { BLOCK_RECORD, decodeBlock, totalsLsnOf } from './block.ts'
import type { Log } from './log.ts'
import type { LogRecord } from './reader.ts'

/** Record type of totals in the log. */
export const TOTALS_RECORD = 2

/** Of all blocks ever written, so that two of them give the backlog between. */
export type BlockTotals = {
  samples: Tally
  bytes: number
}

/** A totals record: its number, and the bytes in all blocks before it. */
export type TotalsMark = { lsn: number; bytes: number }

/** Of a log without one. */
export const NO_TOTALS_MARK: TotalsMark = { lsn: 0, bytes: 0 }

type ReadLog = Pick<Log, 'reader' | 'giveBack' | 'lastLsn' | 'oldestLsn' | 'committedLsn'>

export function noTotals(): BlockTotals {
  return { samples: new Tally(), bytes: 0 }
}

/**
 * Payload of a totals record: `{"bytes": …, "samples": [[cluster, samples], …]}`, of all blocks
 * before it. There is one every now and then once a log has blocks of more than one cluster, and
 * each block knows the last one before it: so whose the samples before any place are is found
 * without reading all of the log.
 */
export function encodeTotals({ bytes, samples }: BlockTotals): Uint8Array[] {
  return [Buffer.from(JSON.stringify({ bytes, samples: [...samples] }))]
}

function decodeTotals(payload: Uint8Array): BlockTotals {
  const { bytes, samples } = JSON.parse(Buffer.from(payload).toString('utf8'))
  return { bytes, samples: new Tally(samples) }
}

/**
 * Of all blocks before a record, when it says so by itself: a totals record does, and a block
 * that knows of none, for then all blocks before it are of its own cluster. Null when it does not.
 */
export function totalsBefore({ type, payload }: Pick<LogRecord, 'type' | 'payload'>) {
  if (type === TOTALS_RECORD) return decodeTotals(payload)
  if (type !== BLOCK_RECORD || totalsLsnOf(payload) !== 0) return null
  const { cluster, samplesBefore, bytesBefore } = decodeBlock(payload)
  const samples = new Tally(samplesBefore === 0 ? [] : [[cluster, samplesBefore]])
  return { bytes: bytesBefore, samples }
}

/**
 * Where the totals of all blocks stand at the end of the log, and its last totals record. Blocks
 * that are missing are of an unknown cluster. Rejects when the disk does.
 */
export async function totalsOf(log: ReadLog): Promise<{ totals: BlockTotals; mark: TotalsMark }> {
  const totals = noTotals()
  let mark = NO_TOTALS_MARK
  const reader = log.reader(await lastTotalsLsn(log))
  try {
    for (let record = await reader.next(); record !== null; record = await reader.next()) {
      Object.assign(totals, totalsBefore(record))
      if (record.type === TOTALS_RECORD) mark = { lsn: record.lsn, bytes: totals.bytes }
      if (record.type === BLOCK_RECORD) addBlock(totals, decodeBlock(record.payload))
      log.giveBack(record.payload)
    }
    return { totals, mark }
  } finally {
    await reader.close()
  }
}

function addBlock(totals: BlockTotals, block: Block): void {
  const { cluster, counts, samplesBefore, bytesBefore, message } = block
  const missing = samplesBefore - totals.samples.sum
  if (missing !== 0) totals.samples.add(UNKNOWN_CLUSTER, missing)
  totals.samples.add(cluster, samplesOf(counts))
  totals.bytes = bytesBefore + message.length
}

/** Where reading to the end of the log gives the totals; all of it, where that record is gone. */
async function lastTotalsLsn(log: ReadLog): Promise<number> {
  const last = await recordAt(log, log.lastLsn)
  if (last === null) return log.oldestLsn
  if (totalsBefore(last) !== null) return last.lsn
  const lsn = last.type === BLOCK_RECORD ? totalsLsnOf(last.payload) : 0
  return (await recordAt(log, lsn))?.type === TOTALS_RECORD ? lsn : log.oldestLsn
}

async function recordAt(log: ReadLog, lsn: number): Promise<LogRecord | null> {
  const reader = log.reader(lsn)
  try {
    const record = await reader.next()
    return record?.lsn === lsn ? record : null
  } finally {
    await reader.close()
  }
}

/**
 * Whose the samples are in all blocks before `number`, which may lie behind the end of the log.
 * Reads on from there to the next record that says so, or to the end.
 *
 * @param committed samples in all blocks that are on disk
 * @param sum samples before `number`; where that says otherwise, the rest is of an unknown cluster
 * @throws LOG_FAILED when the disk refuses to read
 */
export async function samplesBefore(
  log: ReadLog,
  committed: () => Tally,
  number: number,
  sum: number,
): Promise<Tally> {
  // With one cluster there is nothing to read.
  const [only, other] = committed().clusters
  if (only === undefined || other === undefined) return tallyOf(only ?? UNKNOWN_CLUSTER, sum)
  try {
    const before = await readSamplesBefore(log, committed, number)
    before.add(UNKNOWN_CLUSTER, sum - before.sum)
    return before
  } catch (cause) {
    const message = `cannot read whose samples are in the log: ${(cause as Error).message}`
    throw new SluiceError('LOG_FAILED', message, { cause })
  }
}

function tallyOf(cluster: string, samples: number): Tally {
  return new Tally([[cluster, samples]])
}

async function readSamplesBefore(
  log: ReadLog,
  committed: () => Tally,
  number: number,
): Promise<Tally> {
  const behind = new Tally()
  const reader = log.reader(number)
  try {
    for (;;) {
      const record = await reader.next()
      if (record === null) {
        // More may have come to be on disk since it said so.
        if (reader.lsn <= log.committedLsn) continue
        return committed().minus(behind)
      }
      const totals = totalsBefore(record)
      if (totals !== null) return totals.samples.minus(behind)
      if (record.type === BLOCK_RECORD) {
        const { cluster, counts } = decodeBlock(record.payload)
        behind.add(cluster, samplesOf(counts))
      }
      log.giveBack(record.payload)
    }
  } finally {
    await reader.close()
  }
}
