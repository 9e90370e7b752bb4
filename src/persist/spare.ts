import { type Disk, diskWith } from '../base/disk.ts'
import { replaceFile } from '../base/replace-file.ts'

/** Of what the log may take; more than deliveries need to give back the first segment. */
const QUOTA_SHARE = 1 / 32
const BYTES_MAX = 64 * 1024 * 1024
const PIECE_BYTES = 1024 * 1024

export function spareBytesFor(quotaBytes: number): number {
  return Math.min(BYTES_MAX, Math.floor(quotaBytes * QUOTA_SHARE))
}

/**
 * A file that holds nothing but room, to be given up when the disk is full: what was accepted can
 * then still be delivered and told, and that gives back more room than the file had.
 *
 * A class, because it is there or not, and must not be made and given up at the same time.
 */
export class Spare {
  readonly bytes: number
  readonly #disk: Disk
  readonly #path: string
  #isThere: boolean
  #isGivenUp = false
  #filling: Promise<void> | null = null
  #givingUp: Promise<boolean> | null = null

  private constructor(disk: Disk, path: string, bytes: number, isThere: boolean) {
    this.#disk = disk
    this.#path = path
    this.bytes = bytes
    this.#isThere = isThere
  }

  /** Looks whether it is there from before; what cannot be looked at is not. */
  static async open(disk: Disk, path: string, bytes: number): Promise<Spare> {
    const file = await disk.open(path, 'read').catch(() => null)
    const foundBytes = (await file?.sizeBytes().catch(() => 0)) ?? 0
    await file?.close()
    return new Spare(disk, path, bytes, foundBytes >= bytes)
  }

  get isThere(): boolean {
    return this.#isThere
  }

  /** Takes the room, when it is not taken. Rejects when the disk does; then nothing is taken. */
  fill(): Promise<void> {
    if (this.#isThere) return Promise.resolve()
    this.#isGivenUp = false
    this.#filling ??= this.#fill().finally(() => {
      this.#filling = null
    })
    return this.#filling
  }

  /** Resolves when `fill` has ended, by itself or because of this. */
  async stopFilling(): Promise<void> {
    this.#isGivenUp = true
    await this.#filling?.catch(() => undefined)
  }

  /** Resolves with whether there was any room to give up. */
  giveUp(): Promise<boolean> {
    this.#givingUp ??= this.#giveUp().finally(() => {
      this.#givingUp = null
    })
    return this.#givingUp
  }

  /** Does `work`, once more when there was no room for it and some could be given up. */
  async insist<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (!isForWantOfRoom(error) || !(await this.giveUp())) throw error
      return work()
    }
  }

  async #fill(): Promise<void> {
    await replaceFile(this.#disk, this.#path, async (file) => {
      const piece = noise(PIECE_BYTES)
      for (let at = 0; at < this.bytes; at += PIECE_BYTES) {
        if (this.#isGivenUp) throw new Error('the room is needed')
        await file.write([piece.subarray(0, this.bytes - at)], at)
        // Each on its own, or the sync of a commit would have to wait for all of them.
        await file.datasync()
      }
    })
    this.#isThere = true
  }

  async #giveUp(): Promise<boolean> {
    const wasFilling = this.#filling !== null
    await this.stopFilling()
    const wasThere = this.#isThere
    if (wasThere) await this.#disk.remove(this.#path)
    this.#isThere = false
    return wasThere || wasFilling
  }
}

/** The disk for what must succeed although the disk is full: small, and gives room back. */
export function withSpare(disk: Disk, spare: Spare): Disk {
  return diskWith(disk, {
    open: async (path, mode) => {
      const file = await spare.insist(() => disk.open(path, mode))
      return {
        ...file,
        write: (parts, position) => spare.insist(() => file.write(parts, position)),
        // Not once more: after a failed sync the file is given up. The next one finds the room.
        datasync: () =>
          file.datasync().catch(async (error: unknown) => {
            if (isForWantOfRoom(error)) await spare.giveUp()
            throw error
          }),
      }
    },
    rename: (from, to) => spare.insist(() => disk.rename(from, to)),
  })
}

/** Bytes that no file system makes smaller. */
function noise(bytes: number): Uint8Array {
  const words = new Uint32Array(bytes / 4)
  let word = 1
  for (let i = 0; i < words.length; i++) {
    word ^= word << 13
    word ^= word >>> 17
    word ^= word << 5
    words[i] = word
  }
  return new Uint8Array(words.buffer)
}

function isForWantOfRoom(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = 'code' in error ? error.code : undefined
  return code === 'ENOSPC' || code === 'EDQUOT' || isForWantOfRoom(error.cause)
}
