import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Admission } from '../../src/admit/admission.ts'
import { systemClock } from '../../src/base/clock.ts'
import { type Delivered, Delivery } from '../../src/deliver.ts'
import { LookAhead } from '../../src/forward/look-ahead.ts'
import type { Block } from '../../src/model/block.ts'
import { noCounts } from '../../src/model/counts.ts'
import { batchOf, type Row, wholeOf } from '../support/rows.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 200)

type Push = { kind: 'push'; series: number[] }
type Step =
  | Push
  | { kind: 'answer'; pick: number }
  | { kind: 'save' }
  | { kind: 'restart' }
  | { kind: 'pace'; inFlightMax: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('push' as const),
      series: fc.uniqueArray(fc.nat(5), { minLength: 1, maxLength: 3 }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('answer' as const), pick: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'save' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('pace' as const),
      inFlightMax: fc.integer({ min: 1, max: 4 }),
    }),
  },
)

/** A gateway without disk and network: admission in front, delivery behind, answers by hand. */
class Rig {
  /** The log: rows by block number - 1. Survives a restart, as the cursor does. */
  readonly rows: Row[][] = []
  readonly fences: number[] = []
  position = 1
  /** Answers that are due, in the order in which their requests began. */
  readonly inFlight: { block: Block; answer: () => void }[] = []
  /** Rows at the receiver, in order of arrival. */
  readonly received: Row[] = []
  admission!: Admission
  ahead!: LookAhead
  delivery!: Delivery
  inFlightMax = 8
  #committed: (() => void)[] = []

  start(): void {
    this.admission = new Admission({
      seriesMax: 4,
      outOfOrderWindowMs: 0,
      lastBlock: this.rows.length,
    })
    this.ahead = new LookAhead({
      from: { number: this.position, samplesBefore: 0 },
      onDamage: () => {},
    })
    this.delivery = new Delivery({
      clock: systemClock,
      log: {
        reader: (fromLsn) => this.#readerFrom(fromLsn),
        giveBack: () => {},
        waitBeyond: async (lsn) => {
          if (this.rows.length > lsn) return
          await new Promise<void>((resolve) => this.#committed.push(resolve))
        },
      },
      cursor: { position: this.position, save: async () => {} },
      ahead: this.ahead,
      decodeBlock: ({ lsn }) => this.#block(lsn),
      deliver: (block, signal) => this.#deliver(block, signal),
      inFlightMax: () => this.inFlightMax,
      merge,
      onDelivered: () => {},
      onCheckpoint: () => {},
      onError: (error) => {
        throw error
      },
    })
    this.delivery.start()
  }

  push(rows: Row[]): void {
    const batch = batchOf(rows)
    const block = this.rows.length + 1
    const { fence } = this.admission.judge(batch, wholeOf(batch), block, 1e12, 0)
    this.rows.push(rows)
    this.fences.push(fence)
    this.admission.forget(block)
    for (const resolve of this.#committed.splice(0)) resolve()
  }

  /** By the blocks that are in it, which may be several. */
  rowsOf({ message }: Block): Row[][] {
    return Array.from(message, (number) => this.rows[number - 1]!)
  }

  async stop(): Promise<void> {
    const stopped = this.delivery.stop()
    for (const resolve of this.#committed.splice(0)) resolve()
    await stopped
    this.inFlight.length = 0
  }

  async restart(): Promise<void> {
    await this.stop()
    this.start()
  }

  #readerFrom(fromLsn: number) {
    let lsn = fromLsn
    const payload = new Uint8Array(0)
    return {
      next: async () => (lsn <= this.rows.length ? { lsn: lsn++, type: 1, payload } : null),
      close: async () => {},
    }
  }

  #block(number: number): Block {
    return {
      number,
      fence: this.fences[number - 1]!,
      cluster: 'one',
      counts: noCounts(),
      minTimestampMs: 0,
      maxTimestampMs: 0,
      receivedMs: 0,
      rawBytes: 0,
      samplesBefore: 0,
      bytesBefore: 0,
      message: Uint8Array.of(number),
    }
  }

  /** The receiver takes what is sent when it answers; a request cut off before that may be lost. */
  #deliver(block: Block, signal: AbortSignal): Promise<Delivered> {
    return new Promise((resolve, reject) => {
      const outcome = { forwarded: noCounts(), refused: noCounts(), unsupported: noCounts() }
      this.inFlight.push({
        block,
        answer: () => {
          for (const rows of this.rowsOf(block)) this.received.push(...rows)
          resolve(outcome)
        },
      })
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
  }
}

/** A message is the numbers of the blocks that are in it. */
function merge(blocks: readonly Block[]): Block {
  return { ...blocks[0]!, message: Uint8Array.from(blocks.flatMap(({ message }) => [...message])) }
}

/** Lets everything that is ready to run, run. */
const settle = () => new Promise((resolve) => setImmediate(resolve))

test('in any order of answers, losses and restarts, no sample overtakes an earlier one of its series', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const rig = new Rig()
      rig.start()
      let tick = 0
      for (const each of steps) {
        if (each.kind === 'push') {
          tick += 1
          rig.push(each.series.map((series) => ({ series, timestampMs: tick * 1000, value: tick })))
        } else if (each.kind === 'answer' && rig.inFlight.length > 0) {
          rig.inFlight.splice(each.pick % rig.inFlight.length, 1)[0]!.answer()
        } else if (each.kind === 'save') {
          rig.position = rig.ahead.acknowledged
        } else if (each.kind === 'pace') {
          rig.inFlightMax = each.inFlightMax
        } else if (each.kind === 'restart') await rig.restart()
        await settle()
        expectNoSeriesTwiceInFlight(rig)
      }
      for (await settle(); rig.inFlight.length > 0; await settle()) rig.inFlight.pop()!.answer()
      expectInOrder(rig)
      await rig.stop()
    }),
    { numRuns },
  )
})

function expectNoSeriesTwiceInFlight(rig: Rig): void {
  const series = rig.inFlight.flatMap(({ block }) =>
    rig.rowsOf(block).flatMap((rows) => rows.map((row) => row.series)),
  )
  expect(new Set(series).size).toBe(series.length)
}

/** Every sample arrived, and when it first did, all earlier ones of its series had arrived. */
function expectInOrder({ rows, received }: Rig): void {
  for (let series = 0; series <= 5; series++) {
    const accepted = rows.flat().filter((row) => row.series === series)
    const arrived = received.filter((row) => row.series === series)
    const first = arrived.filter((row, i) => arrived.indexOf(row) === i)
    expect(first).toEqual(accepted)
  }
}
