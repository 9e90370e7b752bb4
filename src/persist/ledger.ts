import { dirname } from 'node:path'
import type { Disk, DiskFile } from '../base/disk.ts'
import { replaceFile } from '../base/replace-file.ts'

/** Samples that were acknowledged and will not arrive, and who is to be asked why. */
export type Loss = {
  /** ISO date. */
  at: string
  destination: string
  /**
   * - `evicted`: they made room, because `storage.on_full` says so
   * - `damaged`: their blocks are not in the log any more
   * - `discarded`: taken out of quarantine, by a person or for want of room
   * - `parked`: the destination is not configured any more, and did not come back in time
   */
  kind: 'evicted' | 'damaged' | 'discarded' | 'parked'
  samples: number
  /** Numbers of blocks; the samples are in these, though not all that is in these is lost. */
  fromBlock: number
  toBlock: number
  reason: string
}

/** Then it becomes `….old`, in place of the one before. */
const FILE_BYTES_MAX = 8 * 1024 * 1024
/** What a person is shown: some thousand lines. */
const SHOWN_BYTES = 256 * 1024
const NEWLINE = 0x0a

/**
 * A file of lines for people, in JSON: each loss that was allowed or could not be helped.
 *
 * A class, because one line is written after the other. The file is opened for each: losses are
 * rare.
 */
export class Ledger {
  readonly #disk: Disk
  readonly #path: string
  #appending: Promise<unknown> = Promise.resolve()
  /** Since the last line that was written. */
  #hasFailed = false

  constructor(disk: Disk, path: string) {
    this.#disk = disk
    this.#path = path
  }

  /** Resolves when the line survives a power cut. Rejects when the disk refuses it. */
  append(loss: Loss): Promise<void> {
    const appended = this.#appending.then(() => this.#append(`${JSON.stringify(loss)}\n`))
    this.#appending = appended.catch(() => undefined)
    return appended
  }

  /** The newest losses, the oldest of them first. */
  async newest(): Promise<Loss[]> {
    await this.#appending
    const file = await this.#disk.open(this.#path, 'update')
    try {
      const from = Math.max(0, (await file.sizeBytes()) - SHOWN_BYTES)
      const bytes = new Uint8Array(SHOWN_BYTES)
      const text = new TextDecoder().decode(bytes.subarray(0, await file.read(bytes, from)))
      return text.split('\n').flatMap(lossOf)
    } finally {
      await file.close()
    }
  }

  async #append(line: string): Promise<void> {
    if (this.#hasFailed) await this.#copy()
    this.#hasFailed = true
    const endBytes = await this.#write(line)
    if (endBytes > FILE_BYTES_MAX) await this.#disk.rename(this.#path, `${this.#path}.old`)
    await this.#disk.syncDirectory(dirname(this.#path))
    this.#hasFailed = false
  }

  /** Returns the size of the file after it. */
  async #write(line: string): Promise<number> {
    const file = await this.#disk.open(this.#path, 'update')
    try {
      const endBytes = await file.sizeBytes()
      // A crash may have left half a line: the next one begins on its own.
      const start = (await endsLine(file, endBytes)) ? '' : '\n'
      const bytes = new TextEncoder().encode(start + line)
      await file.write([bytes], endBytes)
      await file.datasync()
      return endBytes + bytes.length
    } finally {
      await file.close()
    }
  }

  /** What was written to a file before it failed may be on no disk, and no sync will say so. */
  async #copy(): Promise<void> {
    const failed = await this.#disk.open(this.#path, 'update')
    try {
      const bytes = new Uint8Array(await failed.sizeBytes())
      await failed.read(bytes, 0)
      await replaceFile(this.#disk, this.#path, (file) => file.write([bytes], 0))
    } finally {
      await failed.close()
    }
  }
}

async function endsLine(file: DiskFile, endBytes: number): Promise<boolean> {
  if (endBytes === 0) return true
  const last = new Uint8Array(1)
  await file.read(last, endBytes - 1)
  return last[0] === NEWLINE
}

/** Nothing of half a line. */
function lossOf(line: string): Loss[] {
  try {
    return [JSON.parse(line) as Loss]
  } catch {
    return []
  }
}
