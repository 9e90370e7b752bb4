import { constants } from 'node:fs'
import { mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { nodeDisk, withoutSync } from '../../src/base/disk.ts'
import { mountFileSystem } from '../support/tmpfs.ts'

let directory = ''
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sluice-disk-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

test('what is written in parts is read as one, and reading behind the end gives less', async () => {
  const file = await nodeDisk.open(join(directory, 'parts'), 'create')
  const parts = Array.from({ length: 2_500 }, (_, i) => Uint8Array.of(i & 255, i >> 8))
  await file.write(parts, 3)
  await file.datasync()
  expect(await file.sizeBytes()).toBe(5_003)
  const into = new Uint8Array(6_000)
  expect(await file.read(into, 3)).toBe(5_000)
  expect(into.subarray(0, 5_000)).toEqual(new Uint8Array(Buffer.concat(parts)))
  await file.truncate(10)
  expect(await file.sizeBytes()).toBe(10)
  await file.close()
})

test('a file that is to be new must not be there', async () => {
  const path = join(directory, 'new')
  await (await nodeDisk.open(path, 'create')).close()
  await expect(nodeDisk.open(path, 'create')).rejects.toMatchObject({ code: 'EEXIST' })
  await (await nodeDisk.open(path, 'update')).close()
  await expect(nodeDisk.open(join(directory, 'none'), 'read')).rejects.toMatchObject({
    code: 'ENOENT',
  })
})

test('a file is for its owner alone', async () => {
  await (await nodeDisk.open(join(directory, 'own'), 'create')).close()
  expect((await stat(join(directory, 'own'))).mode & 0o777).toBe(0o600)
})

test('a directory is made with those above it, by many at once as well', async () => {
  for (let round = 0; round < 50; round++) {
    const path = join(directory, `${round}`, 'a', 'b', 'c')
    await Promise.all(Array.from({ length: 4 }, () => nodeDisk.makeDirectory(path)))
    await nodeDisk.makeDirectory(path)
    expect((await stat(path)).isDirectory()).toBe(true)
  }
})

test('a directory that cannot be made is an error, and never a wait', async () => {
  await expect(nodeDisk.makeDirectory('/proc/none/at/all')).rejects.toMatchObject({
    code: 'ENOENT',
  })
  await writeFile(join(directory, 'file'), '')
  await expect(nodeDisk.makeDirectory(join(directory, 'file'))).rejects.toMatchObject({
    code: 'EEXIST',
  })
  await expect(nodeDisk.makeDirectory(join(directory, 'file', 'x'))).rejects.toMatchObject({
    code: 'ENOTDIR',
  })
})

test('a disk without sync writes all the same', async () => {
  const file = await withoutSync(nodeDisk).open(join(directory, 'cached'), 'create')
  await file.write([Buffer.from('text')], 0)
  await file.datasync()
  expect(await file.sizeBytes()).toBe(4)
  await file.close()
})

test('a disk without sync appends through the page cache, where no write waits', async () => {
  const path = join(directory, 'appended-cached')
  const file = await withoutSync(nodeDisk).open(path, 'append')
  await file.write([Buffer.from('text')], 0)
  expect((await stat(path)).size).toBe(4)
  await file.close()
})

test('what is appended in writes of any size is what is read, with zeros behind it', async () => {
  const path = join(directory, 'appended')
  const file = await nodeDisk.open(path, 'append')
  await expect(nodeDisk.open(path, 'append')).rejects.toMatchObject({ code: 'EEXIST' })
  const expected: Uint8Array[] = []
  let position = 0
  for (const sizes of [[64], [1, 0, 4_031], [1], [4_095], [3_000_000, 7], [], [1_048_576], [9]]) {
    const parts = sizes.map((size, i) => new Uint8Array(size).fill(size + i + 1))
    await file.write(parts, position)
    expected.push(...parts)
    position += parts.reduce((sum, { length }) => sum + length, 0)
    const written = await readFile(path)
    expect(written.subarray(0, position).equals(Buffer.concat(expected))).toBe(true)
    expect(written.subarray(position).every((byte) => byte === 0)).toBe(true)
    // Whole blocks are what goes past the page cache.
    expect(written.length).toBe(Math.ceil(position / 4096) * 4096)
  }
  await file.datasync()
  await file.close()
  expect((await stat(path)).size).toBe(position)
})

test('a write that leaves a gap, or goes back, is a mistake', async () => {
  const file = await nodeDisk.open(join(directory, 'gap'), 'append')
  await file.write([Uint8Array.of(1)], 0)
  await expect(file.write([Uint8Array.of(2)], 2)).rejects.toThrow('begins at the end')
  await expect(file.write([Uint8Array.of(2)], 0)).rejects.toThrow('begins at the end')
  await file.close()
})

test('appending goes on where it was when a write has found no room', async () => {
  const { path, unmount } = await mountFileSystem('tmpfs', 'size=4m')
  try {
    const filler = join(path, 'filler')
    await writeFile(filler, new Uint8Array(2_000_000))
    const file = await nodeDisk.open(join(path, 'appended'), 'append')
    const parts = [new Uint8Array(1_000).fill(1), new Uint8Array(2_500_000).fill(2)]
    await file.write([parts[0]!], 0)
    await expect(file.write([parts[1]!], 1_000)).rejects.toMatchObject({ code: 'ENOSPC' })
    await rm(filler)
    await file.write([parts[1]!], 1_000)
    await file.close()
    const written = await readFile(join(path, 'appended'))
    // A file that has failed once is not cut.
    expect(written.length).toBeGreaterThan(2_501_000)
    expect(written.subarray(0, 2_501_000).equals(Buffer.concat(parts))).toBe(true)
  } finally {
    await unmount()
  }
})

test('where nothing goes past the page cache, what is appended goes through it', async () => {
  const { path, unmount } = await mountFileSystem('ramfs', 'mode=700')
  try {
    const O_DIRECT = constants.O_DIRECT | constants.O_RDWR | constants.O_CREAT
    await expect(open(join(path, 'direct'), O_DIRECT)).rejects.toMatchObject({ code: 'EINVAL' })
    const file = await nodeDisk.open(join(path, 'appended'), 'append')
    await file.write([Uint8Array.of(1, 2)], 0)
    await file.write([Uint8Array.of(3)], 2)
    await file.datasync()
    await file.close()
    expect([...(await readFile(join(path, 'appended')))]).toEqual([1, 2, 3])
  } finally {
    await unmount()
  }
})
