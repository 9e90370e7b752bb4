import { expect, test } from 'vitest'
import { withGateway } from '../support/gateway.ts'
import { startReceiver } from '../support/receiver.ts'

const startMs = Date.now() - 60_000
const labels = { __name__: 'up' }
const seriesAt = (tick: number) => [
  { labels, samples: [{ value: tick, timestamp: startMs + tick }] },
]

test('F35: a reload adds, moves and parks destinations; who keeps his name keeps his place', () =>
  withGateway(async ({ gateway, text, push2, receiver, admin, restart }) => {
    const samplesAt = (at: typeof receiver) =>
      at.samplesOf(labels).map(({ timestampMs }) => timestampMs - startMs)
    const reload = () => fetch(`http://127.0.0.1:${gateway.adminPort}/-/reload`, { method: 'POST' })
    const names = async () =>
      JSON.parse(await admin('/api/v1/balance')).destinations.map(
        ({ name, difference }: { name: string; difference: number }) => [name, difference],
      )
    await push2(seriesAt(1))
    await expect.poll(() => samplesAt(receiver)).toEqual([1])

    // Another receiver beside it, and the first one at another place.
    const [moved, second] = [await startReceiver(), await startReceiver()]
    const before = text.yaml
    text.yaml = before
      .replace(receiver.url, moved.url)
      .concat(`\n  - { name: second, url: "${second.url}" }`)
    expect((await reload()).status).toBe(200)
    await push2(seriesAt(2))
    await expect.poll(() => samplesAt(second)).toEqual([1, 2])
    await expect.poll(() => samplesAt(moved)).toEqual([2])
    await expect.poll(names).toEqual([
      ['central', 0],
      ['second', 0],
    ])

    // The second one goes, and finds its place when it comes back.
    text.yaml = before.replace(receiver.url, moved.url)
    await gateway.reload()
    await push2(seriesAt(3))
    await expect.poll(() => samplesAt(moved)).toEqual([2, 3])
    expect(samplesAt(second)).toEqual([1, 2])
    expect(await names()).toEqual([['central', 0]])
    text.yaml = text.yaml.concat(`\n  - { name: second, url: "${second.url}" }`)
    await gateway.reload()
    await expect.poll(() => samplesAt(second)).toEqual([1, 2, 3])
    expect(second.requests.flatMap(({ series }) => series)).toHaveLength(3)

    await restart()
    await push2(seriesAt(4))
    await expect.poll(() => samplesAt(second)).toEqual([1, 2, 3, 4])
    await moved.close()
    await second.close()
  }))

test('F35: a reload that cannot be done changes nothing, and says why', () =>
  withGateway(async ({ gateway, text, push2, receiver }) => {
    const good = text.yaml
    for (const [yaml, problem] of [
      [
        good.replace('remote_write:', 'remote_wriet:'),
        'unknown setting, did you mean "remote_write"?',
      ],
      [good.replace('quota: 1GiB', 'quota: 2GiB'), 'storage: cannot be changed while sluice runs'],
      ['remote_write: []', 'names no destination'],
      [`${good}\notlp: { promote_scope_metadata: true }`, 'otlp: cannot be changed while sluice'],
      [`${good}\nlimits: {`, 'test.yaml:'],
    ] as const) {
      text.yaml = yaml
      const url = `http://127.0.0.1:${gateway.adminPort}/-/reload`
      const answer = await fetch(url, { method: 'POST' })
      expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining(problem)])
    }
    await push2(seriesAt(1))
    await expect.poll(() => receiver.samplesOf(labels).length).toBe(1)
  }))
