import { expect, test } from 'vitest'
import { snappy } from '../../src/wire/snappy.ts'
import { connectTo, pushHead, sendUntilClosed, statusesOf } from '../receive/parts.ts'
import { post, RW2_TYPE, type TestGateway, withGateway } from '../support/gateway.ts'
import { rw2Of } from '../support/remote-write.ts'

const MIB = 1024 * 1024
/** What the kernel takes on both sides of a connection before the sender has to wait. */
const KERNEL_BYTES_MAX = 128 * MIB

const samples = [{ value: 1, timestamp: Date.now() }]
const body = snappy.compress(rw2Of([{ labels: { __name__: 'm' }, samples }]))
const type = `Content-Type: ${RW2_TYPE}`

const bodiesBytes = async ({ admin }: TestGateway) =>
  /^sluice_receive_bodies_bytes (\d+)$/m.exec(await admin('/metrics'))?.[1]

/** Nothing is in memory, on disk or at the receiver, and the next push finds everything well. */
async function expectUntouched(gateway: TestGateway): Promise<void> {
  await expect.poll(() => bodiesBytes(gateway)).toBe('0')
  expect(JSON.parse(await gateway.admin('/api/v1/status'))).toMatchObject({
    notReady: null,
    received: { samples: 0 },
    log: { lastLsn: 0 },
  })
  const answer = await gateway.post(body, { 'Content-Type': RW2_TYPE })
  expect(answer).toMatchObject({ status: 204, written: [1, 0, 0] })
  await expect.poll(() => gateway.receiver.samplesOf({ __name__: 'm' })).toHaveLength(1)
  expect(gateway.receiver.requests).toHaveLength(1)
}

test('G15: 40 MiB in a stream are 413, and what goes on beyond the limit is not read', () =>
  withGateway(async (gateway) => {
    const answer = await post(gateway.gateway.writePort, Buffer.alloc(40 * MIB), {
      'Content-Type': RW2_TYPE,
      'Transfer-Encoding': 'chunked',
    })
    expect(answer).toMatchObject({ status: 413, written: [0, 0, 0] })
    expect(answer.headers['connection']).toBe('close')

    const sender = await connectTo(gateway.gateway.writePort)
    sender.send(`${pushHead(type, 'Transfer-Encoding: chunked')}${(1024 * MIB).toString(16)}\r\n`)
    const sentBytes = await sendUntilClosed(sender, 1024 * MIB)
    expect(statusesOf(sender.received())).toEqual([413])
    expect(sentBytes).toBeGreaterThan(32 * MIB)
    expect(sentBytes).toBeLessThan(32 * MIB + KERNEL_BYTES_MAX)
    await expectUntouched(gateway)
  }))

test('G15: 40 MiB that are announced are 413 before the first of them has come', () =>
  withGateway(async (gateway) => {
    const sender = await connectTo(gateway.gateway.writePort)
    sender.send(pushHead(type, `Content-Length: ${40 * MIB}`))
    await sender.closed
    expect(statusesOf(sender.received())).toEqual([413])
    await expectUntouched(gateway)
  }))

const half = body.subarray(0, body.length - 5)

test.for([
  ['a body with a length', [pushHead(type, `Content-Length: ${body.length}`), half]],
  [
    'a body in chunks',
    [pushHead(type, 'Transfer-Encoding: chunked'), `${body.length.toString(16)}\r\n`, half],
  ],
  // All of the samples are there, but nothing says that no more were to come.
  [
    'a body in chunks before the last one, which is empty',
    [pushHead(type, 'Transfer-Encoding: chunked'), `${body.length.toString(16)}\r\n`, body, '\r\n'],
  ],
] as const)('G71: who disconnects in the middle of %s has sent nothing', ([, pieces]) =>
  withGateway(async (gateway) => {
    for (const leave of ['end', 'resetAndDestroy'] as const) {
      const sender = await connectTo(gateway.gateway.writePort)
      for (const piece of pieces) sender.send(piece)
      await expect.poll(() => bodiesBytes(gateway)).not.toBe('0')
      sender.socket[leave]()
      await sender.closed
      expect(sender.received()).toBe('')
    }
    await expectUntouched(gateway)
  }),
)
