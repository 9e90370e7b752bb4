import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Clock } from '../src/base/clock.ts'
import { Delivery } from '../src/deliver.ts'
import { LookAhead } from '../src/forward/look-ahead.ts'
import type { Block } from '../src/model/block.ts'
import { noCounts } from '../src/model/counts.ts'
import { DeliveryRig } from './support/delivery-rig.ts'

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
  const clock: Clock = { nowMs: () => 0, monotonicMs: () => 0, sleep: () => setImmediate() }
  const delivery = new Delivery({
    log: {
      reader: (fromLsn) => {
        let lsn = fromLsn
        return {
          next: async () => {
            failOnce('read', lsn)
            return lsn > 3 ? null : { lsn: lsn++, type: 1, payload: new Uint8Array(0) }
          },
          get lsn() {
            return lsn
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
    ahead: new LookAhead({ from: { number: 1, samplesBefore: 0 }, clock, onDamage: () => {} }),
    clock,
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

test('damage at the end of the log is waited out, until a block behind it tells how much it was', async () => {
  const rig = new DeliveryRig()
  const row = (value: number) => ({ series: 0, timestampMs: value, value })
  for (const value of [1, 2]) rig.append('one', [row(value)])
  rig.damaged.add(2)
  rig.start()
  await rig.drain()
  expect(rig.waits).toBe(1)
  expect(rig.samplesDone).toBe(1)

  rig.append('one', [row(3)])
  await rig.drain()
  expect(rig.received).toEqual([row(1), row(3)])
  expect(rig.samplesDone).toBe(3)
  await rig.stop()
})
