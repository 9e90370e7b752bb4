import type { DirectFile } from '../../src/base/direct-writer.ts'
import type { DiskFile } from '../../src/base/disk.ts'

/** What a write past the page cache asks of a file. */
export function inPieces(file: DiskFile): DirectFile {
  return {
    write: async (bytes, offset, length, position) => {
      await file.write([bytes.subarray(offset, offset + length)], position)
      return { bytesWritten: length }
    },
  }
}
