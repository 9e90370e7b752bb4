import { expect, test } from 'vitest'
import {
  Quarantine,
  type QuarantineEntry,
  type QuarantineHead,
} from '../../src/persist/quarantine.ts'
import type { QuarantineHole } from '../../src/persist/quarantine-holes.ts'
import { openLog } from '../support/log-directory.ts'
import { MemoryDisk } from '../support/memory-disk.ts'

function headOf(block: number): QuarantineHead {
  return {
    cluster: 'default',
    block,
    receivedMs: 1,
    refusedMs: 2,
    attempts: 0,
    class: 'refused',
    reason: 'no',
    lost: { samples: block, histograms: 1, exemplars: 0 },
    series: null,
  }
}

/** A quarantine on this disk; `close` is what a restart begins with. */
async function opened(disk: MemoryDisk, limits: { bytesMax?: number; entriesMax?: number } = {}) {
  const { log } = await openLog(disk)
  const evicted: QuarantineEntry[] = []
  const holes: QuarantineHole[] = []
  const quarantine = await Quarantine.open({
    log,
    bytesMax: limits.bytesMax ?? 1e9,
    entriesMax: limits.entriesMax ?? 1e9,
    onEvicted: (entries) => evicted.push(...entries),
    onDamage: (hole) => holes.push(hole),
  })
  const blocks = () => Array.from(quarantine.entries, ({ block }) => block)
  return { log, quarantine, evicted, holes, blocks, close: () => log.close() }
}

test('what was put in is there after a restart, and what was taken out is not', async () => {
  const disk = new MemoryDisk()
  const first = await opened(disk)
  for (const block of [1, 2, 3]) await first.quarantine.add(headOf(block), Buffer.from(`m${block}`))
  const ids = Array.from(first.quarantine.entries, ({ id }) => id)
  await first.quarantine.remove([ids[1]!], false)
  expect(first.quarantine.discarded).toEqual({ samples: 2, histograms: 1, exemplars: 0 })
  await first.close()

  const { quarantine, blocks, close } = await opened(disk)
  expect(blocks()).toEqual([1, 3])
  expect(quarantine.held).toEqual({ samples: 4, histograms: 2, exemplars: 0 })
  expect(quarantine.discarded.samples).toBe(0)
  expect(Buffer.from((await quarantine.message(ids[2]!))!).toString()).toBe('m3')
  expect(await quarantine.message(ids[1]! + 100)).toBeNull()
  await quarantine.replace(ids[0]!, { ...headOf(1), attempts: 1 }, Buffer.from('m1'))
  expect(Array.from(quarantine.entries, ({ attempts }) => attempts)).toEqual([0, 1])
  await close()
})

test('what has arrived leaves without being counted as lost', async () => {
  const { quarantine, close } = await opened(new MemoryDisk())
  await quarantine.add(headOf(5), Buffer.from('m'))
  const [entry] = quarantine.entries
  await quarantine.remove([entry!.id], true)
  expect(quarantine.held.samples + quarantine.discarded.samples).toBe(0)
  await close()
})

test('F48: when it is full the oldest make room, are told and counted, and their room is free', async () => {
  for (const limits of [{ entriesMax: 3 }, { bytesMax: 2_500 }]) {
    const { quarantine, log, evicted, blocks, close } = await opened(new MemoryDisk(), limits)
    for (let block = 1; block <= 20; block++) {
      await quarantine.add(headOf(block), Buffer.alloc(300))
    }
    expect(evicted.map(({ block }) => block).concat(blocks())).toEqual(
      Array.from({ length: 20 }, (_, i) => i + 1),
    )
    expect(blocks().at(-1)).toBe(20)
    expect(blocks().length).toBeLessThanOrEqual(4)
    expect(log.sizeBytes).toBeLessThan(6_000)
    expect(quarantine.held.samples + quarantine.discarded.samples).toBe(210)
    await close()
  }
})

