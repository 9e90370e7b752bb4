import { expect, test } from 'vitest'
import { replaceFile } from '../../src/base/replace-file.ts'
import { MemoryDisk } from '../support/memory-disk.ts'

const OLD = Uint8Array.of(1)
const NEW = new Uint8Array(100)

test('a file that cannot be replaced stays as it was, and takes no more room', async () => {
  for (const trouble of ['open', 'write', 'datasync', 'rename', 'room'] as const) {
    const disk = new MemoryDisk()
    disk.plant('/a', OLD)
    disk.freeBytes = 99
    if (trouble !== 'room') {
      disk.freeBytes = 1_000
      disk.fail(trouble, 'EIO')
    }
    const { freeBytes } = disk
    const replaced = replaceFile(disk.session(), '/a', (file) => file.write([NEW], 0))
    await expect(replaced).rejects.toThrow(trouble === 'room' ? 'ENOSPC' : 'EIO')
    expect([...disk.files()]).toEqual([['/a', OLD]])
    expect(disk.freeBytes).toBeGreaterThanOrEqual(freeBytes)
    expect(disk.openFileCount).toBe(0)
  }
})
