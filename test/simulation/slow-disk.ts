import type { Disk, DiskFile } from '../../src/base/disk.ts'

/**
 * A disk on which every call takes a while before it does something and before it says so, so
 * that a process can die on either side of it.
 */
export function slowDisk(disk: Disk, pause: (what: string) => Promise<void>): Disk {
  const slow = async <T>(what: string, call: () => Promise<T>): Promise<T> => {
    await pause(what)
    const result = await call()
    await pause(what)
    return result
  }
  const fileOf = (file: DiskFile): DiskFile => ({
    write: (parts, position) => slow('write', () => file.write(parts, position)),
    read: (into, position) => slow('read', () => file.read(into, position)),
    datasync: () => slow('datasync', () => file.datasync()),
    truncate: (lengthBytes) => slow('truncate', () => file.truncate(lengthBytes)),
    sizeBytes: () => file.sizeBytes(),
    close: () => file.close(),
  })
  return {
    open: async (path, mode) => fileOf(await slow('open', () => disk.open(path, mode))),
    list: (directory) => slow('list', () => disk.list(directory)),
    makeDirectory: (path) => disk.makeDirectory(path),
    syncDirectory: (directory) => slow('datasync', () => disk.syncDirectory(directory)),
    rename: (from, to) => slow('rename', () => disk.rename(from, to)),
    remove: (path) => slow('remove', () => disk.remove(path)),
    space: (path) => disk.space(path),
  }
}
