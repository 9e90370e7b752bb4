import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { snappy } from '../../src/wire/snappy.ts'
import { passTime, RW1_TYPE, RW2_TYPE, type TestGateway, withGateway } from '../support/gateway.ts'
import { peer } from '../support/peers.ts'
import { rw2Of } from '../support/remote-write.ts'
import { moved, valuesOf } from './parts.ts'

const T = Date.now()
const one = (name: string, value = 1, timestamp = T) => ({
  labels: { __name__: name },
  samples: [{ value, timestamp }],
})

/**
 * `act` moves these of the metrics that match, and no others. What is forwarded may take a
 * moment; whether anything is, shows in the number of records, which is there at once.
 */
async function expectMoved(
  gateway: TestGateway,
  match: RegExp,
  act: () => Promise<unknown>,
  expected: { [name: string]: number },
): Promise<void> {
  const before = await valuesOf(gateway)
  await act()
  await expect
    .poll(async () => moved(before, await valuesOf(gateway), match), { timeout: 5_000 })
    .toEqual(expected)
}

const TOTALS = /_total/

test(
  'promtool can read the page, and of our own names finds nothing to correct',
  {
    timeout: 300_000,
  },
  () =>
    withGateway(async ({ push2, admin }) => {
      await push2([
        one('m'),
        { labels: { job: 'nameless' }, samples: [{ value: 1, timestamp: T }] },
      ])
      const promtool = await peer('promtool')
      const text = await admin('/metrics')
      const problems = await new Promise<string[]>((resolve, reject) => {
        const child = execFile(promtool, ['check', 'metrics'], (error, stdout, stderr) => {
          // 3 means that it has read everything, and that there are remarks.
          const code = error?.code ?? 0
          if (code !== 0 && code !== 3) reject(new Error(`${code}: ${stdout}${stderr}`))
          else resolve(`${stdout}${stderr}`.split('\n'))
        })
        child.stdin!.end(text)
      })
      // A summary counts since the start; how late the loop was is of interest per scrape.
      const own = problems.filter((line) => line.startsWith('sluice_'))
      expect(own.filter((line) => !line.includes('"quantile" label'))).toEqual([])
    }),
)

