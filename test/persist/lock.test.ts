import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { acquireLock } from '../../src/persist/lock.ts'

test('F46: a directory has one lock, and whoever comes second hears who has it', async () => {
  await inDirectory(async (directory) => {
    const lock = await acquireLock(directory, systemClock)
    const message = expect.stringContaining(`process ${process.pid}`)
    const refusal = { code: 'LOG_LOCKED', message }
    await expect(acquireLock(directory, systemClock)).rejects.toMatchObject(refusal)
    // The refused one has left nothing behind, and the first still has it.
    expect(await readdir(directory)).toEqual(['lock.1'])
    await expect(acquireLock(directory, systemClock)).rejects.toMatchObject(refusal)
    await lock.release()
    const next = await acquireLock(directory, systemClock)
    await next.release()
    expect(await readdir(directory)).toEqual([])
  })
})

test('F46: of many who start at once exactly one wins', async () => {
  await inDirectory(async (directory) => {
    for (let round = 0; round < 5; round++) {
      const attempts = Array.from({ length: 8 }, () => acquireLock(directory, systemClock))
      const settled = await Promise.allSettled(attempts)
      const winners = settled.filter(({ status }) => status === 'fulfilled')
      expect(winners.length).toBe(1)
      await (winners[0] as PromiseFulfilledResult<{ release(): Promise<void> }>).value.release()
    }
  })
})

test('F46: the lock of a process that was killed is taken over', async () => {
  await inDirectory(async (directory) => {
    const source = `
      import { acquireLock } from ${JSON.stringify(join(process.cwd(), 'src/persist/lock.ts'))}
      import { systemClock } from ${JSON.stringify(join(process.cwd(), 'src/base/clock.ts'))}
      await acquireLock(${JSON.stringify(directory)}, systemClock)
      console.log('locked')
      setInterval(() => undefined, 1000)
    `
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', source], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      await once(child.stdout, 'data')
      const message = expect.stringContaining(`process ${child.pid}`)
      const attempt = acquireLock(directory, systemClock)
      await expect(attempt).rejects.toMatchObject({ code: 'LOG_LOCKED', message })
    } finally {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    const lock = await acquireLock(directory, systemClock)
    expect(await readdir(directory)).toEqual(['lock.2'])
    await lock.release()
  })
})

test('F46: a lock from before a reboot, of a reused process number or torn is stale', async () => {
  await inDirectory(async (directory) => {
    const first = await acquireLock(directory, systemClock)
    const owner = JSON.parse(await readFile(join(directory, 'lock.1'), 'utf8'))
    await first.release()
    const stale = [
      JSON.stringify({ ...owner, bootId: 'an earlier boot' }),
      JSON.stringify({ ...owner, startTime: '1' }),
      JSON.stringify(owner).slice(0, 20),
      '',
    ]
    for (const text of stale) {
      await writeFile(join(directory, 'lock.1'), text)
      const lock = await acquireLock(directory, systemClock)
      expect(await readdir(directory)).toEqual(['lock.2'])
      await lock.release()
    }
  })
})

test('F46: a process that has ended is gone, though nobody has asked how', async () => {
  // As in a container whose first process does not look after the others.
  // The child waits until its parent is no shell any more: some shells ask at once.
  const child = 'until grep -q sleep /proc/$PPID/comm; do sleep 0.01; done'
  const script = `sh -c '${child}' & echo $!; exec sleep 30`
  const parent = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'] })
  try {
    const [line] = await once(parent.stdout, 'data')
    const pid = Number(String(line))
    const fieldsOf = async () => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
      return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    }
    await expect.poll(async () => (await fieldsOf())[0]).toBe('Z')
    await inDirectory(async (directory) => {
      const first = await acquireLock(directory, systemClock)
      const { bootId } = JSON.parse(await readFile(join(directory, 'lock.1'), 'utf8'))
      await first.release()
      const owner = { pid, bootId, startTime: (await fieldsOf())[19] }
      await writeFile(join(directory, 'lock.1'), JSON.stringify(owner))
      await (await acquireLock(directory, systemClock)).release()
    })
  } finally {
    parent.kill('SIGKILL')
  }
})

async function inDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-lock-'))
  try {
    await run(directory)
  } finally {
    await rm(directory, { recursive: true })
  }
}
