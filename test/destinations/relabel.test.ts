import { expect, test } from 'vitest'
import { snappy } from '../../src/wire/snappy.ts'
import { type TestGateway, withGateway } from '../support/gateway.ts'
import { decodeRw2, type SeriesLiteral } from '../support/remote-write.ts'

const startMs = Date.now() - 60_000

/** 300 series, one sample each; a third of them are of the job that the rules drop. */
function seriesAt(tick: number): SeriesLiteral[] {
  return Array.from({ length: 300 }, (_, i) => ({
    labels: { __name__: 'up', instance: `i${i}`, job: i % 3 === 0 ? 'noise' : 'node' },
    samples: [{ value: i, timestamp: startMs + tick }],
  }))
}

const RULES = `    write_relabel_configs:
      - { action: drop, source_labels: [job], regex: noise }
      - { target_label: cluster, replacement: eu-1 }
`
const withRules = (yaml: string, rules = RULES) => yaml.replace('    out_of_order', `${rules}$&`)
const relabelled = (i: number) => {
  return { __name__: 'up', instance: `i${i}`, job: 'node', cluster: 'eu-1' }
}

async function balanceOf({ admin }: TestGateway) {
  return JSON.parse(await admin('/api/v1/balance')).destinations[0]
}

for (const protocol of ['prometheus.WriteRequest', 'io.prometheus.write.v2.Request']) {
  test(`${protocol}: a reload swaps the rules, and all that is dropped is counted`, () =>
    withGateway(
      async (own) => {
        const { receiver, push2, gateway, text, admin } = own
        await push2(seriesAt(1))
        await expect.poll(() => balanceOf(own)).toMatchObject({ waiting: 0, forwarded: 300 })
        expect(receiver.series.size).toBe(300)
        const plain = text.yaml
        text.yaml = withRules(plain)
        await gateway.reload()
        await push2(seriesAt(2))
        await expect.poll(() => balanceOf(own)).toMatchObject({ waiting: 0, dropped: 100 })
        expect(await balanceOf(own)).toMatchObject({ forwarded: 200, difference: 0, kept: 300 })
        expect(receiver.series.size).toBe(500)
        expect(receiver.samplesOf(relabelled(1))).toMatchObject([{ timestampMs: startMs + 2 }])
        const metric = 'sluice_forward_dropped_samples_total{destination="central"} 100'
        expect(await admin('/metrics')).toContain(metric)
        expect(JSON.parse(await admin('/api/v1/status')).destinations[0].droppedSamples).toBe(100)

        text.yaml = plain
        await gateway.reload()
        await push2(seriesAt(3))
        await expect.poll(() => balanceOf(own)).toMatchObject({ waiting: 0, forwarded: 300 })
        expect(receiver.series.size).toBe(500)
      },
      { protocol },
    ))
}

test('a block of which all is dropped is delivered without a request', () =>
  withGateway(async (own) => {
    const { receiver, push2, gateway, text } = own
    text.yaml = withRules(text.yaml, RULES.replace('regex: noise', 'regex: .*'))
    await gateway.reload()
    await push2(seriesAt(1))
    await expect.poll(() => balanceOf(own)).toMatchObject({ waiting: 0, dropped: 300 })
    expect(await balanceOf(own)).toMatchObject({ difference: 0, forwarded: 0 })
    expect(receiver.requests).toEqual([])
  }))

for (const protocol of ['prometheus.WriteRequest', 'io.prometheus.write.v2.Request']) {
  test(`${protocol}: what is refused is set aside as the receiver would have had it`, () =>
    withGateway(
      async (own) => {
        const { receiver, push2, gateway, text, admin } = own
        text.yaml = withRules(text.yaml)
        await gateway.reload()
        const isBad = (labels: [string, string][]) => labels.some(([, value]) => value === 'i7')
        receiver.respond = ({ series }) => {
          if (!series.some(({ labels }) => isBad(labels))) return undefined
          return { status: 400, body: 'no i7 here', headers: {} }
        }
        // The one before it has worked, so a 400 speaks of what is in it.
        await push2(seriesAt(1).slice(100))
        await push2(seriesAt(1).slice(0, 100))
        await expect
          .poll(() => balanceOf(own), { timeout: 5_000 })
          .toMatchObject({ waiting: 0, quarantined: 1, dropped: 100, forwarded: 199 })
        expect((await balanceOf(own)).difference).toBe(0)
        expect(receiver.samplesOf(relabelled(8))).toHaveLength(1)
        const [entry] = JSON.parse(await admin('/api/v1/quarantine/show?id=all'))
        const labels = '{__name__="up", cluster="eu-1", instance="i7", job="node"}'
        expect(entry.content).toMatchObject([{ labels }])

        // Sent again it is as it was: the rules have been applied.
        receiver.respond = undefined
        const before = receiver.requests.length
        const url = `http://127.0.0.1:${gateway.adminPort}/api/v1/quarantine/replay?id=all`
        expect((await fetch(url, { method: 'POST' })).status).toBe(200)
        expect(receiver.requests).toHaveLength(before + 1)
        expect(receiver.samplesOf(relabelled(7))).toHaveLength(1)
        expect(await balanceOf(own)).toMatchObject({ quarantined: 0, difference: 0 })
      },
      { protocol },
    ))
}

for (const protocol of ['prometheus.WriteRequest', 'io.prometheus.write.v2.Request']) {
  test(`${protocol}: series that are left without a name end in quarantine`, () =>
    withGateway(
      async (own) => {
        const { push2, gateway, text, receiver } = own
        const nameless = '{ action: replace, source_labels: [job], regex: node, replacement: "", '
        const rule = `${nameless} target_label: __name__ }`
        text.yaml = withRules(text.yaml, RULES.replace(/{ target_label.*}/, rule))
        await gateway.reload()
        await push2(seriesAt(1))
        await push2([
          { labels: { __name__: 'named' }, samples: [{ value: 1, timestamp: startMs }] },
        ])
        await expect
          .poll(() => balanceOf(own), { timeout: 10_000 })
          .toMatchObject({ waiting: 0, dropped: 100, quarantined: 200, difference: 0 })
        expect(receiver.series.size).toBe(1)
      },
      { protocol },
    ))
}

test('small blocks are merged, and then the rules are applied', { timeout: 20_000 }, () =>
  withGateway(async (own) => {
    const { receiver, push2, gateway, text } = own
    text.yaml = withRules(text.yaml)
    await gateway.reload()
    receiver.respond = () => ({ status: 503 })
    for (let tick = 1; tick <= 5; tick++)
      await push2(seriesAt(tick).slice(tick * 30, tick * 30 + 30))
    await expect.poll(() => receiver.requests.length).toBeGreaterThan(0)
    receiver.respond = undefined
    await expect
      .poll(() => balanceOf(own), { timeout: 15_000 })
      .toMatchObject({ waiting: 0, dropped: 50, forwarded: 100, difference: 0 })
    const merged = receiver.requests.filter(
      ({ status, series }) => status === 204 && series.length > 20,
    )
    expect(merged.length).toBeGreaterThan(0)
    for (const { body } of merged) {
      expect(decodeRw2(snappy.decompress(body)!).symbols).not.toContain('noise')
    }
  }),
)
