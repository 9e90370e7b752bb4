import { expect, test } from 'vitest'
import { operateRewind } from '../../src/operate.ts'
import { withGateway } from '../support/gateway.ts'
import { MemoryDisk } from '../support/memory-disk.ts'

const labels = { __name__: 'up' }

test('F49: what the receiver has lost after acknowledging it is sent again, in order', () =>
  withGateway(
    async ({ gateway, push2, receiver, admin, clockOffset }) => {
      const startMs = Date.now() - 3_600_000
      const push = (tick: number) =>
        push2([{ labels, samples: [{ value: tick, timestamp: startMs + tick }] }])
      const balance = async () => JSON.parse(await admin('/api/v1/balance'))
      const rewind = (...args: string[]) =>
        operateRewind(['--admin', `127.0.0.1:${gateway.adminPort}`, ...args])

      for (let tick = 1; tick <= 3; tick++) await push(tick)
      // What came long before the crash is not sent again.
      clockOffset.ms += 20 * 60_000
      clockOffset.monotonicMs += 20 * 60_000
      for (let tick = 4; tick <= 8; tick++) await push(tick)
      await expect.poll(() => receiver.samplesOf(labels).length).toBe(8)
      await expect.poll(async () => (await balance()).destinations[0].waiting).toBe(0)

      receiver.series.clear()
      const answer = JSON.parse(await rewind('--destination', 'central', '--since', '15m'))
      expect(answer).toMatchObject({ destination: 'central', samples: 5 })
      await expect.poll(() => receiver.samplesOf(labels).length).toBe(5)
      await push(9)
      await expect.poll(() => receiver.samplesOf(labels).length).toBe(6)
      const times = receiver.samplesOf(labels).map(({ timestampMs }) => timestampMs - startMs)
      expect(times).toEqual([4, 5, 6, 7, 8, 9])
      expect(await balance()).toMatchObject({
        difference: 0,
        destinations: [{ rewound: 5, forwarded: 14, waiting: 0, difference: 0 }],
      })
    },
    { window: '30m' },
  ))

test('a rewind that cannot be written down rewinds nothing, and forwarding goes on', async () => {
  const disk = new MemoryDisk()
  await withGateway(
    async ({ gateway, push2, receiver, admin }) => {
      const push = (tick: number) =>
        push2([{ labels, samples: [{ value: tick, timestamp: Date.now() - 60_000 + tick }] }])
      const balance = async () => JSON.parse(await admin('/api/v1/balance'))
      for (let tick = 1; tick <= 3; tick++) await push(tick)
      await expect.poll(async () => (await balance()).destinations[0].waiting).toBe(0)

      disk.fail('write', 'EIO', { times: 9, within: 'cursors' })
      const url = `http://127.0.0.1:${gateway.adminPort}/api/v1/rewind`
      const query = '?destination=central&since=15m'
      expect((await fetch(url + query, { method: 'POST' })).ok).toBe(false)
      await push(4)
      await expect.poll(() => receiver.samplesOf(labels).length).toBe(4)
      expect(await balance()).toMatchObject({
        difference: 0,
        destinations: [{ rewound: 0, forwarded: 4, waiting: 0, difference: 0 }],
      })
      disk.heal()
      receiver.series.clear()
      expect(await (await fetch(url + query, { method: 'POST' })).json()).toMatchObject({
        samples: 4,
      })
      await expect.poll(balance).toMatchObject({
        destinations: [{ rewound: 4, forwarded: 8, waiting: 0, difference: 0 }],
      })
    },
    { window: '30m', disk, quota: '16MiB' },
  )
})

test('a receiver that would refuse what is late is not sent it, unless somebody insists', () =>
  withGateway(async ({ gateway }) => {
    const rewind = (...args: string[]) =>
      operateRewind(['--admin', `127.0.0.1:${gateway.adminPort}`, '--since', '15m', ...args])
    await expect(rewind('--destination', 'central')).rejects.toMatchObject({
      code: 'ADMIN_REFUSED',
      message: expect.stringContaining('central takes samples that are 0 s late'),
    })
    expect(JSON.parse(await rewind('--destination', 'central', '--force'))).toEqual({
      destination: 'central',
      samples: 0,
      from: null,
    })
    await expect(rewind('--destination', 'other')).rejects.toMatchObject({
      message: expect.stringContaining('there are: central'),
    })
  }))
