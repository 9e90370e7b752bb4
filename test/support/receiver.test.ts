import { expect, test } from 'vitest'
import { snappy } from '../../src/wire/snappy.ts'
import { type Receiver, startReceiver } from './receiver.ts'
import { bitsOf, rw1Of, rw2Of, type SeriesLiteral, STALE_NAN } from './remote-write.ts'

async function push(receiver: Receiver, protocol: 'rw1' | 'rw2', series: SeriesLiteral[]) {
  const raw = protocol === 'rw1' ? rw1Of(series) : rw2Of(series)
  const proto = protocol === 'rw1' ? '' : ';proto=io.prometheus.write.v2.Request'
  const response = await fetch(receiver.url, {
    method: 'POST',
    headers: { 'Content-Type': `application/x-protobuf${proto}` },
    body: Buffer.from(snappy.compress(raw)),
  })
  const written = response.headers.get('x-prometheus-remote-write-samples-written')
  return { status: response.status, written, body: await response.text() }
}

const at = (name: string, timestamp: number, value: number | bigint = 1): SeriesLiteral => ({
  labels: { __name__: name, z: '1', a: '2' },
  samples: [{ value, timestamp }],
})
const A = { a: '2', z: '1', __name__: 'a' }

test.each(['rw1', 'rw2'] as const)('%s: the newest sample may come again, as it was', async (p) => {
  const receiver = await startReceiver()
  expect((await push(receiver, p, [at('a', 1000, STALE_NAN)])).status).toBe(204)
  expect((await push(receiver, p, [at('a', 1000, STALE_NAN)])).status).toBe(204)
  expect((await push(receiver, p, [at('a', 1000, 2)])).status).toBe(400)
  expect((await push(receiver, p, [at('a', 999)])).status).toBe(400)
  expect(receiver.samplesOf(A)).toEqual([{ timestampMs: 1000, bits: STALE_NAN }])
  expect(receiver.requests.map(({ status }) => status)).toEqual([204, 204, 400, 400])
  await receiver.close()
})

test('1.0 undoes the whole request, 2.0 keeps the good part and says how much', async () => {
  const receiver = await startReceiver()
  await push(receiver, 'rw1', [at('a', 1000)])
  const mixed = [at('b', 500), at('a', 500)]
  expect(await push(receiver, 'rw1', mixed)).toMatchObject({ status: 400, written: null })
  expect(receiver.series.size).toBe(1)
  expect(await push(receiver, 'rw2', mixed)).toMatchObject({ status: 400, written: '1' })
  expect(receiver.series.size).toBe(2)
  await receiver.close()
})

test('an out-of-order window takes what it covers', async () => {
  const receiver = await startReceiver({ oooWindowMs: 100 })
  await push(receiver, 'rw2', [at('a', 1000)])
  expect((await push(receiver, 'rw2', [at('a', 900, 7)])).status).toBe(204)
  expect((await push(receiver, 'rw2', [at('a', 899)])).status).toBe(400)
  expect(receiver.samplesOf(A).map(({ bits }) => bits)).toEqual([bitsOf(1), bitsOf(7)])
  await receiver.close()
})

test('a script decides what is answered, and whether anything is kept', async () => {
  const receiver = await startReceiver({ respond: () => ({ status: 503, body: 'busy' }) })
  expect(await push(receiver, 'rw2', [at('a', 1)])).toMatchObject({ status: 503, body: 'busy' })
  expect(receiver.series.size).toBe(0)
  receiver.respond = () => ({ status: 415, store: true })
  expect((await push(receiver, 'rw2', [at('a', 1)])).status).toBe(415)
  receiver.respond = () => ({ reset: 'after' })
  await expect(push(receiver, 'rw2', [at('b', 1)])).rejects.toThrow()
  expect(receiver.series.size).toBe(2)
  await receiver.close()
})
