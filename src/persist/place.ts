import { type Disk, diskWith } from '../base/disk.ts'
import type { Segment } from './segment.ts'
import { readStoreId } from './store.ts'

/**
 * Whether `directory` still is the one that holds this store: it may have been renamed, removed,
 * or covered by another file system. Rejects when the disk does not say.
 */
export async function holdsStore(disk: Disk, directory: string, storeId: string): Promise<boolean> {
  try {
    return (await readStoreId(disk, directory)) === storeId
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

/** Whether what is committed of a segment is in the file of its name. */
export async function isUnderItsName(disk: Disk, segment: Segment): Promise<boolean> {
  const { readableBytes } = segment
  try {
    const file = await disk.open(segment.path, 'read')
    try {
      return (await file.sizeBytes()) >= readableBytes
    } finally {
      await file.close()
    }
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

/**
 * The disk for those who read a log. That a segment is missing says that it is lost; but not
 * while the whole directory is missing, which may come back: then opening fails otherwise.
 */
export function inPlace(disk: Disk, directory: string, storeId: string): Disk {
  return diskWith(disk, {
    open: async (path, mode) => {
      try {
        return await disk.open(path, mode)
      } catch (error) {
        if (!isMissing(error) || (await holdsStore(disk, directory, storeId))) throw error
        throw new Error(`${directory} does not hold its log any more: put it back`, {
          cause: error,
        })
      }
    },
  })
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
