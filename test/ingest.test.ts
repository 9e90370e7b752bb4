import { expect, test } from 'vitest'
import { Admission } from '../src/admit/admission.ts'
import { ReplayMemory } from '../src/admit/replay.ts'
import { systemClock } from '../src/base/clock.ts'
import { createIngest, readPush } from '../src/ingest.ts'
import { createReadParts } from '../src/intake/reader.ts'
import { createBatch } from '../src/model/batch.ts'
import { OTLP_DEFAULTS } from '../src/otlp/options.ts'
import { BlockWriter } from '../src/persist/block-writer.ts'
import { noTotals } from '../src/persist/totals.ts'
import { snappy } from '../src/wire/snappy.ts'
import { openLog } from './support/log-directory.ts'
import { MemoryDisk } from './support/memory-disk.ts'
import { rw2Of } from './support/remote-write.ts'

const KEY = new Uint32Array([1, 2, 3, 4])
const NOW_MS = Date.now()

/** The near half of a gateway, over a disk in memory; `cluster` is what a credential would say. */
async function nearHalf() {
  const disk = new MemoryDisk()
  const admission = new Admission({ seriesMax: 100, outOfOrderWindowMs: 0, lastBlock: 0 })
  const { log } = await openLog(disk, {
    onCollect: () => blocks.seal(),
    onFailed: () => {
      blocks.discard()
      admission.undo()
    },
  })
  const blocks = new BlockWriter(log, KEY, () => undefined, noTotals())
  const ingest = createIngest({
    clock: systemClock,
    replay: new ReplayMemory(),
    admission,
    deltas: null,
    blocks,
    watch: { latestMs: () => NOW_MS },
    backlog: () => null,
    onCommit: () => {},
  })
  const readParts = createReadParts(KEY, OTLP_DEFAULTS)
  async function push(cluster: string, name: string, ...ticks: number[]) {
    const samples = ticks.map((tick) => ({ value: tick, timestamp: NOW_MS + tick }))
    const body = snappy.compress(rw2Of([{ labels: { __name__: name, cluster }, samples }]))
    const sender = { cluster }
    const received = { sender, protocol: 'rw2' as const, body }
    const digest = readParts.digest(received)
    const batch = createBatch()
    const known = ingest.withoutReading(digest, sender)
    if (known !== null) return known
    expect(readPush(readParts, received, batch)).toBe(null)
    return ingest.take({ sender, digest, batch, body: () => body })
  }
  const balanceOf = (cluster: string) => {
    const { received, duplicates, rejected, reasons } = ingest.counters.clusters.get(cluster)!
    expect(Array.from(reasons.values()).reduce((sum, one) => sum + one, 0)).toBe(rejected)
    const { kept, undone } = blocks.clusters.get(cluster) ?? { kept: 0, undone: 0 }
    return { received, duplicates, rejected, kept, undone }
  }
  const reasonsOf = (cluster: string) => ingest.counters.clusters.get(cluster)!.reasons
  return { disk, push, balanceOf, reasonsOf, close: () => log.close() }
}

test('what each cluster sent is kept, duplicate, rejected or undone, whatever others send', async () => {
  const { disk, push, balanceOf, reasonsOf, close } = await nearHalf()
  await Promise.all([push('eu', 'a', 1, 2), push('us', 'a', 1), push('eu', 'b', 1)])
  // As a whole, one by one, late, and from the future.
  expect(await push('eu', 'a', 1, 2)).toMatchObject({ kind: 'accepted' })
  expect(await push('us', 'a', 1, 3)).toMatchObject({ kind: 'accepted' })
  expect(await push('eu', 'b', 0)).toMatchObject({ kind: 'partial' })
  expect(await push('us', 'b', 1e9)).toMatchObject({ kind: 'partial' })
  expect(balanceOf('eu')).toEqual({ received: 6, duplicates: 2, rejected: 1, kept: 3, undone: 0 })
  expect(balanceOf('us')).toEqual({ received: 4, duplicates: 1, rejected: 1, kept: 2, undone: 0 })
  expect(Object.fromEntries(reasonsOf('eu'))).toEqual({ late: 1 })
  expect(Object.fromEntries(reasonsOf('us'))).toEqual({ 'too-far-ahead': 1 })

  disk.fail('datasync', 'EIO')
  const failed = await Promise.all([push('eu', 'a', 7), push('us', 'a', 7), push('us', 'c', 7)])
  expect(failed.map(({ kind }) => kind)).toContain('backlogged')
  for (const cluster of ['eu', 'us']) {
    const { received, duplicates, rejected, kept, undone } = balanceOf(cluster)
    expect(received).toBe(duplicates + rejected + kept + undone)
  }
  const undone = balanceOf('eu').undone + balanceOf('us').undone
  expect(undone).toBe(failed.filter(({ kind }) => kind === 'backlogged').length)
  await close()
})

test('a push that comes again while the first one waits for the disk is answered as that one', async () => {
  const { disk, push, balanceOf, close } = await nearHalf()
  const free = disk.hold()
  const all = [push('eu', 'a', 1, 2, 3), push('eu', 'a', 1, 2, 3), push('us', 'a', 1, 2, 3)]
  free()
  const written = { samples: 3, histograms: 0, exemplars: 0 }
  expect(await Promise.all(all)).toEqual(all.map(() => ({ kind: 'accepted', written })))
  expect(balanceOf('eu')).toEqual({ received: 6, duplicates: 3, rejected: 0, kept: 3, undone: 0 })
  expect(balanceOf('us')).toEqual({ received: 3, duplicates: 0, rejected: 0, kept: 3, undone: 0 })
  await close()
})
