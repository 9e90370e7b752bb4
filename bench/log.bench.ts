import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nodeDisk, withoutSync } from '../src/base/disk.ts'
import { Log } from '../src/persist/log.ts'
import { bench, type Case } from './harness.ts'

/** Of a push of 2,000 samples, compressed. */
const PAYLOAD = [Buffer.alloc(24 * 1024, 0x5a)]
const WAITING = 50
const caches = fileURLToPath(new URL('../.cache/', import.meta.url))
await mkdir(caches, { recursive: true })
const directory = await mkdtemp(join(caches, 'log-'))

/** Pushes that arrive together share a write and a sync. */
function committing(name: string, log: Log): Case {
  const run = async (): Promise<number> => {
    const waiters = Array.from({ length: WAITING }, () => {
      log.append(1, PAYLOAD)
      return log.commit()
    })
    await Promise.all(waiters)
    await log.release(log.committedLsn)
    return log.committedLsn - log.lastLsn
  }
  return { name, unit: 'record', unitsPerRun: WAITING, run }
}

try {
  const synced = await Log.open({ disk: nodeDisk, directory: join(directory, 'synced') })
  const disk = withoutSync(nodeDisk)
  const cached = await Log.open({ disk, directory: join(directory, 'cached') })
  await bench([
    committing('log/commit 50, synced', synced),
    committing('log/commit 50, page cache', cached),
  ])
  await synced.close()
  await cached.close()
} finally {
  await rm(directory, { recursive: true, force: true })
}
