import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { nodeDisk, withoutSync } from '../../src/base/disk.ts'

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
