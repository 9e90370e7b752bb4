import { crc32 } from 'node:zlib'
import { expect, test } from 'vitest'
import { Cursor } from '../../src/persist/cursor.ts'
import { type Image, imageOf, segmentsOf } from '../simulation/image.ts'
import { Simulation } from '../simulation/simulation.ts'
import { openLog, readAll, segmentPath } from '../support/log-directory.ts'
import { MemoryDisk } from '../support/memory-disk.ts'

const STORE = '/data/log/store.json'

/** What the first format is on disk: a log of two commits, and a cursor between them. */
const FIRST_FORMAT = {
  store: '{"format":1,"store":"000102030405060708090a0b0c0d0e0f"}\n',
  // A checksum came later, and the first stores do without.
  storeNow: '{"format":1,"store":"000102030405060708090a0b0c0d0e0f","check":4222416506}\n',
  segment: [
    '534c554943454c47 01000000 00000000 000102030405060708090a0b0c0d0e0f 0100000000000000',
    `${'00'.repeat(20)} 90 5146fe`,
    'a7534cd2 05000000 0100 0100 57ee7192 0100000000000000 00000000 54c7e84b 6669727374',
    'a7534cd2 06000000 0200 0000 69111fb6 0200000000000000 57ee7192 c1965800 7365636f6e64',
    'a7534cd2 05000000 0100 0100 64203224 0300000000000000 69111fb6 4f97b098 7468697264',
  ].join(''),
  slot: `c5534c32 00000000 0100000000000000 0300000000000000 4d00000000000000 00000000 e355a494`,
}

test('F47: what the first format wrote is read, and taken on from', async () => {
  const disk = new MemoryDisk()
  disk.plant(STORE, Buffer.from(FIRST_FORMAT.store))
  disk.plant(segmentPath(1), bytesOf(FIRST_FORMAT.segment))
  const slots = Buffer.alloc(8192)
  slots.set(bytesOf(FIRST_FORMAT.slot), 4096)
  disk.plant('/data/cursors/central', slots)
  const { log, damages } = await openLog(disk)
  const records = (await readAll(log)).map(({ lsn, type, payload }) => [
    lsn,
    type,
    Buffer.from(payload).toString(),
  ])
  expect(records).toEqual([
    [1, 1, 'first'],
    [2, 2, 'second'],
    [3, 1, 'third'],
  ])
  expect(damages).toEqual([])
  const cursor = await Cursor.open(disk, '/data/cursors/central')
  expect(cursor).toMatchObject({ position: 3, samplesBefore: 77, isDamaged: false })
  // And the same bytes are written still, or the number of the format must change.
  const again = new MemoryDisk()
  const newStoreId = '000102030405060708090a0b0c0d0e0f'
  const { log: same } = await openLog(again, { newStoreId })
  for (const group of [['first', 'second'], ['third']]) {
    for (const text of group) same.append(text === 'second' ? 2 : 1, [Buffer.from(text)])
    await same.commit()
  }
  await same.close()
  expect(hexOf(again.bytesOf(segmentPath(1)))).toBe(hexOf(bytesOf(FIRST_FORMAT.segment)))
  expect(Buffer.from(again.bytesOf(STORE)).toString()).toBe(FIRST_FORMAT.storeNow)
})

test('F47: a gateway refuses what a newer one has written, and leaves it as it is', async () => {
  const image = await imageOf({ pushes: 5 })
  const newerStore = new Map(image.files)
  newerStore.set(STORE, Buffer.from('{"format":2,"kept":"elsewhere"}'))
  const newerSegment = new Map(image.files)
  const [path] = segmentsOf(image)
  const segment = image.files.get(path!)!.slice()
  new DataView(segment.buffer).setUint32(8, 2, true)
  new DataView(segment.buffer).setUint32(60, crc32(segment.subarray(0, 60)), true)
  newerSegment.set(path!, segment)
  newerSegment.delete(STORE)
  for (const files of [newerStore, newerSegment]) await expectRefused({ ...image, files })
})

async function expectRefused({ files, options }: Image): Promise<void> {
  const simulation = new Simulation(options)
  for (const [path, bytes] of files) simulation.disk.plant(path, bytes)
  simulation.start()
  await simulation.clock.pass(500)
  expect(simulation.failures).toMatchObject([
    { code: 'LOG_FORMAT', message: expect.stringContaining('nothing was changed') },
  ])
  const left = [...simulation.disk.files()].map(([name, bytes]) => [name, hexOf(bytes)])
  const before = [...files].map(([name, bytes]) => [name, hexOf(bytes)])
  expect(left.toSorted()).toEqual(before.toSorted())
}

function bytesOf(hex: string): Uint8Array {
  return Buffer.from(hex.replaceAll(' ', ''), 'hex')
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
