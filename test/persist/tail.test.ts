import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openLog } from '../support/log-directory.ts'
import { MemoryDisk } from '../support/memory-disk.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)

const step = fc.oneof(
  fc.record({
    kind: fc.constant('commit' as const),
    sizes: fc.array(fc.nat(80), { maxLength: 4 }),
  }),
  fc.record({ kind: fc.constant('read' as const), count: fc.nat(6) }),
)

test('a reader gets every record once and in order, from memory and from disk by turns', () =>
  fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.nat(400), async (steps, tailBytes) => {
      const { log, damages } = await openLog(new MemoryDisk(), { tailBytes })
      const reader = log.reader(1)
      const written: string[] = []
      const read: string[] = []
      for (const next of steps) {
        if (next.kind === 'commit') {
          for (const size of next.sizes) {
            const text = `${written.length}`.padEnd(size, '.')
            written.push(text)
            log.append(1, [Buffer.from(text.slice(0, 3)), Buffer.from(text.slice(3))])
          }
          await log.commit()
        } else {
          for (let i = 0; i < next.count; i++) {
            const record = await reader.next()
            if (record === null) expect(read.length).toBe(written.length)
            else read.push(Buffer.from(record.payload).toString())
          }
        }
      }
      for (let record = await reader.next(); record; record = await reader.next()) {
        read.push(Buffer.from(record.payload).toString())
      }
      expect(read).toEqual(written)
      expect(damages).toEqual([])
      await reader.close()
      await log.close()
    }),
    { numRuns },
  ))

test('the newest records are read without the disk', async () => {
  const disk = new MemoryDisk()
  const { log } = await openLog(disk, { tailBytes: 1_000 })
  log.append(1, [Buffer.from('first')])
  await log.commit()
  disk.fail('read', 'EIO')
  const reader = log.reader(1)
  expect(await reader.next()).toMatchObject({
    lsn: 1,
    payload: new Uint8Array(Buffer.from('first')),
  })
  await reader.close()
  await log.close()
})
