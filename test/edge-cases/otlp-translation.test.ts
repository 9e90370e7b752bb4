import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { nanos, requestOf, sumOf } from '../support/otlp.ts'
import { DOORS, type Doors, doorsOf } from '../support/otlp-doors.ts'
import type { StoredSeries } from '../support/receiver-store.ts'
import { STALE_NAN } from '../support/remote-write.ts'
import { now, one, ROWS } from './otlp-rows.ts'

const START = { timeout: 60_000 }

/** One gateway for all rows, each of which has a service or a metric that bears its number. */
let gateway: TestGateway
let doors: Doors & { close(): void }

beforeAll(async () => {
  const yaml = 'otlp: { promote_resource_attributes: [cloud.zone] }'
  gateway = await startTestGateway({ grpc: true, yaml })
  doors = doorsOf(gateway)
}, START.timeout)

afterAll(async () => {
  doors.close()
  await gateway.stop()
}, START.timeout)

/** What has come to the receiver of row `key`, as `name{labels} value`, sorted. */
function arrivedFor(key: string): string[] {
  const bears = ({ labels }: StoredSeries) =>
    labels.some(([name, value]) => /^(__name__|job|row)$/.test(name) && value.includes(key))
  return [...gateway.receiver.series.values()].filter(bears).map(textOf).sort()
}

function textOf({ labels, samples }: StoredSeries): string {
  const name = labels.find(([label]) => label === '__name__')![1]
  const others = labels.filter(([label]) => label !== '__name__').map((pair) => pair.join('='))
  const { bits, histogram, timestampMs } = samples.at(-1)!
  if (histogram !== undefined) {
    const { schema, positiveSpans, positiveDeltas, zeroThreshold, countInt } = histogram
    const spans = positiveSpans.map(({ offset, length }) => `${offset}+${length}`)
    const buckets = `${spans}[${positiveDeltas}]`
    const stale = histogram.sum === STALE_NAN ? ' stale' : ''
    return `${name}{${others}} ${schema} ${buckets} of ${countInt}, zero ${zeroThreshold}${stale}`
  }
  const value = new Float64Array(BigUint64Array.of(bits).buffer)[0]
  const at = timestampMs === now ? '' : ` at ${timestampMs - now}`
  return `${name}{${others}} ${bits === STALE_NAN ? 'stale' : value}${at}`
}

test.for(ROWS)('%s', START, async ([, key, { metrics, resource = {}, rejected = 0, arrives }]) => {
  // By turns, so that every door is gone through.
  const door = DOORS[Number(key.slice(1)) % DOORS.length]!
  const told = await doors.message(door, requestOf(metrics, resource))
  expect(told).toMatchObject({ status: door === 'gRPC' ? 0 : 200, rejected, isWellFormed: true })
  expect(told.message === '').toBe(rejected === 0)
  await expect.poll(() => arrivedFor(key)).toEqual(arrives)
})

test('G113: an exemplar whose attributes are too long keeps its ids', START, async () => {
  const ids = { traceId: Buffer.alloc(16, 0xab), spanId: Buffer.alloc(8, 1) }
  const filteredAttributes = [{ key: 'k', value: { stringValue: 'x'.repeat(100) } }]
  const value = { asDouble: 1, timeUnixNano: nanos(now) }
  const exemplars = [{ ...value, ...ids, filteredAttributes }]
  await doors.message('gRPC', requestOf([sumOf('g113', one({}, { asInt: '1', exemplars }))]))
  await expect.poll(() => arrivedFor('g113')).toEqual(['g113_total{} 1'])
  const [series] = [...gateway.receiver.series.values()].filter(({ labels }) =>
    labels.some(([, value]) => value === 'g113_total'),
  )
  expect(series!.exemplars.map(({ labels }) => labels)).toEqual([
    [
      ['span_id', '0101010101010101'],
      ['trace_id', 'abababababababababababababababab'],
    ],
  ])
})

test('G84, G85, G86: JSON is read as liberally as the Collector reads it', START, async () => {
  const exemplar = `{"asDouble":1,"timeUnixNano":${now}000000,"traceId":"${'AB'.repeat(16)}"}`
  const points = ['"', ''].map(
    (quote, i) =>
      `{"time_unix_nano":${quote}${now}000000${quote},"asInt":"7","exemplars":[${exemplar}],
        "attributes":[{"key":"i","value":{"stringValue":"${i}"}}],"nobody_knows":{"this":[1]}}`,
  )
  const data = `{"aggregationTemporality":2,"is_monotonic":true,"data_points":[${points}]}`
  const scope = `{"metrics":[{"name":"g84","sum":${data}}]}`
  const json = `{"resource_metrics":[{"scopeMetrics":[${scope}],"x":null}],"y":2}`
  const told = await doors.bytes('JSON', Buffer.from(json))
  expect(told).toMatchObject({ status: 200, rejected: 0, message: '' })
  await expect.poll(() => arrivedFor('g84')).toEqual(['g84_total{i=0} 7', 'g84_total{i=1} 7'])
  const exemplars = [...gateway.receiver.series.values()]
    .filter(({ labels }) => labels.some(([, value]) => value === 'g84_total'))
    .flatMap(({ exemplars: own }) => own.map(({ labels }) => labels))
  expect(exemplars).toContainEqual([['trace_id', 'ab'.repeat(16)]])
})

test('G87: JSON that is cut off is refused with a Status in JSON', START, async () => {
  const told = await doors.bytes('JSON', Buffer.from('{"resourceMetrics":[{"scopeMetrics":'))
  expect(told).toMatchObject({ status: 400, isWellFormed: true, retrySeconds: null })
  expect(told.message).toContain('no JSON')
})
