import { dirname } from 'node:path'
import {
  appendedFile,
  type Disk,
  type DiskFile,
  type OpenMode,
  type Space,
} from '../../src/base/disk.ts'
import { inPieces } from './direct-file.ts'
import { changed, type Inode, newInode, put, survivor } from './inode.ts'

/**
 * A disk in memory that behaves as badly as a real one may. It keeps apart what is seen and
 * what was synced, so that `crash` can take away any part of the difference:
 *
 * - of an unsynced write any of its sectors, and a sector may be torn;
 * - any unsynced creation, renaming or removal of a name.
 *
 * After a sync that failed, what it was to make safe is still seen and never becomes safe,
 * whatever later syncs say: that is what Linux does.
 */
export class MemoryDisk implements Disk {
  /** Every use of a file after a write or sync of it has failed. Always to be empty. */
  readonly offences: string[] = []
  /** Times that a datasync was asked for. */
  syncCount = 0
  openFileCount = 0
  /** Bytes that may still be written before the disk is full. */
  freeBytes = Number.POSITIVE_INFINITY

  #seen = new Map<string, Inode>()
  #durable = new Map<string, Inode>()
  #unsyncedNames: NameChange[] = []
  #faults: Fault[] = []
  #boots = 0
  #gate: Promise<void> | undefined

  /** Makes the next calls of this kind fail; on any file, or on those whose path has `within`. */
  fail(kind: FaultKind, code: string, { times = 1, within = '' } = {}): void {
    this.#faults.push({ kind, code, timesLeft: times, within })
  }

  heal(): void {
    this.#faults = []
  }

