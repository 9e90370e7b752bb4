import { writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'
import type { Measurement } from './table.ts'
import { type TargetName, versionOf } from './target.ts'

/** Writes what was measured, with everything one needs to judge it. */
export async function writeResults(
  path: string,
  measurements: readonly Measurement[],
  options: Record<string, unknown>,
): Promise<void> {
  const versions: Partial<Record<TargetName | 'node', string>> = { node: process.version }
  for (const name of new Set(measurements.map(({ target }) => target))) {
    versions[name] = await versionOf(name)
  }
  const machine = {
    cpu: cpus()[0]!.model,
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    loadAverage: loadavg(),
  }
  const date = new Date().toISOString()
  const results = { date, machine, versions, options, measurements }
  await writeFile(path, `${JSON.stringify(results, null, 2)}\n`)
}
