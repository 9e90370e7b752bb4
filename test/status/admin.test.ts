import { expect, test } from 'vitest'
import { post, type TestGateway, withGateway } from '../support/gateway.ts'
import { valuesOf } from './parts.ts'

const T = Date.now()
const oneSample = [{ labels: { __name__: 'm' }, samples: [{ value: 1, timestamp: T }] }]
const PATHS = ['/metrics', '/-/healthy', '/-/ready', '/api/v1/status']

const urlOf = ({ gateway }: TestGateway, path: string) =>
  `http://127.0.0.1:${gateway.adminPort}${path}`

test('a gateway that was just started is alive and ready', () =>
  withGateway(async (gateway) => {
    for (const [path, text] of [
      ['/-/healthy', 'sluice is alive\n'],
      ['/-/ready', 'sluice is ready\n'],
    ] as const) {
      const answer = await fetch(urlOf(gateway, path))
      expect(answer.status).toBe(200)
      expect(answer.headers.get('cache-control')).toBe('no-store')
      expect(await answer.text()).toBe(text)
    }
  }))

test('a destination that is down makes it neither dead nor unready', () =>
  withGateway(async (gateway) => {
    gateway.receiver.respond = () => ({ reset: 'before' })
    await gateway.push2(oneSample)
    await expect
      .poll(async () => JSON.parse(await gateway.admin('/api/v1/status')).destinations[0])
      .toMatchObject({ waitingSamples: 1, retries: expect.any(Number) })
    await expect.poll(() => gateway.receiver.requests.length).toBeGreaterThan(1)
    expect((await fetch(urlOf(gateway, '/-/ready'))).status).toBe(200)
    expect((await fetch(urlOf(gateway, '/-/healthy'))).status).toBe(200)
  }))

test(
  'a full log makes it unready and says so, but alive; and room makes it ready again',
  {
    timeout: 30_000,
  },
  () =>
    withGateway(
      async (gateway) => {
        const { push2, receiver } = gateway
        receiver.respond = () => ({ status: 503 })
        const filler = () => Array.from({ length: 20 }, () => Math.random()).join()
        for (let n = 0, status = 204; status === 204 && n < 2_000; n++) {
          const series = Array.from({ length: 50 }, (_, i) => ({
            labels: { __name__: 'm', n: String(n), i: String(i), filler: filler() },
            samples: [{ value: 1, timestamp: T }],
          }))
          status = (await push2(series)).status
        }
        const answer = await fetch(urlOf(gateway, '/-/ready'))
        expect(answer.status).toBe(503)
        expect(await answer.text()).toMatch(/^not ready: the log in .* is full/)
        expect((await valuesOf(gateway)).get('sluice_ready')).toBe(0)
        expect((await fetch(urlOf(gateway, '/-/healthy'))).status).toBe(200)
        expect(JSON.parse(await gateway.admin('/api/v1/status'))).toMatchObject({
          notReady: expect.stringMatching(/is full/),
          pushes: { backlogged: 1 },
        })

        receiver.respond = undefined
        const status = async () => (await fetch(urlOf(gateway, '/-/ready'))).status
        await expect.poll(status, { timeout: 20_000 }).toBe(200)
        expect((await valuesOf(gateway)).get('sluice_ready')).toBe(1)
      },
      { quota: '1MiB' },
    ),
)

test.for(PATHS)('%s is read only: GET and HEAD, and nothing else', (path) =>
  withGateway(async (gateway) => {
    const head = await fetch(urlOf(gateway, path), { method: 'HEAD' })
    expect(head.status).toBe(200)
    expect(await head.text()).toBe('')
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      const answer = await fetch(urlOf(gateway, path), { method })
      expect(answer.status).toBe(405)
      expect(answer.headers.get('allow')).toBe('GET, HEAD')
    }
  }),
)

test('what operators ask is not on the port of the senders, and the other way round', () =>
  withGateway(async ({ gateway }) => {
    for (const path of PATHS) {
      const answer = await fetch(`http://127.0.0.1:${gateway.writePort}${path}`)
      expect(answer.status).toBe(404)
    }
    expect(await post(gateway.adminPort, Buffer.alloc(1), {})).toMatchObject({ status: 404 })
  }))

const counts = { samples: 0, histograms: 0, exemplars: 0 }

test('the status of a gateway that has done nothing is whole, and all zeros', () =>
  withGateway(async (gateway) => {
    const answer = await fetch(urlOf(gateway, '/api/v1/status'))
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8')
    expect(await answer.json()).toEqual({
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      uptimeSeconds: 0,
      notReady: null,
      received: counts,
      pushes: { accepted: 0, partial: 0, malformed: 0, backlogged: 0, replayed: 0 },
      misnamedPushes: 0,
      exemplars: { oversized: 0, duplicate: 0, expired: 0, held: 0 },
      duplicates: { exact: 0, conflict: 0, replay: 0 },
      rejected: {},
      backlog: { samples: 0, bytes: 0, oldestSeconds: 0 },
      destinations: [
        {
          name: 'central',
          url: gateway.receiver.url,
          protocol: 'rw2',
          state: expect.any(String),
          reason: '',
          forwarded: counts,
          refused: counts,
          maybeStored: counts,
          unsupported: counts,
          quarantined: counts,
          quarantineEntries: 0,
          discarded: counts,
          damagedSamples: 0,
          evictedSamples: 0,
          droppedSamples: 0,
          retries: 0,
          inFlightMax: 1,
          waitingSamples: 0,
          waitingBytes: 0,
          oldestWaitingSeconds: 0,
        },
      ],
      parked: [],
      log: {
        oldestLsn: expect.any(Number),
        lastLsn: 0,
        committedLsn: 0,
        bytes: expect.any(Number),
        quotaBytes: 1024 ** 3,
      },
      series: { active: 0, max: 5_000_000, untrackedSamples: 0 },
    })
  }))

test('the status shows pushes, refusals, duplicates and what waits', () =>
  withGateway(async ({ push2, admin, receiver }) => {
    receiver.respond = () => ({ status: 503, body: 'come back later' })
    const nameless = { labels: { job: 'j' }, samples: [{ value: 1, timestamp: T }] }
    await push2([...oneSample, nameless])
    await push2(oneSample)
    await expect
      .poll(async () => JSON.parse(await admin('/api/v1/status')))
      .toMatchObject({
        received: { samples: 3 },
        pushes: { accepted: 1, partial: 1 },
        duplicates: { exact: 1, conflict: 0, replay: 0 },
        rejected: { 'name-missing': 1 },
        backlog: { samples: 1 },
        destinations: [{ waitingSamples: 1, forwarded: counts }],
        log: { lastLsn: 1, committedLsn: 1 },
        series: { active: 1 },
      })
  }))
