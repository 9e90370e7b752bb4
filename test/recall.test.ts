import { expect, test } from 'vitest'
import { Admission } from '../src/admit/admission.ts'
import { recall } from '../src/recall.ts'

const KEY = Uint32Array.of(1, 2, 3, 4)
/** First records of segments of 100 bytes; the last record is 50. */
const SEGMENTS = [1, 11, 21, 31, 41]

/** Where a log is read from that is `savedLsn` records ahead of the table. */
async function beginningOf(savedLsn: number, bytesMax: number): Promise<number | null> {
  let from: number | null = null
  const log = {
    oldestLsn: 1,
    lastLsn: 50,
    sizeBytes: SEGMENTS.length * 100,
    bytesBelow: (lsn: number) => SEGMENTS.slice(1).filter((first) => first <= lsn).length * 100,
    giveBack: () => {},
    reader: (lsn: number) => {
      from = lsn
      return { lsn, next: async () => null, close: async () => {} }
    },
  }
  const admission = new Admission({ seriesMax: 10, outOfOrderWindowMs: 0, lastBlock: 50 })
  const parts = { log: log as never, admission, key: KEY, savedLsn, nowSeconds: 0, bytesMax }
  expect(await recall(parts)).toBe(0)
  return from
}

test.for([
  ['from behind what was saved', 24, 1_000, 25],
  ['not at all when nothing has come since', 50, 1_000, null],
  ['not at all when the log has lost its end', 60, 1_000, null],
  ['from the beginning when nothing was saved', 0, 500, 1],
  ['from the newest segments that are not too much', 0, 350, 21],
  ['from behind what was saved, when that is in these', 33, 350, 34],
  ['from the last segment at least', 0, 100, 41],
] as const)('the log is read %s', async ([, savedLsn, bytesMax, wanted]) => {
  expect(await beginningOf(savedLsn, bytesMax)).toBe(wanted)
})
