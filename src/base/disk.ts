import { constants } from 'node:fs'
import {
  access,
  type FileHandle,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
  statfs,
} from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { type DirectFile, directWriter, takesDirectWrites } from './direct-writer.ts'

/** One open file. Positions are bytes from its start; nothing here is buffered. */
export type DiskFile = {
  /** Writes all of `parts` one after the other at `position`, or throws. */
  write(parts: readonly Uint8Array[], position: number): Promise<void>
  /** Fills `into` from `position`; fewer bytes than its length mean the end of the file. */
  read(into: Uint8Array, position: number): Promise<number>
  /** Resolves when all that was written survives a power cut. Never call again after it threw. */
  datasync(): Promise<void>
  truncate(lengthBytes: number): Promise<void>
  sizeBytes(): Promise<number>
  close(): Promise<void>
}

/**
 * `create` fails when the file exists; `update` creates it when it does not; `read` needs it.
 *
 * `append` is `create` for a file in which each write begins where the one before ended, the first
 * at 0. It is not read or cut. Until it is closed zeros may follow what was written last, and after
 * a failure for ever.
 */
export type OpenMode = 'create' | 'append' | 'update' | 'read'

/** The few things the log asks of a file system, so that a test can bring one that lies. */
export type Disk = {
  open(path: string, mode: OpenMode): Promise<DiskFile>
  /** Names of the entries, unsorted. */
  list(directory: string): Promise<string[]>
  /** Makes a directory and those above it that are missing; none of it is an error when there. */
  makeDirectory(path: string): Promise<void>
  /** Makes created, renamed and removed names of `directory` survive a power cut. */
  syncDirectory(directory: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  remove(path: string): Promise<void>
  /** Of the file system that holds `path`; it is not cached, so it may be asked now and then. */
  space(path: string): Promise<Space>
}

/** `freeBytes` is what an ordinary user may still take. */
export type Space = { totalBytes: number; freeBytes: number }

const FLAGS = {
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
  update: constants.O_RDWR | constants.O_CREAT,
  read: constants.O_RDONLY,
}

/** Readable and writable by the owner alone: the log holds other people's labels. */
const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700

/**
 * One by one from below: the runtime's own way never ends where a file system says that the
 * directory above is missing although it is there, as `/proc` does.
 */
async function makeDirectory(path: string, isLastTry = false): Promise<void> {
  try {
    await mkdir(path, { mode: DIRECTORY_MODE })
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return
    const above = dirname(resolve(path))
    if (code !== 'ENOENT' || above === path || isLastTry) throw error
    // It may be there by now, made by another.
    if (!(await isThere(above))) await makeDirectory(above)
    await makeDirectory(path, true)
  }
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

export const nodeDisk: Disk = {
  open: async (path, mode) =>
    mode === 'append' ? openToAppend(path) : diskFile(await open(path, FLAGS[mode], FILE_MODE)),
  list: (directory) => readdir(directory),
  makeDirectory: (path) => makeDirectory(path),
  syncDirectory: async (directory) => {
    const handle = await open(directory, constants.O_RDONLY)
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  },
  rename: (from, to) => rename(from, to),
  remove: (path) => rm(path, { force: true }),
  space: async (path) => {
    const { blocks, bavail, bsize } = await statfs(path)
    return { totalBytes: blocks * bsize, freeBytes: bavail * bsize }
  },
}

/** Writes go past the page cache. 0 where the system has no such thing. */
const PAST_CACHE: number = constants.O_DIRECT ?? 0

/** Past the page cache where the file system allows it. */
async function openToAppend(path: string): Promise<DiskFile> {
  const handle = await open(path, FLAGS.create | PAST_CACHE, FILE_MODE).catch((error) => {
    if (error.code !== 'EINVAL') throw error
    return null
  })
  if (handle !== null && PAST_CACHE !== 0 && (await takesDirectWrites(handle))) {
    return appendedFile(diskFile(handle), handle)
  }
  await handle?.close()
  // It has been made, even where the file system said no.
  return diskFile(await open(path, FLAGS.update, FILE_MODE))
}

/** `file` for `append`, and the same past the page cache. */
export function appendedFile(file: DiskFile, direct: DirectFile): DiskFile {
  const writer = directWriter(direct)
  let hasFailed = false
  const orFail = (work: Promise<void>): Promise<void> =>
    work.catch((error: unknown) => {
      hasFailed = true
      throw error
    })
  return {
    ...file,
    write: (parts, position) => orFail(writer.write(parts, position)),
    datasync: () => orFail(file.datasync()),
    close: async () => {
      // For tidiness alone: who reads knows where it ends.
      if (!hasFailed) await file.truncate(writer.endBytes).catch(() => undefined)
      await file.close()
    },
  }
}

function diskFile(handle: FileHandle): DiskFile {
  return {
    write: (parts, position) => writeAll(handle, parts, position),
    read: async (into, position) => {
      let filled = 0
      while (filled < into.length) {
        const left = into.length - filled
        const { bytesRead } = await handle.read(into, filled, left, position + filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
      return filled
    },
    datasync: () => handle.datasync(),
    truncate: (lengthBytes) => handle.truncate(lengthBytes),
    sizeBytes: async () => (await handle.stat()).size,
    close: () => handle.close(),
  }
}

/** Linux takes at most this many buffers in one call (IOV_MAX). */
const BUFFERS_PER_CALL_MAX = 1024

async function writeAll(
  handle: FileHandle,
  parts: readonly Uint8Array[],
  position: number,
): Promise<void> {
  let at = position
  let queue = parts.slice()
  while (queue.length > 0) {
    const { bytesWritten } = await handle.writev(queue.slice(0, BUFFERS_PER_CALL_MAX), at)
    // A disk that is nearly full may take a part; the next call then says ENOSPC.
    at += bytesWritten
    queue = withoutFirst(queue, bytesWritten)
  }
}

function withoutFirst(parts: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let left = bytes
  let i = 0
  while (i < parts.length && parts[i]!.length <= left) left -= parts[i++]!.length
  const rest = parts.slice(i)
  if (left > 0) rest[0] = rest[0]!.subarray(left)
  return rest
}

/** `disk`, some of it done otherwise. */
export function diskWith(disk: Disk, changes: Partial<Disk>): Disk {
  return {
    open: (path, mode) => disk.open(path, mode),
    list: (directory) => disk.list(directory),
    makeDirectory: (path) => disk.makeDirectory(path),
    syncDirectory: (directory) => disk.syncDirectory(directory),
    rename: (from, to) => disk.rename(from, to),
    remove: (path) => disk.remove(path),
    space: (path) => disk.space(path),
    ...changes,
  }
}

/** Acknowledges from the page cache: survives `kill -9`, not a power cut. */
export function withoutSync(disk: Disk): Disk {
  return diskWith(disk, {
    open: async (path, mode) => {
      // Past the cache the write itself would wait for the disk.
      const file = await disk.open(path, mode === 'append' ? 'create' : mode)
      return { ...file, datasync: async () => {} }
    },
  })
}
