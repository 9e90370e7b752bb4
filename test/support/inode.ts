/** Something done to a file that no sync has covered; in limbo, none ever will. */
export type Change =
  | { kind: 'write'; bytes: Uint8Array; position: number; isLimbo: boolean }
  | { kind: 'truncate'; lengthBytes: number; isLimbo: boolean }

/** A file as it is seen, as the next power cut leaves it at least, and what lies between. */
export type Inode = { seen: Uint8Array; synced: Uint8Array; unsynced: Change[]; hasFailed: boolean }

const SECTOR_BYTES = 512

export function newInode(): Inode {
  return { seen: new Uint8Array(), synced: new Uint8Array(), unsynced: [], hasFailed: false }
}

export function put(inode: Inode, bytes: Uint8Array, position: number): void {
  const change = { kind: 'write', bytes: bytes.slice(), position, isLimbo: false } as const
  inode.unsynced.push({ ...change })
  inode.seen = changed(inode.seen, change)
}

export function changed(bytes: Uint8Array, change: Change): Uint8Array {
  if (change.kind === 'truncate') {
    const cut = new Uint8Array(change.lengthBytes)
    cut.set(bytes.subarray(0, change.lengthBytes))
    return cut
  }
  const length = Math.max(bytes.length, change.position + change.bytes.length)
  const result = new Uint8Array(length)
  result.set(bytes)
  result.set(change.bytes, change.position)
  return result
}

/** What a power cut leaves of a file: `random` in [0, 1) decides. */
export function survivor(inode: Inode, random: () => number): Uint8Array {
  let bytes = inode.synced
  for (const change of inode.unsynced) {
    if (change.kind === 'truncate') {
      if (random() < 0.5) bytes = changed(bytes, change)
      continue
    }
    // The length may have reached the disk without the bytes: then there are zeros.
    if (random() < 0.3) {
      const length = Math.max(bytes.length, change.position + change.bytes.length)
      bytes = changed(bytes, { kind: 'truncate', lengthBytes: length, isLimbo: false })
    }
    const isWhole = random() < 0.2
    for (let at = 0; at < change.bytes.length; at += SECTOR_BYTES) {
      if (!isWhole && random() < 0.5) continue
      const isTorn = !isWhole && random() < 0.2
      const sector = change.bytes.subarray(at, at + SECTOR_BYTES)
      const kept = sector.subarray(0, isTorn ? Math.floor(random() * sector.length) : undefined)
      bytes = changed(bytes, { ...change, bytes: kept, position: change.position + at })
    }
  }
  return bytes
}