test('the content type says which text format the page has', () =>
  withGateway(async ({ gateway }) => {
    const { headers, status } = await fetch(`http://127.0.0.1:${gateway.adminPort}/metrics`)
    expect(status).toBe(200)
    expect(headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  }))

/** Some metrics are there only where something is asked for. */
const EVERYTHING = { yaml: 'otlp: { delta: cumulative }' }

test('every metric on the page has its place in the README, and none there is missing', () =>
  withGateway(async ({ push2, admin }) => {
    await push2([one('m'), { labels: { job: 'nameless' }, samples: [{ value: 1, timestamp: T }] }])
    const page = await admin('/metrics')
    const shown = [...page.matchAll(/^# TYPE (sluice_\S+)/gm)].map(([, name]) => name!)
    const readme = await readFile(join(import.meta.dirname, '..', '..', 'README.md'), 'utf8')
    const documented = documentedNames(readme)
    const isNamed = (name: string) => documented.some((names) => names.has(name))
    expect(shown.filter((name) => !isNamed(name))).toEqual(['sluice_build_info'])
    expect(documented.filter((names) => !shown.some((name) => names.has(name)))).toEqual([])
  }, EVERYTHING))

/**
 * What each name in the table may stand for: `_b_total` beside `sluice_x_a_total` follows
 * any part of it, and `…` stands for a kind.
 */
function documentedNames(readme: string): Set<string>[] {
  return [...readme.matchAll(/^\| (`sluice_[^|]*) \|/gm)].flatMap(([, cell]) => {
    const [first = '', ...tails] = [...cell!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!)
    const kinds = ['samples', 'histograms', 'exemplars']
    const whole = first.includes('…') ? kinds.map((kind) => first.replace('…', kind)) : [first]
    const starts = first.split('_').map((_, i, parts) => parts.slice(0, i).join('_'))
    return [
      ...whole.map((name) => new Set([name])),
      ...tails.map((tail) => new Set(starts.map((start) => `${start}${tail}`))),
    ]
  })
}

test('a push of new samples moves what was received, committed and forwarded, and no more', () =>
  withGateway(async (gateway) => {
    const histogram = { timestamp: T, countInt: 0, sum: 0 }
    const push = () =>
      gateway.push2([
        { ...one('a'), exemplars: [{ value: 1, timestamp: T }] },
        one('b'),
        { labels: { __name__: 'h' }, histograms: [histogram] },
      ])
    await expectMoved(gateway, TOTALS, push, {
      'receive_requests_total{protocol="rw2",status="204"}': 1,
      'receive_pushes_total{outcome="accepted"}': 1,
      receive_samples_total: 2,
      receive_histograms_total: 1,
      receive_exemplars_total: 1,
      persist_records_total: 1,
      'forward_forwarded_samples_total{destination="central"}': 2,
      'forward_forwarded_histograms_total{destination="central"}': 1,
      'forward_forwarded_exemplars_total{destination="central"}': 1,
    })
    const values = await valuesOf(gateway)
    expect(values.get('sluice_admit_series')).toBe(3)
    expect(values.get('sluice_persist_commit_seconds_count')).toBe(1)
    expect(values.get('sluice_persist_commit_seconds_sum')).toBeGreaterThan(0)
    expect(values.get('sluice_persist_uncommitted_records')).toBe(0)
    expect(values.get('sluice_receive_bodies_bytes')).toBe(0)
  }))

test('samples that are there already are counted by how that was found, and not forwarded', () =>
  withGateway(async (gateway) => {
    const { push2, post } = gateway
    const body = snappy.compress(rw2Of([one('a'), one('b')]))
    const push = () => post(body, { 'Content-Type': RW2_TYPE })
    await push()
    await expect.poll(() => gateway.receiver.samplesOf({ __name__: 'b' })).toHaveLength(1)

    const duplicates = /pushes|samples_total|records_total/
    await expectMoved(gateway, duplicates, push, {
      'receive_pushes_total{outcome="replayed"}': 1,
      receive_samples_total: 2,
      'admit_duplicate_samples_total{kind="replay"}': 2,
    })
    const exact = () => push2([one('a')])
    await expectMoved(gateway, duplicates, exact, {
      'receive_pushes_total{outcome="accepted"}': 1,
      receive_samples_total: 1,
      'admit_duplicate_samples_total{kind="exact"}': 1,
    })
    const conflict = () => push2([one('a', 2), one('b', 2), one('c')])
    await expectMoved(gateway, duplicates, conflict, {
      'receive_pushes_total{outcome="accepted"}': 1,
      receive_samples_total: 3,
      'admit_duplicate_samples_total{kind="conflict"}': 2,
      persist_records_total: 1,
      'forward_forwarded_samples_total{destination="central"}': 1,
    })
  }))

test('what is refused is counted by its reason, and the rest goes on', () =>
  withGateway(async (gateway) => {
    const nameless = { labels: { job: 'j' }, samples: [{ value: 1, timestamp: T }] }
    const ahead = one('ahead', 1, T + 3_600_000)
    await gateway.push2([one('late')])
    await expect.poll(() => gateway.receiver.samplesOf({ __name__: 'late' })).toHaveLength(1)
    const push = () =>
      gateway.push2([one('a'), nameless, nameless, ahead, one('late', 1, T - 60_000)])
    await expectMoved(gateway, TOTALS, push, {
      'receive_requests_total{protocol="rw2",status="400"}': 1,
      'receive_pushes_total{outcome="partial"}': 1,
      receive_samples_total: 5,
      'admit_rejected_elements_total{reason="name-missing"}': 2,
      'admit_rejected_elements_total{reason="too-far-ahead"}': 1,
      'admit_rejected_elements_total{reason="late"}': 1,
      'admit_rejected_samples_total{cluster="default",reason="name-missing"}': 2,
      'admit_rejected_samples_total{cluster="default",reason="too-far-ahead"}': 1,
      'admit_rejected_samples_total{cluster="default",reason="late"}': 1,
      persist_records_total: 1,
      'forward_forwarded_samples_total{destination="central"}': 1,
    })
  }))

test('a request that is no push moves the answers, and no sample', () =>
  withGateway(async (gateway) => {
    const { post } = gateway
    const garbage = Buffer.from('garbage')
    const act = async () => {
      await post(garbage, { 'Content-Type': 'application/json' })
      await post(garbage, { 'Content-Type': RW1_TYPE })
      await post(garbage, { 'Content-Type': RW2_TYPE, 'Retry-Attempt': '1' })
    }
    await expectMoved(gateway, TOTALS, act, {
      'receive_requests_total{protocol="none",status="415"}': 1,
      'receive_requests_total{protocol="rw1",status="400"}': 1,
      'receive_requests_total{protocol="rw2",status="400"}': 1,
      'receive_pushes_total{outcome="malformed"}': 2,
      receive_retried_requests_total: 1,
    })
  }))

test('what the destination does not take yet waits, with its age, and then does not', () =>
  withGateway(async (gateway) => {
    const { push2, receiver } = gateway
    receiver.respond = () => ({ status: 503 })
    await push2([one('a'), one('b')])
    const waiting = async () => {
      const values = await valuesOf(gateway)
      const of = (name: string) => values.get(`sluice_forward_${name}{destination="central"}`)
      return {
        samples: of('waiting_samples'),
        hasBytes: of('waiting_bytes')! > 0,
        isOld: of('oldest_waiting_seconds')! >= 60,
        wasRetried: of('retries_total')! > 0,
        forwarded: of('forwarded_samples_total'),
      }
    }
    const stuck = { samples: 2, hasBytes: true, isOld: false, wasRetried: true, forwarded: 0 }
    await expect.poll(waiting).toEqual(stuck)
    passTime(gateway, 61_000)
    expect(await waiting()).toEqual({ ...stuck, isOld: true })
    receiver.respond = undefined
    await expect
      .poll(waiting, { timeout: 10_000 })
      .toEqual({ samples: 0, hasBytes: false, isOld: false, wasRetried: true, forwarded: 2 })
  }))

test('what the destination will never take is counted as refused', () =>
  withGateway(async (gateway) => {
    const { push2, receiver } = gateway
    receiver.respond = () => ({
      status: 400,
      headers: { 'X-Prometheus-Remote-Write-Samples-Written': '1' },
    })
    const refused = /^sluice_forward_(refused|forwarded|unsupported)/
    await expectMoved(gateway, refused, () => push2([one('a'), one('b'), one('c')]), {
      'forward_forwarded_samples_total{destination="central"}': 1,
      'forward_refused_samples_total{destination="central"}': 2,
    })
  }))

test('scraping does not move anything', () =>
  withGateway(async (gateway) => {
    await gateway.push2([one('a'), one('b')])
    const forwarded = 'sluice_forward_forwarded_samples_total{destination="central"}'
    await expect.poll(async () => (await valuesOf(gateway)).get(forwarded)).toBe(2)
    const [first, second] = [await valuesOf(gateway), await valuesOf(gateway)]
    expect(Object.keys(moved(first, second, /^(?!.*event_loop)/))).toEqual([])
  }))
