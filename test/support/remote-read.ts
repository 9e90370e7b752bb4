import protobuf from 'protobufjs'
import { snappy } from '../../src/wire/snappy.ts'

const root = protobuf.loadSync(new URL('./remote-read.proto', import.meta.url).pathname)
const REQUEST = root.lookupType('test.ReadRequest')
const RESPONSE = root.lookupType('test.ReadResponse')
const HISTOGRAM = root.lookupType('test.Histogram')
const TIME_SERIES = root.lookupType('test.TimeSeries')

export type RemoteSeries = {
  /** By Unix milliseconds: the bits of a float in hexadecimal, or of a histogram all its bytes. */
  samples: Map<number, string>
}

/** The numbers of the operators on the wire. */
const OPERATORS = { '=': 0, '!=': 1, '=~': 2, '!~': 3 }

export type Matcher = { name: string; operator: keyof typeof OPERATORS; value: string }

/**
 * Everything that a Prometheus holds of matching series, by its remote read endpoint. Keys
 * are the labels in JSON, as sorted pairs of name and value.
 *
 * @param selection metric name, regular expression for metric names, or all matchers
 */
export async function readRemote(
  url: string,
  selection: RegExp | string | Matcher[],
  startMs: number,
  endMs: number,
): Promise<Map<string, RemoteSeries>> {
  const matchers = matchersOf(selection).map((each) => ({
    ...each,
    type: OPERATORS[each.operator],
  }))
  const query = { startTimestampMs: startMs, endTimestampMs: endMs, matchers }
  const body = snappy.compress(REQUEST.encode({ queries: [query] }).finish())
  const answer = await fetch(url, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/x-protobuf',
      'Content-Encoding': 'snappy',
      'X-Prometheus-Remote-Read-Version': '0.1.0',
    },
    body: body.slice(),
  })
  const bytes = new Uint8Array(await answer.arrayBuffer())
  if (!answer.ok) throw new Error(`remote read: ${answer.status} ${Buffer.from(bytes)}`)
  return seriesOf(snappy.decompress(bytes)!)
}

function matchersOf(selection: RegExp | string | Matcher[]): Matcher[] {
  if (Array.isArray(selection)) return selection
  const name = '__name__'
  if (typeof selection === 'string') return [{ name, operator: '=', value: selection }]
  return [{ name, operator: '=~', value: selection.source }]
}

type Decoded = {
  results: { timeseries: { labels: { name: string; value: string }[] }[] }[]
}

function seriesOf(raw: Uint8Array): Map<string, RemoteSeries> {
  const decoded = RESPONSE.decode(raw) as unknown as Decoded
  const series = new Map<string, RemoteSeries>()
  for (const { timeseries } of decoded.results) {
    for (const each of timeseries) {
      const key = JSON.stringify(each.labels.map(({ name, value }) => [name, value]))
      series.set(key, { samples: samplesOf(each) })
    }
  }
  return series
}

function samplesOf(timeSeries: object): Map<number, string> {
  const { samples, histograms } = TIME_SERIES.toObject(timeSeries as protobuf.Message, {
    longs: String,
    arrays: true,
    defaults: true,
  }) as { samples: { value: string; timestamp: string }[]; histograms: Uint8Array[] }
  const all = new Map<number, string>()
  for (const { value, timestamp } of samples) {
    all.set(Number(timestamp), BigInt(value).toString(16).padStart(16, '0'))
  }
  for (const bytes of histograms) {
    const { timestamp } = HISTOGRAM.decode(bytes) as unknown as {
      timestamp: { toString(): string }
    }
    all.set(Number(timestamp.toString()), `histogram ${Buffer.from(bytes).toString('hex')}`)
  }
  return all
}
