import { expect, test } from 'vitest'
import { type TestGateway, withGateway } from '../support/gateway.ts'
import { valuesOf } from './parts.ts'

const T = Date.now()
const SERIES = 100

const round = (tick: number) =>
  Array.from({ length: SERIES }, (_, i) => ({
    labels: { __name__: 'm', i: `${i}` },
    samples: [{ value: tick, timestamp: T + tick }],
  }))

async function poolsOf(gateway: TestGateway) {
  const values = await valuesOf(gateway)
  const of = (name: string) =>
    Object.fromEntries(
      [...values].flatMap(([key, value]) => {
        const [, metric, pool] = /^(\w+)\{pool="(\w+)"\}$/.exec(key) ?? []
        return metric === name ? [[pool!, value]] : []
      }),
    )
  return { taken: of('sluice_memory_bytes'), limit: of('sluice_memory_limit_bytes') }
}

test('what waits takes memory until it has arrived, and each pool is within its limit', () =>
  withGateway(async (gateway) => {
    const { push1, push2, receiver } = gateway
    const fresh = await poolsOf(gateway)
    expect(fresh.taken).toMatchObject({ bodies: 0, uncommitted: 0, tail: 0, look_ahead: 0 })
    expect(fresh.taken).toMatchObject({ exemplars: 0, metadata: 0, quarantine: 0 })
    receiver.respond = () => ({ status: 503 })
    await push2(round(1))
    await push2(round(2))
    await push1([], [{ type: 2, metricFamilyName: 'm', help: 'what it means' }])
    await push2([
      { labels: { __name__: 'm', i: '0' }, exemplars: [{ value: 1, timestamp: T + 2 }] },
    ])
    await expect
      .poll(async () => (await poolsOf(gateway)).taken['look_ahead'])
      .toBeGreaterThan(SERIES)
    const { taken, limit } = await poolsOf(gateway)
    // Read by delivery, the records lie in memory twice: as they were written, and on their way.
    expect(taken['tail']).toBeGreaterThan(taken['look_ahead']!)
    expect(taken['series']! - fresh.taken['series']!).toBeGreaterThanOrEqual(SERIES * 72)
    expect(taken['answers']).toBeGreaterThan(fresh.taken['answers']!)
    expect(taken['exemplars']).toBeGreaterThan(0)
    expect(taken['metadata']).toBe('m'.length + 'what it means'.length)
    expect(Object.keys(limit).filter((pool) => taken[pool]! > limit[pool]!)).toEqual([])
    expect(Object.keys(taken)).toEqual(expect.arrayContaining(Object.keys(limit)))

    receiver.respond = undefined
    await expect
      .poll(async () => (await poolsOf(gateway)).taken['look_ahead'], { timeout: 10_000 })
      .toBe(0)
  }))

test('what lies in quarantine takes memory for its head, and none when it is dropped', () =>
  withGateway(async (gateway) => {
    const { push2, receiver } = gateway
    const reason = 'x'.repeat(500)
    receiver.respond = () => ({
      ...{ status: 400, body: reason },
      headers: { 'X-Prometheus-Remote-Write-Samples-Written': `${SERIES - 1}` },
    })
    await push2(round(1))
    const heads = async () => (await poolsOf(gateway)).taken['quarantine']!
    await expect.poll(heads).toBeGreaterThan(reason.length)
    expect(await heads()).toBeLessThan(2 * reason.length)
    const url = `http://127.0.0.1:${gateway.gateway.adminPort}/api/v1/quarantine/drop?id=all`
    expect((await fetch(url, { method: 'POST' })).ok).toBe(true)
    expect(await heads()).toBe(0)
  }))
