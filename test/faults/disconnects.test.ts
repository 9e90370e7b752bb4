import { expect, test, vi } from 'vitest'
import { connectTo, pushHead } from '../receive/parts.ts'
import { valuesOf } from '../status/parts.ts'
import {
  expectGatewayBalanced,
  RW2_TYPE,
  type TestGateway,
  withGateway,
} from '../support/gateway.ts'
import { MemoryDisk } from '../support/memory-disk.ts'
import { bodyAt, labels, startMs, ticksAt } from './ticks.ts'

vi.setConfig({ testTimeout: 30_000 })

const headOf = (body: Uint8Array) =>
  pushHead(`Content-Type: ${RW2_TYPE}`, `Content-Length: ${body.length}`)
const push = (own: TestGateway, tick: number) =>
  own.post(bodyAt(tick), { 'Content-Type': RW2_TYPE })
const statusOf = async ({ admin }: TestGateway) => JSON.parse(await admin('/api/v1/status'))

test.for(['end', 'resetAndDestroy'] as const)(
  'F41: of a sender that leaves (%s) before its request is whole nothing is kept, and its retry is new',
  (leave) =>
    withGateway(async (own) => {
      const body = bodyAt(1)
      for (let cut = 0; cut < body.length; cut += 10) {
        const sender = await connectTo(own.gateway.writePort)
        sender.send(headOf(body))
        sender.send(body.subarray(0, cut))
        await sender.socket[leave]()
        await sender.closed
        expect(sender.received()).toBe('')
      }
      await expect
        .poll(async () => (await valuesOf(own)).get('sluice_receive_bodies_bytes'))
        .toBe(0)
      expect((await statusOf(own)).received.samples).toBe(0)
      expect(await push(own, 1)).toMatchObject({ status: 204, written: [1, 0, 0] })
      await expect.poll(() => ticksAt(own)).toEqual([1])
      await expectGatewayBalanced(own)
      expect((await statusOf(own)).duplicates).toEqual({ exact: 0, conflict: 0, replay: 0 })
    }),
)

test.for(['end', 'resetAndDestroy'] as const)(
  'F41: what a sender that leaves (%s) has sent as a whole is kept, and its retry is a duplicate',
  (leave) => {
    const disk = new MemoryDisk()
    return withGateway(
      async (own) => {
        const free = disk.hold()
        const sender = await connectTo(own.gateway.writePort)
        sender.send(headOf(bodyAt(1)))
        sender.send(bodyAt(1))
        // It is judged, and waits for the disk: nobody has told the sender anything.
        await expect.poll(async () => (await statusOf(own)).log.lastLsn).toBe(1)
        await sender.socket[leave]()
        if (leave === 'resetAndDestroy') await sender.closed
        // The retry comes before the commit, and waits for it too.
        const retry = push(own, 1)
        free()
        expect(await retry).toMatchObject({ status: 204, written: [1, 0, 0] })
        // And once more after it, as a whole.
        expect(await push(own, 1)).toMatchObject({ status: 204, written: [1, 0, 0] })
        await push(own, 2)
        await expect.poll(() => ticksAt(own)).toEqual([1, 2])
        await expectGatewayBalanced(own)
        const { duplicates } = await statusOf(own)
        expect(duplicates.exact + duplicates.replay).toBe(2)
        expect(own.receiver.requests.flatMap(({ series }) => series)).toHaveLength(2)
        sender.socket.destroy()
      },
      { disk },
    )
  },
)

test('F41: what could not be committed is forgotten, also when its sender has left, and its retry is new', () => {
  const disk = new MemoryDisk()
  return withGateway(
    async (own) => {
      disk.fail('datasync', 'EIO', { within: 'log' })
      const sender = await connectTo(own.gateway.writePort)
      sender.send(headOf(bodyAt(1)))
      sender.send(bodyAt(1))
      sender.socket.resetAndDestroy()
      await sender.closed
      await expect.poll(async () => (await statusOf(own)).pushes.backlogged).toBe(1)
      expect((await statusOf(own)).received.samples).toBe(1)
      expect(await push(own, 1)).toMatchObject({ status: 204, written: [1, 0, 0] })
      await expect.poll(() => ticksAt(own)).toEqual([1])
      await expectGatewayBalanced(own)
      expect((await statusOf(own)).duplicates).toEqual({ exact: 0, conflict: 0, replay: 0 })
    },
    { disk },
  )
})

test('F41: a retry that overtakes the commit of its first try is told what that is told', () => {
  const disk = new MemoryDisk()
  return withGateway(
    async (own) => {
      // Several samples of a series: only the newest could be recognised by itself.
      const samples = [1, 2, 3].map((tick) => ({ value: tick, timestamp: startMs + tick }))
      const pushed = () => own.push2([{ labels, samples }])
      const free = disk.hold()
      const first = pushed()
      await expect.poll(async () => (await statusOf(own)).log.lastLsn).toBe(1)
      const retries = [pushed(), pushed()]
      await expect
        .poll(async () => (await valuesOf(own)).get('sluice_receive_bodies_bytes'))
        .toBeGreaterThan(3 * 16_384)
      free()
      for (const answer of await Promise.all([first, ...retries])) {
        expect(answer).toMatchObject({ status: 204, written: [3, 0, 0] })
      }
      await expect.poll(() => ticksAt(own)).toEqual([1, 2, 3])
      await expectGatewayBalanced(own)
      expect((await statusOf(own)).duplicates).toEqual({ exact: 0, conflict: 0, replay: 6 })

      // When the commit fails none of them is told that it was kept.
      disk.fail('datasync', 'EIO', { within: 'log' })
      const again = disk.hold()
      const later = [4, 5].map((tick) => ({ value: tick, timestamp: startMs + tick }))
      const failing = [own.push2([{ labels, samples: later }])]
      await expect.poll(async () => (await statusOf(own)).log.lastLsn).toBe(2)
      failing.push(own.push2([{ labels, samples: later }]))
      await expect
        .poll(async () => (await valuesOf(own)).get('sluice_receive_bodies_bytes'))
        .toBeGreaterThan(2 * 16_384)
      again()
      for (const answer of await Promise.all(failing)) expect(answer.status).toBe(503)
      expect((await own.push2([{ labels, samples: later }])).status).toBe(204)
      await expect.poll(() => ticksAt(own)).toEqual([1, 2, 3, 4, 5])
      await expectGatewayBalanced(own)
    },
    { disk, threads: 1 },
  )
})

test('F41: an answer that nobody takes ends nothing', () =>
  withGateway(async (own) => {
    const senders = await Promise.all(
      Array.from({ length: 50 }, () => connectTo(own.gateway.writePort)),
    )
    for (const [i, { send, socket }] of senders.entries()) {
      const body = bodyAt(i + 1)
      send(Buffer.concat([Buffer.from(headOf(body)), body]))
      setImmediate(() => socket.resetAndDestroy())
    }
    await Promise.all(senders.map(({ closed }) => closed))
    expect((await push(own, 100)).status).toBe(204)
    await expect.poll(() => ticksAt(own).at(-1)).toBe(100)
    await expectGatewayBalanced(own)
  }))
