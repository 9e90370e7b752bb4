import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { nodeDisk } from '../../src/base/disk.ts'
import { Tally } from '../../src/model/tally.ts'
import { BLOCK_RECORD, encodeBlock } from '../../src/persist/block.ts'
import { Log } from '../../src/persist/log.ts'
import { encodeTotals, TOTALS_RECORD } from '../../src/persist/totals.ts'
import { snappy } from '../../src/wire/snappy.ts'
import { rw2Of } from '../support/remote-write.ts'

const SERIES = 10
const PADDING_BYTES = 10_000
const BLOCKS_PER_COMMIT = 64
const BLOCKS_PER_TOTALS = 150

/**
 * Writes a log as a gateway leaves it whose destination was down: blocks of many clusters in turn.
 * Returns how many samples are in it.
 */
export async function writeBacklog(
  data: string,
  { bytes, clusters }: { bytes: number; clusters: number },
): Promise<number> {
  const log = await Log.open({ disk: nodeDisk, directory: join(data, 'log') })
  const raw = rw2Of(
    Array.from({ length: SERIES }, (_, i) => ({
      labels: {
        __name__: 'padding',
        i: `${i}`,
        padding: randomBytes(PADDING_BYTES).toString('base64'),
      },
      samples: [{ value: i, timestamp: Date.now() - 3_600_000 }],
    })),
  )
  const message = snappy.compress(raw)
  const counts = { samples: SERIES, histograms: 0, exemplars: 0 }
  const nowMs = Date.now() - 3_600_000
  const times = { minTimestampMs: nowMs, maxTimestampMs: nowMs, receivedMs: nowMs }
  const written = new Tally()
  const last = new Map<string, number>()
  let totalsLsn = 0
  let blocks = 0
  for (; blocks * message.length < bytes; blocks++) {
    if (blocks % BLOCKS_PER_TOTALS === 0) {
      const totals = { samples: written, bytes: blocks * message.length }
      totalsLsn = log.append(TOTALS_RECORD, encodeTotals(totals))
    }
    const number = log.nextLsn
    const cluster = `cluster-${blocks % clusters}`
    const block = {
      number,
      // The same series as in the block before of this cluster.
      fence: last.get(cluster) ?? 0,
      cluster,
      counts,
      ...times,
      rawBytes: raw.length,
      samplesBefore: blocks * SERIES,
      bytesBefore: blocks * message.length,
      // Of its own: the log gives its memory back.
      message: new Uint8Array(message),
    }
    log.append(BLOCK_RECORD, encodeBlock(block, totalsLsn))
    written.add(cluster, SERIES)
    last.set(cluster, number)
    if (blocks % BLOCKS_PER_COMMIT === 0) await log.commit()
  }
  await log.close()
  return blocks * SERIES
}
