import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { type Child, freePort, startChild } from './child.ts'
import { INTAKE_THREADS } from './gateway.ts'

/** What a configuration has to keep when it is reloaded. */
export const SLUICE_YAML = `listen: { otlp_http: off, otlp_grpc: off }
limits: { intake_threads: ${INTAKE_THREADS} }
`

/** A gateway as a process of its own, which can be killed and started again over its data. */
export type SluiceProcess = {
  /** Of the write endpoint. */
  url: string
  /** Of the admin port. */
  admin: string
  child: Child
  /** What it is started by, for whoever starts it in a way of his own. */
  command: readonly string[]
  /** Over the same data and on the same ports. */
  startAgain(): Promise<void>
}

/** Waits until everything has arrived, and nothing is missing in the books of the gateway. */
export async function expectBalanced({ admin }: SluiceProcess): Promise<void> {
  const balance = async () => JSON.parse(await (await fetch(`${admin}/api/v1/balance`)).text())
  const nothing = { waiting: 0, damaged: 0, quarantined: 0, difference: 0 }
  await expect.poll(balance, { timeout: 10_000 }).toMatchObject({
    difference: 0,
    destinations: [nothing],
  })
  for (const cluster of (await balance()).destinations[0].clusters) {
    expect(cluster).toMatchObject(nothing)
  }
}

export async function startSluice(
  directory: string,
  destination: string,
  flags: string[] = [],
  yaml = SLUICE_YAML,
): Promise<SluiceProcess> {
  const [write, admin] = [await freePort(), await freePort()]
  const config = join(directory, 'sluice.yaml')
  await mkdir(directory, { recursive: true })
  await writeFile(config, yaml)
  const command = [
    ...[process.execPath, 'src/sluice.js', 'serve', '--data', directory, '--config', config],
    ...['--remote-write', destination],
    ...['--listen', `127.0.0.1:${write}`, '--admin', `127.0.0.1:${admin}`],
    ...flags,
  ]
  const start = async (): Promise<Child> => {
    const [node, ...args] = command
    const child = startChild(node!, args)
    await child.ready(`http://127.0.0.1:${admin}/-/ready`)
    return child
  }
  const sluice: SluiceProcess = {
    url: `http://127.0.0.1:${write}/api/v1/write`,
    admin: `http://127.0.0.1:${admin}`,
    child: await start(),
    command,
    startAgain: async () => {
      sluice.child = await start()
    },
  }
  return sluice
}
