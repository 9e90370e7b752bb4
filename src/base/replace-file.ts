import { dirname } from 'node:path'
import type { Disk, DiskFile } from './disk.ts'

/**
 * Puts a new file under `path`. It is filled and synced beside the old one and then renamed, so
 * that at any moment there is one of them, and whole. Never writes to a file that has failed, and
 * leaves none behind: on a full disk it may have taken the last room.
 *
 * Resolves when the new file survives a power cut. Rejects with what the disk says; then either
 * of them may be there.
 */
export async function replaceFile(
  disk: Disk,
  path: string,
  fill: (file: DiskFile) => Promise<void>,
): Promise<void> {
  const beside = `${path}.new`
  await disk.remove(beside)
  try {
    await writeFile(disk, beside, fill)
    await disk.rename(beside, path)
  } catch (error) {
    await disk.remove(beside).catch(() => undefined)
    throw error
  }
  await disk.syncDirectory(dirname(path))
}

async function writeFile(
  disk: Disk,
  path: string,
  fill: (file: DiskFile) => Promise<void>,
): Promise<void> {
  const file = await disk.open(path, 'create')
  try {
    await fill(file)
    await file.datasync()
  } finally {
    await file.close()
  }
}
