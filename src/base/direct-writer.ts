import { assert } from './errors.ts'
import { copyBytes } from './memory.ts'

/** Memory, position and length of a direct write are multiples of it: no disk has larger blocks. */
const BLOCK_BYTES = 4096
/** What one call writes at most. */
const STAGE_BYTES = 1024 * 1024
const PAGE_BYTES = 65_536

// Of the language's own types it is part of those for browsers.
declare const WebAssembly: { Memory: new (size: { initial: number }) => { buffer: ArrayBuffer } }

/** What is being written stands here; only memory of this kind begins at a page. */
const idle: Uint8Array[] = []

function takeStage(): Uint8Array {
  const memory = () => new WebAssembly.Memory({ initial: STAGE_BYTES / PAGE_BYTES }).buffer
  return idle.pop() ?? new Uint8Array(memory())
}

/** A file that was opened with O_DIRECT. */
export type DirectFile = {
  write(
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ bytesWritten: number }>
}

export type DirectWriter = {
  /** Where the next write begins: what the file holds, without the zeros behind it. */
  readonly endBytes: number
  write(parts: readonly Uint8Array[], position: number): Promise<void>
}

/**
 * Appends to a new file.
 *
 * Through the page cache each page is first found, and then filled. In turns, 100 k series: Remote
 * Write 1.0 0.382, 0.371, 0.336 µs through the cache, 0.331, 0.347, 0.324 past it; 2.0 0.191,
 * 0.183, 0.174 and 0.164, 0.164, 0.161. And what is written pushes nothing else out of memory.
 *
 * Blocks are written as wholes: the last one with zeros behind its bytes, and once more by the
 * next write. A block's bytes are the same then, so nothing that was synced can be torn.
 *
 * What failed may be tried once more at the same position.
 */
export function directWriter(file: DirectFile): DirectWriter {
  let end = 0
  /** Bytes of the last block, as far as it is written. */
  const last = new Uint8Array(BLOCK_BYTES)

  async function write(parts: readonly Uint8Array[], position: number): Promise<void> {
    assert(position === end, 'what is appended begins at the end')
    const stage = takeStage()
    try {
      let filled = end % BLOCK_BYTES
      let at = end - filled
      stage.set(last)
      for (const part of parts) {
        for (let from = 0; from < part.length; ) {
          if (filled === STAGE_BYTES) {
            await writeAll(file, stage, filled, at)
            at += filled
            filled = 0
          }
          const to = Math.min(part.length, from + STAGE_BYTES - filled)
          copyBytes(part, from, to, stage, filled)
          filled += to - from
          from = to
        }
      }
      const whole = Math.ceil(filled / BLOCK_BYTES) * BLOCK_BYTES
      stage.fill(0, filled, whole)
      await writeAll(file, stage, whole, at)
      const kept = filled - (filled % BLOCK_BYTES)
      last.set(stage.subarray(kept, filled))
      end = at + filled
    } finally {
      idle.push(stage)
    }
  }

  return {
    write,
    get endBytes() {
      return end
    },
  }
}

/**
 * Whether the file system really does it: some say so when the file is opened, and no when it is
 * written. To be asked of a new file; it is then a block of zeros.
 */
export async function takesDirectWrites(file: DirectFile): Promise<boolean> {
  const stage = takeStage()
  try {
    stage.fill(0, 0, BLOCK_BYTES)
    await writeAll(file, stage, BLOCK_BYTES, 0)
    return true
  } catch {
    // Whatever it is, it will be said once more.
    return false
  } finally {
    idle.push(stage)
  }
}

/** Writes the first `bytes` of the stage, whole blocks, at `position`. */
async function writeAll(
  file: DirectFile,
  stage: Uint8Array,
  bytes: number,
  position: number,
): Promise<void> {
  for (let done = 0; done < bytes; ) {
    const { bytesWritten } = await file.write(stage, done, bytes - done, position + done)
    // A disk that is nearly full may take a part; the next call then says ENOSPC.
    const blocks = bytesWritten - (bytesWritten % BLOCK_BYTES)
    if (blocks === 0) throw new Error(`the disk took ${bytesWritten} of ${bytes - done} bytes`)
    done += blocks
  }
}
