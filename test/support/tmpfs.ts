import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A file system of its own, in memory. */
export type Tmpfs = {
  path: string
  unmount(): Promise<void>
}

/** Mounts one with `options`, such as `size=64m`. That needs to be root; never skips. */
export function mountTmpfs(options: string): Promise<Tmpfs> {
  return mountFileSystem('tmpfs', options)
}

export async function mountFileSystem(type: 'tmpfs' | 'ramfs', options: string): Promise<Tmpfs> {
  const path = await mkdtemp(join(tmpdir(), `sluice-${type}-`))
  await mount(['-t', type, '-o', options, type, path])
  return {
    path,
    unmount: async () => {
      // Lazily: what a process that is about to end has open must not be in the way.
      await run('umount', ['-l', path])
      await rm(path, { recursive: true, force: true })
    },
  }
}

async function mount(args: string[]): Promise<void> {
  try {
    await run('mount', args)
  } catch (cause) {
    const message = 'this test mounts a file system of its own, and that was not permitted'
    throw new Error(`${message}: run it as root, with the right to mount`, { cause })
  }
}
