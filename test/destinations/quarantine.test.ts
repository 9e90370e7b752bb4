import { expect, test } from 'vitest'
import { operateQuarantine } from '../../src/operate.ts'
import { type TestGateway, withGateway } from '../support/gateway.ts'
import { type Respond, startReceiver } from '../support/receiver.ts'

const startMs = Date.now() - 60_000
const labels = (host: number) => ({ __name__: 'up', host: `${host}` })
const seriesAt = (tick: number, hosts: readonly number[]) =>
  hosts.map((host) => ({
    labels: labels(host),
    samples: [{ value: host, timestamp: startMs + tick }],
  }))
const HOSTS = Array.from({ length: 200 }, (_, i) => i)

/** Refuses whatever has host 77 in it, as a receiver does that has a rule against it. */
const refuse77: Respond = ({ series }) =>
  series.some((one) => one.labels.some(([name, value]) => name === 'host' && value === '77'))
    ? { status: 400, body: 'host 77 is not welcome\nask the owner' }
    : undefined

const jsonOf = async ({ admin }: TestGateway, path: string) => JSON.parse(await admin(path))

const statusOf = (gateway: TestGateway) =>
  jsonOf(gateway, '/api/v1/status').then(({ destinations }) => destinations[0])

async function expectBalance(gateway: TestGateway, expected: object): Promise<void> {
  const balance = await jsonOf(gateway, '/api/v1/balance')
  expect(balance.difference).toBe(0)
  expect(balance.destinations).toMatchObject([{ difference: 0, ...expected }])
}

/** What the command prints, of this gateway. */
const sluiceQuarantine = ({ gateway }: TestGateway, ...args: string[]) =>
  operateQuarantine([...args, '--admin', `127.0.0.1:${gateway.adminPort}`])

for (const protocol of ['prometheus.WriteRequest', 'io.prometheus.write.v2.Request']) {
  test(`${protocol}: one bad series of 200 is set aside with the receiver's words, and can be sent again`, () =>
    withGateway(
      async (own) => {
        own.receiver.respond = refuse77
        await own.push2(seriesAt(1, HOSTS))
        const entries = async () => (await statusOf(own)).quarantineEntries
        await expect.poll(entries, { timeout: 10_000 }).toBe(1)
        expect(own.receiver.series.size).toBe(199)
        await expectBalance(own, { forwarded: 199, quarantined: 1, waiting: 0 })

        // It outlives a restart, and everything else goes on.
        await own.restart()
        expect((await own.push2(seriesAt(2, HOSTS.slice(0, 10)))).status).toBe(204)
        await expect.poll(() => own.receiver.samplesOf(labels(3)).length).toBe(2)
        await expectBalance(own, { quarantinedAtStart: 1, forwarded: 10, quarantined: 1 })

        const [entry] = await jsonOf(own, '/api/v1/quarantine')
        expect(entry).toMatchObject({
          destination: 'central',
          cluster: 'default',
          attempts: 0,
          lost: { samples: 1, histograms: 0, exemplars: 0 },
          reason: expect.stringContaining('host 77 is not welcome'),
        })
        const list = await sluiceQuarantine(own, 'ls')
        expect(list).toMatch(/^ID +DESTINATION.*\n\d+ +central +default .* host 77 is not welcome$/)
        const content = await sluiceQuarantine(own, 'show', `${entry.id}`)
        expect(content).toContain('{__name__="up", host="77"}')
        expect(content).toContain(`${new Date(startMs + 1).toISOString()}  77`)

        expect(JSON.parse(await sluiceQuarantine(own, 'replay', 'all'))).toEqual([
          { destination: 'central', arrived: [], refused: [entry.id], failed: [] },
        ])
        const [again] = await jsonOf(own, '/api/v1/quarantine')
        expect(again).toMatchObject({ attempts: 1, lost: { samples: 1 } })

        own.receiver.respond = undefined
        expect(JSON.parse(await sluiceQuarantine(own, 'replay', 'all'))).toMatchObject([
          { arrived: [again.id] },
        ])
        expect(own.receiver.samplesOf(labels(77))).toHaveLength(1)
        await expectBalance(own, { forwarded: 11, quarantined: 0, discarded: 0 })
        expect(await sluiceQuarantine(own, 'ls')).toBe('nothing is in quarantine')
      },
      { protocol },
    ))
}

test('what is dropped is gone, and is counted', () =>
  withGateway(
    async (own) => {
      own.receiver.respond = refuse77
      await own.push2(seriesAt(1, [76, 77, 78]))
      await expect.poll(async () => (await statusOf(own)).quarantineEntries).toBe(1)
      const [{ id }] = await jsonOf(own, '/api/v1/quarantine/export')
      expect(JSON.parse(await sluiceQuarantine(own, 'drop', `${id}`))).toEqual([
        { destination: 'central', dropped: [id] },
      ])
      await own.restart()
      expect(await jsonOf(own, '/api/v1/quarantine')).toEqual([])
      await expect(sluiceQuarantine(own, 'show', `${id}`)).rejects.toMatchObject({
        code: 'ADMIN_REFUSED',
        message: expect.stringContaining(`no entry ${id} is in quarantine`),
      })
    },
    { protocol: 'prometheus.WriteRequest' },
  ))

test('a number that means another entry in each destination is not guessed at', async () => {
  const second = await startReceiver({ respond: refuse77 })
  await withGateway(
    async (own) => {
      own.receiver.respond = refuse77
      await own.push2(seriesAt(1, [76, 77, 78]))
      const entries = () => jsonOf(own, '/api/v1/quarantine')
      await expect.poll(async () => (await entries()).length).toBe(2)
      const [{ id }, { id: idOfSecond }] = await entries()
      expect(idOfSecond).toBe(id)
      await expect(sluiceQuarantine(own, 'drop', `${id}`)).rejects.toMatchObject({
        message: expect.stringContaining('central, second have an entry 1 each'),
      })
      await sluiceQuarantine(own, 'drop', `${id}`, '--destination', 'second')
      expect(await entries()).toMatchObject([{ destination: 'central' }])
    },
    { alsoTo: `  - { name: second, url: "${second.url}" }`, protocol: 'prometheus.WriteRequest' },
  )
  await second.close()
})

test('only who is here may change something: not a page of another site, and not by GET', () =>
  withGateway(async ({ gateway }) => {
    const url = `http://127.0.0.1:${gateway.adminPort}/api/v1/quarantine/drop?id=all`
    const origin = { Origin: 'http://elsewhere.example' }
    expect((await fetch(url, { method: 'POST', headers: origin })).status).toBe(403)
    expect((await fetch(url)).status).toBe(405)
    expect((await fetch(url, { method: 'POST' })).status).toBe(200)
    expect((await fetch(url.replace('?id=all', ''), { method: 'POST' })).status).toBe(400)
    const unknown = await fetch(`${url}&destination=nobody`, { method: 'POST' })
    expect([unknown.status, await unknown.text()]).toEqual([
      404,
      expect.stringContaining('there are: central'),
    ])
  }))

test('a gateway that is not there is told in one line', async () => {
  await expect(operateQuarantine(['ls', '--admin', '127.0.0.1:1'])).rejects.toMatchObject({
    code: 'ADMIN_UNREACHABLE',
    message: expect.stringContaining('nobody answers at 127.0.0.1:1'),
  })
})
