import { expect, test } from 'vitest'
import { snappy } from '../../src/wire/snappy.ts'
import { type Answer, RW2_TYPE, type TestGateway, withGateway } from '../support/gateway.ts'
import { encodeRw2, type SeriesLiteral } from '../support/remote-write.ts'

const T = Date.now()
const samples = [{ value: 1, timestamp: T }]
const good: SeriesLiteral = { labels: { __name__: 'good' }, samples }

/** Symbols of requests that a builder would not make. */
const symbols = ['', '__name__', 'good', 'bad']

function pushRaw({ post }: TestGateway, timeseries: object[]): Promise<Answer> {
  return post(snappy.compress(encodeRw2({ symbols, timeseries })), { 'Content-Type': RW2_TYPE })
}

async function expectOnlyGood({ receiver }: TestGateway): Promise<void> {
  await expect.poll(() => receiver.samplesOf({ __name__: 'good' })).toHaveLength(1)
  expect(receiver.series.size).toBe(1)
}

test.for([
  ['G21', { labelsRefs: [1, 3, 2], samples }],
  ['G22', { labelsRefs: [1, 4], samples }],
  ['G23', { labelsRefs: [1, 3], samples, metadata: { type: 1, helpRef: 9, unitRef: 0 } }],
] as const)('%s: bad references cost their series and no other', ([, bad]) =>
  withGateway(async (gateway) => {
    const answer = await pushRaw(gateway, [bad, { labelsRefs: [1, 2], samples }])
    expect(answer).toMatchObject({ status: 400, written: [1, 0, 0] })
    expect(answer.text).toMatch(/1 (label-invalid|symbol-out-of-range): /)
    await expectOnlyGood(gateway)
  }),
)

test('G24: bad references of an exemplar cost the exemplar, not the sample', () =>
  withGateway(async (gateway) => {
    const exemplars = [{ labelsRefs: [1, 7], value: 1, timestamp: T }]
    const answer = await pushRaw(gateway, [{ labelsRefs: [1, 2], samples, exemplars }])
    expect(answer).toMatchObject({ status: 400, written: [1, 0, 0] })
    await expectOnlyGood(gateway)
    expect(gateway.receiver.requests[0]!.series[0]!.exemplars).toEqual([])
  }))

test('G25: one string twice in the table is one identity', () =>
  withGateway(async ({ post, receiver }) => {
    const doubled = ['', '__name__', 'good', 'good']
    const timeseries = [
      { labelsRefs: [1, 2], samples },
      { labelsRefs: [1, 3], samples },
    ]
    const body = snappy.compress(encodeRw2({ symbols: doubled, timeseries }))
    const answer = await post(body, { 'Content-Type': RW2_TYPE })
    expect(answer).toMatchObject({ status: 204, written: [2, 0, 0] })
    await expect.poll(() => receiver.samplesOf({ __name__: 'good' })).toHaveLength(1)
    expect(receiver.requests.flatMap(({ series }) => series)).toHaveLength(1)
  }))

test('G26: one nameless series of four is named in the answer, three are kept', () =>
  withGateway(async ({ push2, receiver }) => {
    const named = ['a', 'b', 'c'].map((name) => ({ labels: { __name__: name }, samples }))
    const answer = await push2([{ labels: { job: 'j' }, samples }, ...named])
    expect(answer).toMatchObject({ status: 400, written: [3, 0, 0] })
    expect(answer.text).toContain('1 name-missing')
    await expect.poll(() => receiver.series.size).toBe(3)
  }))

test.for<[string, SeriesLiteral['labels']]>([
  ['G27', { __name__: '' }],
  [
    'G28',
    [
      ['__name__', 'm'],
      ['a', 'x'],
      ['a', 'x'],
    ],
  ],
  [
    'G30',
    [
      ['', 'x'],
      ['__name__', 'm'],
    ],
  ],
])('%s: labels that make no series are refused, and the rest is kept', ([, labels]) =>
  withGateway(async (gateway) => {
    const answer = await gateway.push2([{ labels, samples }, good])
    expect(answer).toMatchObject({ status: 400, written: [1, 0, 0] })
    await expectOnlyGood(gateway)
  }),
)

test('G29: a label with an empty value is no label', () =>
  withGateway(async ({ push2, receiver }) => {
    const answer = await push2([{ labels: { __name__: 'm', env: '' }, samples }])
    expect(answer).toMatchObject({ status: 204, written: [1, 0, 0] })
    // The same series again, without the label: a duplicate.
    expect(await push2([{ labels: { __name__: 'm' }, samples }])).toMatchObject({ status: 204 })
    await expect.poll(() => receiver.samplesOf({ __name__: 'm' })).toHaveLength(1)
    expect(receiver.series.size).toBe(1)
  }))

test('G31: text that is not UTF-8 is refused', () =>
  withGateway(async (gateway) => {
    const raw = Buffer.from(
      encodeRw2({
        symbols: ['', '__name__', 'good', '\u0001\u0002'],
        timeseries: [
          { labelsRefs: [1, 2, 3, 3], samples },
          { labelsRefs: [1, 2], samples },
        ],
      }),
    )
    const at = raw.indexOf(Buffer.from([1, 2]), raw.indexOf('good'))
    raw[at] = 0xff
    raw[at + 1] = 0xfe
    const answer = await gateway.post(snappy.compress(raw), { 'Content-Type': RW2_TYPE })
    expect(answer).toMatchObject({ status: 400, written: [1, 0, 0] })
    expect(answer.text).toContain('UTF-8')
    await expectOnlyGood(gateway)
  }))

test('G32: names with spaces and dots pass unchanged', () =>
  withGateway(async ({ push2, receiver }) => {
    const labels = { __name__: 'resource cpu usage', 'job.name': 'a b' }
    expect(await push2([{ labels, samples }])).toMatchObject({ status: 204, written: [1, 0, 0] })
    await expect.poll(() => receiver.samplesOf(labels)).toHaveLength(1)
  }))

test('G33: labels are sorted by their bytes, not by UTF-16', () =>
  withGateway(async ({ push2, receiver }) => {
    const labels = { __name__: 'm', '\u{1F600}': 'a', '\uFFFD': 'b' }
    expect(await push2([{ labels, samples }])).toMatchObject({ status: 204 })
    await expect.poll(() => receiver.requests).toHaveLength(1)
    const names = receiver.requests[0]!.series[0]!.labels.map(([name]) => name)
    expect(names).toEqual(['__name__', '\uFFFD', '\u{1F600}'])
  }))
