import { gzipSync, zstdCompressSync } from 'node:zlib'
import { expect, test, vi } from 'vitest'
import { snappy } from '../../src/wire/snappy.ts'
import { atScale } from '../support/fault-scale.ts'
import { post, RW1_TYPE, RW2_TYPE, withGateway } from '../support/gateway.ts'
import { nanos, otlpOf } from '../support/otlp.ts'
import { rw1Of, rw2Of } from '../support/remote-write.ts'

vi.setConfig({ testTimeout: 600_000 })

const NOW_MS = Date.now()

/** Numbers that are drawn anew from a seed, so that a run can be repeated. */
function drawnFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

test('F39: whatever bytes come, the answer is one of those that are documented', () =>
  withGateway(async (own) => {
    const port = own.gateway.writePort
    const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 32)
    const drawn = drawnFrom(seed)
    const samples = [{ value: 1, timestamp: NOW_MS }]
    const series = [{ labels: { __name__: 'm', a: 'b' }, samples, exemplars: [] }]
    const gauge = { dataPoints: [{ timeUnixNano: nanos(NOW_MS), asDouble: 1 }] }
    const otlp = otlpOf([{ name: 'g', gauge }], { 'service.name': 's' })
    const json = Buffer.from('{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m"}]}]}]}')
    const good = [rw1Of(series), rw2Of(series), otlp, json].map((raw) => Buffer.from(raw))
    const packed = [(raw: Buffer) => raw, snappy.compress, gzipSync, zstdCompressSync]
    const types = [RW1_TYPE, RW2_TYPE, 'application/json', 'text/plain']
    const encodings = ['', 'snappy', 'gzip', 'zstd']
    const paths = ['/api/v1/write', '/api/v1/push', '/v1/metrics', '/api/v1/otlp/v1/metrics']

    const bodyOf = (): Uint8Array => {
      const raw = Buffer.from(good[drawn(good.length)]!)
      if (drawn(4) === 0) for (let i = 0; i < raw.length; i++) raw[i] = drawn(256)
      for (let damage = drawn(6); damage > 0; damage--) raw[drawn(raw.length)] = drawn(256)
      const bytes = Buffer.from(packed[drawn(packed.length)]!(raw))
      if (drawn(4) === 0) bytes[drawn(bytes.length)] = drawn(256)
      return drawn(4) === 0 ? bytes.subarray(0, drawn(bytes.length)) : bytes
    }
    const count = atScale(400, 40_000)
    for (let sent = 0; sent < count; sent += 20) {
      const bodies = Array.from({ length: 20 }, () => {
        const encoding = encodings[drawn(encodings.length)]!
        const headers = { 'Content-Type': types[drawn(types.length)]! }
        const encoded = encoding === '' ? headers : { ...headers, 'Content-Encoding': encoding }
        return [bodyOf(), encoded, paths[drawn(paths.length)]!] as const
      })
      const answers = bodies.map(([body, headers, path]) => post(port, body, headers, path))
      for (const [i, { status, text }] of (await Promise.all(answers)).entries()) {
        const what = { seed, status, text, bytes: Buffer.from(bodies[i]![0]).toString('hex') }
        expect([200, 204, 400, 413, 415], JSON.stringify(what)).toContain(status)
      }
    }
    // The process is what it was: a push is taken, and arrives.
    const alive = { labels: { __name__: 'alive' }, samples }
    expect((await own.push2([alive])).status).toBe(204)
    await expect.poll(() => own.receiver.samplesOf(alive.labels)).toHaveLength(1)
    const { difference } = JSON.parse(await own.admin('/api/v1/balance'))
    expect(difference).toBe(0)
  }))
