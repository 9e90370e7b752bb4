import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startChild } from './child.ts'
import { peer } from './peers.ts'

/**
 * Runs `body` while `strace` is attached to all threads of a process, and returns the lines that
 * it wrote. Fails when the system does not permit that.
 *
 * @param args which system calls, and what becomes of them: `['-e', 'inject=…', '-P', path]`
 */
export async function whileTraced(
  pid: number,
  args: readonly string[],
  body: () => Promise<void>,
): Promise<string[]> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-strace-'))
  const output = join(directory, 'output')
  const attached = ['-f', '-y', '-o', output, '-p', String(pid), ...args]
  const strace = startChild(await peer('strace'), attached)
  try {
    await strace.says('attached')
    await body()
    await strace.stop()
    return (await readFile(output, 'utf8')).split('\n')
  } finally {
    await strace.kill()
    await rm(directory, { recursive: true, force: true })
  }
}
