import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Delivery } from '../src/deliver.ts'
import { LookAhead } from '../src/forward/look-ahead.ts'
import type { Block } from '../src/model/block.ts'
import { noCounts } from '../src/model/counts.ts'

function blockOf(number: number): Block {
  return {
    number,
    fence: 0,
    cluster: 'one',
    counts: noCounts(),
    minTimestampMs: 0,
    maxTimestampMs: 0,
    receivedMs: 0,
    rawBytes: 0,
    samplesBefore: 0,
    bytesBefore: 0,
    message: new Uint8Array(0),
  }
}

/** Delivery over a log of three blocks, in which `fails` says what happens on the way. */
function delivering(fails: { read?: number; decode?: number }) {
  const delivered: number[] = []
  const errors: unknown[] = []
  const failOnce = (what: 'read' | 'decode', lsn: number) => {
    if (fails[what] !== lsn) return
    delete fails[what]
    throw new Error(`cannot ${what} ${lsn}`)
  }
  const delivery = new Delivery({
    log: {
      reader: (fromLsn) => {
        let lsn = fromLsn
        return {
          next: async () => {
            failOnce('read', lsn)
            return lsn > 3 ? null : { lsn: lsn++, type: 1, payload: new Uint8Array(0) }
          },
          close: async () => {},
        }
      },
      giveBack: () => {},
      waitBeyond: (_, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason))
        }),
    },
    cursor: { position: 1, save: async () => {} },
    ahead: new LookAhead({ from: { number: 1, samplesBefore: 0 }, onDamage: () => {} }),
    clock: { nowMs: () => 0, monotonicMs: () => 0, sleep: () => setImmediate() },
    decodeBlock: ({ lsn }) => {
      failOnce('decode', lsn)
      return blockOf(lsn)
    },
    deliver: async (block) => {
      delivered.push(block.number)
      return { forwarded: noCounts(), refused: noCounts(), unsupported: noCounts() }
    },
    inFlightMax: () => 8,
    merge: () => null,
    onDelivered: () => {},
    onCheckpoint: () => {},
    onError: (error) => errors.push(error),
  })
  return { delivery, delivered, errors }
}

test.for(['read', 'decode'] as const)(
  'a block that cannot be %s is tried again, and none is passed over',
  async (what) => {
    const { delivery, delivered, errors } = delivering({ [what]: 2 })
    delivery.start()
    await expect.poll(() => delivered).toEqual([1, 2, 3])
    expect(errors).toEqual([new Error(`cannot ${what} 2`)])
    await delivery.stop()
  },
)