  /** Holds every datasync until the returned function is called. */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#gate = promise
    return () => {
      this.#gate = undefined
      resolve()
    }
  }

  /** Power cut: `random` in [0, 1) decides what of the unsynced survives. Open files die. */
  crash(random: () => number): void {
    for (const change of this.#unsyncedNames) if (random() < 0.5) apply(this.#durable, change)
    this.#unsyncedNames = []
    for (const inode of new Set([...this.#durable.values(), ...this.#seen.values()])) {
      inode.seen = survivor(inode, random)
      inode.synced = inode.seen
      inode.unsynced = []
      inode.hasFailed = false
    }
    this.#seen = new Map(this.#durable)
    this.#boots += 1
    this.#faults = []
    this.#gate = undefined
  }

  /** The process ends and the machine goes on: what is seen stays seen, and no more is durable. */
  kill(): void {
    for (const inode of this.#seen.values()) inode.hasFailed = false
    this.#boots += 1
    this.#faults = []
    this.#gate = undefined
  }

  /** The disk as one process has it: dead from the next crash or kill on. */
  session(): Disk {
    const boot = this.#boots
    const alive = (): Disk => {
      if (boot !== this.#boots) throw diskError('EBADF', 'a process that has ended')
      return this
    }
    return {
      open: async (path, mode) => alive().open(path, mode),
      list: async (directory) => alive().list(directory),
      makeDirectory: async (path) => alive().makeDirectory(path),
      syncDirectory: async (directory) => alive().syncDirectory(directory),
      rename: async (from, to) => alive().rename(from, to),
      remove: async (path) => alive().remove(path),
      space: async (path) => alive().space(path),
    }
  }

  /** What a reader sees of a file. */
  bytesOf(path: string): Uint8Array {
    return this.#inode(path).seen.slice()
  }

  /** All files, as a reader sees them. */
  files(): Map<string, Uint8Array> {
    return new Map(Array.from(this.#seen, ([path, { seen }]) => [path, seen.slice()]))
  }

  /** Changes a file behind everybody's back, as rot does; creates it when it is not there. */
  plant(path: string, bytes: Uint8Array): void {
    const inode = this.#seen.get(path) ?? newInode()
    // Not `slice`: that of a Buffer shares its memory.
    inode.seen = new Uint8Array(bytes)
    inode.synced = inode.seen
    inode.unsynced = []
    this.#seen.set(path, inode)
    this.#durable.set(path, inode)
  }

  /** As if it had never been. */
  lose(path: string): void {
    this.#seen.delete(path)
    this.#durable.delete(path)
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    await this.#enter('open', path)
    let inode = this.#seen.get(path)
    if ((mode === 'create' || mode === 'append') && inode) throw diskError('EEXIST', path)
    if (!inode) {
      if (mode === 'read') throw diskError('ENOENT', path)
      inode = newInode()
      this.#change({ directory: dirname(path), name: path, inode })
    }
    const file = this.#file(path, inode)
    return mode === 'append' ? appendedFile(file, inPieces(file)) : file
  }

  async list(directory: string): Promise<string[]> {
    await this.#enter('list', directory)
    const names = [...this.#seen.keys()].filter((path) => dirname(path) === directory)
    return names.map((path) => path.slice(directory.length + 1)).reverse()
  }

  async makeDirectory(): Promise<void> {}

  async syncDirectory(directory: string): Promise<void> {
    await this.#enter('syncDirectory', directory)
    const isHere = (change: NameChange) => change.directory === directory
    for (const change of this.#unsyncedNames.filter(isHere)) apply(this.#durable, change)
    this.#unsyncedNames = this.#unsyncedNames.filter((change) => !isHere(change))
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#enter('rename', from)
    const inode = this.#inode(from)
    this.#change({ directory: dirname(to), name: to, inode, from })
  }

  async remove(path: string): Promise<void> {
    await this.#enter('remove', path)
    const inode = this.#seen.get(path)
    if (inode === undefined) return
    this.freeBytes += inode.seen.length
    this.#change({ directory: dirname(path), name: path })
  }

  async space(path: string): Promise<Space> {
    await this.#enter('space', path)
    return { totalBytes: 1e12, freeBytes: Math.min(1e12, this.freeBytes) }
  }

  #file(path: string, inode: Inode): DiskFile {
    const boot = this.#boots
    this.openFileCount += 1
    let roomlessAt: number | undefined
    const enter = async (kind: FaultKind, position?: number) => {
      if (boot !== this.#boots) throw diskError('EBADF', path)
      // A write that found no room may be asked for again, and nothing else.
      if (kind === 'write' && position === roomlessAt) inode.hasFailed = false
      roomlessAt = undefined
      if (inode.hasFailed && kind !== 'read')
        this.offences.push(`${kind} of ${path} after a failure`)
      try {
        await this.#enter(kind, path)
      } catch (error) {
        const isFailure = (kind === 'write' || kind === 'datasync') && boot === this.#boots
        if (isFailure) inode.hasFailed = true
        throw error
      }
    }
    return {
      write: async (parts, position) => {
        const all = new Uint8Array(Buffer.concat(parts))
        const growth = Math.max(0, position + all.length - inode.seen.length)
        const fits = all.length - Math.max(0, growth - this.freeBytes)
        try {
          await enter('write', position)
        } catch (error) {
          // A failed write may have written a part, but not that of a process that has ended.
          if (boot === this.#boots) put(inode, all.subarray(0, all.length >> 1), position)
          throw error
        }
        put(inode, all.subarray(0, fits), position)
        this.freeBytes -= Math.min(growth, this.freeBytes)
        if (fits < all.length) {
          inode.hasFailed = true
          roomlessAt = position
          throw diskError('ENOSPC', path)
        }
      },
      read: async (into, position) => {
        await enter('read')
        const bytes = inode.seen.subarray(position, position + into.length)
        into.set(bytes)
        return bytes.length
      },
      datasync: async () => {
        this.syncCount += 1
        // What is written while the sync runs is not covered by it.
        const covered = inode.unsynced.slice()
        await this.#gate
        try {
          await enter('datasync')
        } catch (error) {
          if (boot === this.#boots) for (const change of covered) change.isLimbo = true
          throw error
        }
        for (const change of covered)
          if (!change.isLimbo) inode.synced = changed(inode.synced, change)
        inode.unsynced = inode.unsynced.filter(
          (change) => change.isLimbo || !covered.includes(change),
        )
      },
      truncate: async (lengthBytes) => {
        await enter('truncate')
        const change = { kind: 'truncate', lengthBytes, isLimbo: false } as const
        inode.unsynced.push({ ...change })
        inode.seen = changed(inode.seen, change)
      },
      sizeBytes: async () => inode.seen.length,
      close: async () => {
        this.openFileCount -= 1
      },
    }
  }

  #inode(path: string): Inode {
    const inode = this.#seen.get(path)
    if (!inode) throw diskError('ENOENT', path)
    return inode
  }

  #change(change: NameChange): void {
    apply(this.#seen, change)
    this.#unsyncedNames.push(change)
  }

  async #enter(kind: FaultKind, path: string): Promise<void> {
    const boot = this.#boots
    await undefined
    if (boot !== this.#boots) throw diskError('EBADF', path)
    const fault = this.#faults.find((one) => one.kind === kind && path.includes(one.within))
    if (!fault) return
    fault.timesLeft -= 1
    if (fault.timesLeft <= 0) this.#faults = this.#faults.filter((one) => one !== fault)
    throw diskError(fault.code, path)
  }
}

export type FaultKind =
  | 'open'
  | 'list'
  | 'read'
  | 'write'
  | 'datasync'
  | 'truncate'
  | 'syncDirectory'
  | 'rename'
  | 'remove'
  | 'space'

type Fault = { kind: FaultKind; code: string; timesLeft: number; within: string }

/** Without `inode` the name is removed; with `from` it is a renaming. */
type NameChange = { directory: string; name: string; inode?: Inode; from?: string }

function apply(names: Map<string, Inode>, { name, inode, from }: NameChange): void {
  if (from !== undefined) names.delete(from)
  if (inode) names.set(name, inode)
  else names.delete(name)
}

function diskError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code })
}