/** Entries of these blocks, and what is on disk of them; a write fails in between. */
async function filesOf(blocks: number[]): Promise<Map<string, Uint8Array>> {
  const disk = new MemoryDisk()
  const { quarantine, close } = await opened(disk)
  for (const block of blocks) {
    if (block === 4) disk.fail('write', 'EIO')
    const add = () => quarantine.add(headOf(block), Buffer.alloc(300, block))
    await add().catch(add)
  }
  await close()
  return disk.files()
}

/** One sample for each block in the number, and a histogram; `seals` are of these blocks. */
type Damaged = {
  what: string
  entries: number[]
  seals?: number[]
  left: number[]
  hole?: number[]
}

const DAMAGES: Damaged[] = [
  { what: 'the first', entries: [1], left: [2, 4, 8], hole: [2, 1, 1] },
  { what: 'one between others', entries: [2], left: [1, 4, 8], hole: [3, 2, 2] },
  { what: 'one and its seal', entries: [2], seals: [2], left: [1, 4, 8], hole: [3, 1, 4] },
  { what: 'the last', entries: [8], left: [1, 2, 4], hole: [9, 8, 8] },
  { what: 'a seal alone', entries: [], seals: [4], left: [1, 2, 4, 8] },
]

test.for(DAMAGES)('F48: damaged is $what: it is left out and told once', async (damage) => {
  const files = await filesOf([1, 2, 4, 8])
  for (const isTakenOut of [false, true]) {
    const disk = new MemoryDisk()
    for (const [path, bytes] of files) disk.plant(path, bytes)
    if (isTakenOut) {
      const { quarantine, close } = await opened(disk)
      const isMeant = ({ block }: QuarantineEntry) => damage.entries.includes(block)
      await quarantine.remove(
        Array.from(quarantine.entries)
          .filter(isMeant)
          .map(({ id }) => id),
        true,
      )
      await close()
    }
    const spots = [
      ...damage.entries.map((block) => Buffer.alloc(300, block)),
      ...(damage.seals ?? []).map((block) => Buffer.from(`"block":${block},"samples":`)),
    ]
    for (const spot of spots) {
      const found = [...disk.files()].find(([, each]) => Buffer.from(each).includes(spot))
      // With the oldest entry its file is gone.
      if (found === undefined && isTakenOut && damage.entries.includes(1)) continue
      const [path, bytes] = found!
      bytes[Buffer.from(bytes).indexOf(spot)]! ^= 1
      disk.plant(path, bytes)
    }
    const damaged = await opened(disk)
    expect(damaged.blocks()).toEqual(damage.left)
    const [samples, fromBlock, toBlock] = damage.hole ?? []
    const isTold = damage.hole !== undefined && !isTakenOut
    expect(damaged.holes).toEqual(isTold ? [{ samples, fromBlock, toBlock }] : [])
    await damaged.close()
    const later = await opened(disk)
    expect({ blocks: later.blocks(), holes: later.holes }).toEqual({
      blocks: damage.left,
      holes: [],
    })
    await later.close()
  }
})

test('what could not be written is not in it', async () => {
  const disk = new MemoryDisk()
  const { quarantine, blocks, close } = await opened(disk)
  await quarantine.add(headOf(1), Buffer.from('m'))
  disk.fail('write', 'ENOSPC')
  await expect(quarantine.add(headOf(2), Buffer.from('m'))).rejects.toMatchObject({
    code: 'LOG_FAILED',
  })
  expect(blocks()).toEqual([1])
  await close()
})

test('what two take out at the same time is taken out once', async () => {
  const { quarantine, blocks, close } = await opened(new MemoryDisk())
  await quarantine.add(headOf(3), Buffer.from('m'))
  await quarantine.add(headOf(4), Buffer.from('m'))
  const { id } = [...quarantine.entries][0]!
  const removed = await Promise.all([
    quarantine.remove([id], false),
    quarantine.remove([id], false),
  ])
  expect(removed.flat().map((entry) => entry.id)).toEqual([id])
  expect(quarantine.discarded.samples).toBe(3)
  expect(blocks()).toEqual([4])
  await close()
})
