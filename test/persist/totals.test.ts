import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Tally } from '../../src/model/tally.ts'
import { BLOCK_RECORD, decodeBlock } from '../../src/persist/block.ts'
import { BlockWriter } from '../../src/persist/block-writer.ts'
import type { Log } from '../../src/persist/log.ts'
import { samplesBefore, TOTALS_RECORD, totalsOf } from '../../src/persist/totals.ts'
import { openLog, readAll } from '../support/log-directory.ts'
import { MemoryDisk } from '../support/memory-disk.ts'

const KEY = new Uint32Array([1, 2, 3, 4])
/** As little as that is a few blocks, whose messages are empty. */
const EVERY_BYTES = 4

type Block = { number: number; cluster: string; samples: number }

/** The end of a log that is written on, as a gateway opens it. */
async function openEnd(disk: MemoryDisk, segmentBytes = 600) {
  let building: BlockWriter | undefined
  const { log } = await openLog(disk, {
    segmentBytes,
    onCollect: () => building?.seal(),
    onFailed: () => blocks.discard(),
  })
  const { totals, mark } = await totalsOf(log)
  const options = { mark, totalsEveryBytes: EVERY_BYTES }
  const blocks = new BlockWriter(log, KEY, () => undefined, totals, options)
  building = blocks
  const add = (cluster: string, samples: number): Block => {
    const block = blocks.blockFor(cluster, samples, 0)
    block.counts.samples += samples
    blocks.seal()
    return { number: block.number, cluster, samples }
  }
  return { log, totals, blocks, add }
}

type End = Awaited<ReturnType<typeof openEnd>>

const sumOf = (blocks: readonly Block[]): Tally =>
  new Tally(blocks.map(({ cluster, samples }) => [cluster, samples]))

/** Without clusters that have nothing. */
const plain = (tally: Tally) =>
  Object.fromEntries([...tally].filter(([, samples]) => samples !== 0).sort())

const blocksIn = async (log: Log) =>
  (await readAll(log))
    .filter(({ type }) => type === BLOCK_RECORD)
    .map(({ payload }): Block => {
      const { number, cluster, counts } = decodeBlock(payload)
      return { number, cluster, samples: counts.samples }
    })

/** What the log says of every place in it, and of the one behind it. */
async function expectWhose({ log, blocks }: End, written: readonly Block[]): Promise<void> {
  for (let number = log.oldestLsn; number <= log.committedLsn + 1; number++) {
    const before = sumOf(written.filter((block) => block.number < number))
    const found = await samplesBefore(log, () => blocks.committedSamples(), number, before.sum)
    expect(plain(found), `before ${number}`).toEqual(plain(before))
  }
}

const cluster = fc.constantFrom('eu', 'us', 'ap')
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ cluster, samples: fc.integer({ min: 1, max: 9 }) }) },
  { weight: 4, arbitrary: fc.constant('commit' as const) },
  { weight: 1, arbitrary: fc.constantFrom('fail' as const, 'stop' as const, 'kill' as const) },
)

test('whose the samples before any place in the log are is what a plain sum of its blocks says', () =>
  fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const disk = new MemoryDisk()
      let end = await openEnd(disk)
      for (const one of steps) {
        if (typeof one === 'object') end.add(one.cluster, one.samples)
        else if (one === 'fail') {
          disk.fail('datasync', 'EIO')
          await end.log.commit().catch(() => undefined)
          disk.heal()
        } else {
          if (one !== 'kill') await end.log.commit()
          if (one === 'commit') continue
          if (one === 'stop') await end.log.close()
          else disk.kill()
          end = await openEnd(disk)
          expect(plain(end.totals.samples)).toEqual(plain(sumOf(await blocksIn(end.log))))
        }
      }
      // Of this no place in the log says anything yet.
      end.add('eu', 1)
      await expectWhose(end, await blocksIn(end.log))
      await end.log.close()
    }),
    { numRuns: 150 },
  ))

/** So many blocks, of one cluster at first and then of two. */
async function written(end: End, count: number): Promise<Block[]> {
  const blocks: Block[] = []
  for (let i = 0; i < count; i++) {
    blocks.push(end.add(i > 2 && i % 2 === 0 ? 'us' : 'eu', i + 1))
    await end.log.commit()
  }
  return blocks
}

const totalsIn = async (log: Log) =>
  (await readAll(log)).filter(({ type }) => type === TOTALS_RECORD).map(({ lsn }) => lsn)

test('a log of one cluster has no totals record, and is what it was before there were any', async () => {
  const disk = new MemoryDisk()
  const end = await openEnd(disk)
  for (let i = 1; i <= 20; i++) end.add('eu', i)
  await end.log.commit()
  const records = await readAll(end.log)
  expect(records.map(({ lsn, type }) => [lsn, type])).toEqual(
    Array.from({ length: 20 }, (_, i) => [i + 1, BLOCK_RECORD]),
  )
  // The last eight bytes of the head, where older versions have zeros.
  for (const { payload } of records) expect([...payload.subarray(80, 88)]).toEqual(Array(8).fill(0))
  expect(decodeBlock(records[19]!.payload)).toMatchObject({ cluster: 'eu', samplesBefore: 190 })
})

test('damage to the last totals record takes nothing from anybody', async () => {
  const disk = new MemoryDisk()
  const end = await openEnd(disk, 1e6)
  const blocks = await written(end, 20)
  const last = (await totalsIn(end.log)).at(-1)!
  await end.log.close()
  const [path] = [...disk.files().keys()].filter((name) => name.endsWith('.log'))
  const bytes = disk.bytesOf(path!).slice()
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  text[text.lastIndexOf('"samples"')]! ^= 1
  disk.plant(path!, bytes)

  const again = await openEnd(disk)
  expect(await totalsIn(again.log)).not.toContain(last)
  expect(plain(again.totals.samples)).toEqual(plain(sumOf(blocks)))
  again.add('us', 3)
  await expectWhose(again, blocks)
})

test('what is deleted with its totals records leaves no trace in what waits behind it', async () => {
  const disk = new MemoryDisk()
  const end = await openEnd(disk, 300)
  const blocks = await written(end, 30)
  const [firstTotals] = await totalsIn(end.log)
  await end.log.release(blocks[20]!.number)
  expect(end.log.oldestLsn).toBeGreaterThan(firstTotals!)
  await end.log.close()

  const again = await openEnd(disk, 300)
  for (const { number } of blocks.filter((block) => block.number >= again.log.oldestLsn)) {
    const left = sumOf(blocks.filter((block) => block.number >= number))
    const sum = again.totals.samples.sum - left.sum
    const before = await samplesBefore(again.log, () => again.totals.samples, number, sum)
    expect(plain(again.totals.samples.minus(before))).toEqual(plain(left))
  }
})
