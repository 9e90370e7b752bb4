import { join } from 'node:path'
import type { Disk } from '../base/disk.ts'
import type { Logger } from '../base/log.ts'
import type { DestinationConfig } from '../config/config.ts'
import { isDestinationName } from '../config/destination.ts'
import { Cursor } from '../persist/cursor.ts'

/**
 * One cursor per destination, by its name: those that are configured, and those of the past that
 * have one. A name that is new begins with the oldest record.
 */
export async function openCursors(
  disk: Disk,
  directory: string,
  configs: readonly DestinationConfig[],
  logger: Logger,
): Promise<Map<string, Cursor>> {
  const found = (await disk.list(directory)).filter(isDestinationName)
  return openCursorsOf(disk, directory, [...configs.map(({ name }) => name), ...found], logger)
}

/** The same of these names alone. */
export async function openCursorsOf(
  disk: Disk,
  directory: string,
  names: readonly string[],
  logger: Logger,
): Promise<Map<string, Cursor>> {
  const cursors = new Map<string, Cursor>()
  try {
    for (const name of new Set(names)) {
      const cursor = await Cursor.open(disk, join(directory, name))
      cursors.set(name, cursor)
      if (!cursor.isDamaged) continue
      const message = 'the cursor is damaged: everything in the log is sent again'
      logger.error(message, { destination: name })
    }
    return cursors
  } catch (error) {
    for (const cursor of cursors.values()) await cursor.close()
    throw error
  }
}
