import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { freePort } from '../support/child.ts'
import { expectBalanced, SLUICE_YAML, type SluiceProcess, startSluice } from '../support/sluice.ts'
import { mountTmpfs, type Tmpfs } from '../support/tmpfs.ts'
import { type Answered, Load } from './load.ts'
import { type Sink, startSink } from './sink.ts'

export type Faulty = {
  sluice: SluiceProcess
  pid: number
  /** `storage.path`. */
  data: string
  startSink(refuses?: Sink['refuses']): Promise<Sink>
  /** A sender; it is stopped at the end. */
  sender(paddingBytes: number): Load
}

export type FaultyOptions = {
  /** Lines of configuration. */
  yaml?: string
  /** Where the data directory is made; a directory of its own when absent. */
  on?: Tmpfs
  /** Called with the data directory, before the process starts. */
  prepare?: (data: string) => Promise<void>
}

/** Runs `body` with a gateway as a process of its own, whose destination is down at first. */
export async function withProcess(
  options: FaultyOptions,
  body: (faulty: Faulty) => Promise<void>,
): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), 'sluice-faults-'))
  const data = join(options.on?.path ?? base, 'data')
  const config = join(base, 'own.yaml')
  await writeFile(config, `${SLUICE_YAML}${options.yaml ?? ''}`)
  await mkdir(data, { recursive: true })
  await options.prepare?.(data)
  const port = await freePort()
  const url = `http://127.0.0.1:${port}/api/v1/write`
  const sinks: Sink[] = []
  const senders: Load[] = []
  const flags = ['--config', config, '--data', data]
  const sluice = await startSluice(base, url, flags)
  try {
    await body({
      sluice,
      get pid() {
        return sluice.child.process.pid!
      },
      data,
      startSink: async (refuses) => {
        const sink = await startSink(port)
        sink.refuses = refuses
        sinks.push(sink)
        return sink
      },
      sender: (paddingBytes) => {
        const sender = new Load(`sender-${senders.length}`, paddingBytes)
        senders.push(sender)
        return sender
      },
    })
  } finally {
    for (const sender of senders) sender.isStopping = true
    await sluice.child.kill()
    for (const sink of sinks) await sink.close()
    await rm(base, { recursive: true, force: true })
  }
}

/** Runs `body` with a file system of its own, mounted with `options`. */
export async function withTmpfs(
  options: string,
  body: (tmpfs: Tmpfs) => Promise<void>,
): Promise<void> {
  const tmpfs = await mountTmpfs(options)
  try {
    await body(tmpfs)
  } finally {
    await tmpfs.unmount()
  }
}

export const readyOf = async ({ admin }: SluiceProcess): Promise<string> =>
  (await fetch(`${admin}/-/ready`)).text()

/** What is on page `path` of the admin port. */
export async function jsonOf({ admin }: SluiceProcess, path: string) {
  return JSON.parse(await (await fetch(admin + path)).text())
}

/** Waits until `/-/ready` says so. */
export async function expectReady(sluice: SluiceProcess, said: RegExp, timeout = 15_000) {
  await expect.poll(() => readyOf(sluice), { timeout, interval: 100 }).toMatch(said)
}

export const READY = /^sluice is ready/

/** The answer that makes every sender come back, and not all of them at once. */
export function expectOverload({ status, retryAfter, text }: Answered, reason: RegExp): void {
  expect({ status, text }).toEqual({ status: 503, text: expect.stringMatching(reason) })
  expect(retryAfter).toBeGreaterThanOrEqual(3)
  expect(retryAfter).toBeLessThanOrEqual(9)
}

/** So many pushes, one after the other. */
export async function expectTaken(one: Load, { url }: SluiceProcess, times: number) {
  for (let n = 0; n < times; n++) expect(await one.push(url)).toMatchObject({ status: 204 })
}

/** What is on disk is such that the next process starts over it and misses nothing. */
export async function expectGoesOnAfterKill(sluice: SluiceProcess, one: Load, sink: Sink) {
  await sluice.child.kill()
  await sluice.startAgain()
  await expectTaken(one, sluice, 5)
  await one.expectAll(sink)
  await expectBalanced(sluice)
}
