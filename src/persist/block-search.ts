import type { Block } from '../model/block.ts'
import { BLOCK_RECORD, decodeBlock } from './block.ts'
import type { Log } from './log.ts'

/** The first block from `lsn` on that `isIt`, or null; reads one after the other. */
export async function blockFrom(
  log: Pick<Log, 'reader'>,
  lsn: number,
  isIt: (block: Block) => boolean = () => true,
): Promise<Block | null> {
  const reader = log.reader(lsn)
  try {
    for (let record = await reader.next(); record !== null; record = await reader.next()) {
      const block = record.type === BLOCK_RECORD ? decodeBlock(record.payload) : null
      if (block !== null && isIt(block)) return block
    }
    return null
  } finally {
    await reader.close()
  }
}
