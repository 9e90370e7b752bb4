import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { createLogger } from '../../src/base/log.ts'
import { Pool, type PoolParts } from '../../src/intake/pool.ts'
import { OTLP_DEFAULTS } from '../../src/otlp/options.ts'
import { freePort } from '../support/child.ts'
import { KEY } from '../support/decoding.ts'
import { RW2_TYPE, startTestGateway, withGateway } from '../support/gateway.ts'

const timestamp = Date.now()

const seriesOf = (push: number) =>
  Array.from({ length: 50 }, (_, i) => ({
    labels: { __name__: 'up', instance: `host-${i}`, push: `${push}` },
    samples: [{ value: push, timestamp }],
  }))

const listenersAt = (port: number) => ({
  write: { host: '127.0.0.1', port },
  otlpHttp: null,
  otlpGrpc: null,
})

function poolParts(lines: string[], rest: Partial<PoolParts>): PoolParts {
  return {
    key: KEY,
    otlp: OTLP_DEFAULTS,
    tls: null,
    threads: 2,
    permitBytes: 1 << 20,
    connections: { headerTimeoutMs: 10_000, requestTimeoutMs: 60_000, perAddressMax: 5_000 },
    take: async () => ({ kind: 'backlogged', reason: 'a test' }),
    onMalformed: () => {},
    log: createLogger({ level: 'info', destination: { write: (line) => lines.push(line) } }),
    ...rest,
  }
}

test('what comes over many connections at once arrives, each sample once', () =>
  withGateway(
    async ({ push2, receiver, admin }) => {
      const pushes = Array.from({ length: 60 }, (_, i) => seriesOf(i))
      // Each twice, and at the same time: whichever is judged first is kept.
      const answers = await Promise.all([...pushes, ...pushes].map((series) => push2(series)))
      for (const answer of answers) {
        expect(answer).toMatchObject({ status: 204, written: [50, 0, 0] })
      }
      await expect.poll(() => receiver.series.size).toBe(60 * 50)
      const counts = Array.from(receiver.series.values(), ({ samples }) => samples.length)
      expect(new Set(counts)).toEqual(new Set([1]))
      const metrics = await admin('/metrics')
      expect(metrics).toContain('sluice_receive_requests_total{protocol="rw2",status="204"} 120')
      const dropped = /^sluice_admit_duplicate_samples_total\S* (\d+)/gm
      const sum = Array.from(metrics.matchAll(dropped)).reduce(
        (n, [, count]) => n + Number(count),
        0,
      )
      expect(sum).toBe(60 * 50)
    },
    { threads: 3 },
  ))

test('a port that another process listens on is LISTEN_FAILED, shared or not', async () => {
  for (const reusePort of [false, true]) {
    const other = createServer()
    await new Promise<void>((resolve) => {
      other.listen({ host: '127.0.0.1', port: 0, reusePort }, resolve)
    })
    const { port } = other.address() as AddressInfo
    const yaml = `listen: { write: 127.0.0.1:${port}, admin: 127.0.0.1:0, otlp_http: off, otlp_grpc: off }`
    await expect(startTestGateway({ threads: 2, listen: yaml })).rejects.toMatchObject({
      code: 'LISTEN_FAILED',
      message: expect.stringContaining('another process listens there'),
    })
    other.close()
  }
})

test('a thread that dies is replaced, and the fault is told', async () => {
  const lines: string[] = []
  const entry = new URL('dying-thread.ts', import.meta.url)
  const pool = new Pool(poolParts(lines, { entry }))
  await pool.start(listenersAt(1))
  await expect.poll(() => lines.join(''), { timeout: 5_000 }).toContain('a fault in a thread')
  // Those that ended have been counted, and there are as many as before.
  await expect.poll(() => pool.counters.length, { timeout: 5_000 }).toBeGreaterThan(3)
  await pool.stop()
})

test('threads that cannot listen are LISTEN_FAILED, and none is left', async () => {
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  const { port } = taken.address() as AddressInfo
  const pool = new Pool(poolParts([], {}))
  await expect(pool.start(listenersAt(port))).rejects.toMatchObject({
    code: 'LISTEN_FAILED',
  })
  taken.close()
  await pool.start(listenersAt(await freePort()))
  // Two that failed, and two that listen.
  expect(pool.counters).toHaveLength(4)
  await pool.stop()
})

test('with many threads, each has room for the largest body', { timeout: 30_000 }, () =>
  withGateway(
    async ({ post }) => {
      const answer = await post(Buffer.alloc(30 * 1024 * 1024, 0xff), { 'Content-Type': RW2_TYPE })
      expect(answer).toMatchObject({ status: 400 })
    },
    { threads: 9 },
  ),
)
