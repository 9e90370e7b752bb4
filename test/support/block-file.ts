import type { DiskFile } from '../../src/base/disk.ts'

const BLOCK_BYTES = 4096

/** Writes whole blocks, as one that goes past the page cache has to. */
export function inBlocks(file: DiskFile): DiskFile {
  let end = 0
  let last = new Uint8Array(0)
  let hasFailed = false
  const orFail = async (work: Promise<void>): Promise<void> => {
    await work.catch((error: unknown) => {
      hasFailed = true
      throw error
    })
  }
  return {
    ...file,
    write: async (parts, position) => {
      if (position !== end) throw new Error(`${position} is not the end, which is ${end}`)
      const bytes = Buffer.concat([last, ...parts])
      const whole = Buffer.alloc(Math.ceil(bytes.length / BLOCK_BYTES) * BLOCK_BYTES)
      bytes.copy(whole)
      const start = end - last.length
      await orFail(file.write([whole], start))
      end = start + bytes.length
      last = new Uint8Array(bytes.subarray(bytes.length - (bytes.length % BLOCK_BYTES)))
    },
    datasync: () => orFail(file.datasync()),
    close: async () => {
      if (!hasFailed) await file.truncate(end)
      await file.close()
    },
  }
}
