import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { snappy } from '../../src/wire/snappy.ts'
import {
  type Answered,
  keyOf,
  type ReceivedRequest,
  type ReceivedSeries,
  type StoredSample,
  type StoredSeries,
  store,
} from './receiver-store.ts'
import {
  bitsOf,
  decodeRw1,
  decodeRw2,
  type HistogramMessage,
  labelsOf,
  type Rw1Message,
  type Rw2Message,
} from './remote-write.ts'

/**
 * A central Prometheus for tests: it keeps what it is sent, by the rules of Prometheus 3.5,
 * and answers as that does, unless `respond` says otherwise.
 *
 * - The newest sample of a series again, bit for bit: accepted. Another value at its time,
 *   or an older time: refused, unless `oooWindowMs` covers it.
 * - What is refused depends on what was stored before the request; what is in the wrong order
 *   within one vanishes, and counts as written.
 * - Remote Write 1.0: one refused sample undoes the whole request, 400.
 * - Remote Write 2.0: the good part stays, 400; the Written headers say how much it was.
 */
export type Receiver = {
  /** Of the write endpoint. */
  url: string
  /** Every request, in the order of arrival, also those that were answered by script. */
  requests: ReceivedRequest[]
  /** By `keyOf` the labels. */
  series: Map<string, StoredSeries>
  /** In the order of arrival. Empty for a series that never came. */
  samplesOf(labels: { [name: string]: string }): StoredSample[]
  /** Asked before every answer; undefined means: as Prometheus would. */
  respond: Respond | undefined
  close(): Promise<void>
}

export type ReceiverOptions = {
  respond?: Respond
  /** How much older than its series' newest a sample may be. 0 when absent. */
  oooWindowMs?: number
  /** 0, the default, means any free one. */
  port?: number
}

export type Respond = (
  request: ReceivedRequest,
) => ScriptedResponse | undefined | Promise<ScriptedResponse | undefined>

/** What is left out stays as Prometheus would have it. */
export type ScriptedResponse = {
  status?: number
  headers?: { [name: string]: string }
  body?: string
  delayMs?: number
  /**
   * Cuts the connection: `before` storing anything, `after` storing but without an answer,
   * or in the middle (`during`) of the answer's body.
   */
  reset?: 'before' | 'after' | 'during'
  /** Whether the samples are kept. By default they are, unless a status is scripted. */
  store?: boolean
}

export async function startReceiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const { oooWindowMs = 0, port = 0 } = options
  const server = createServer((request, response) => {
    answer(receiver, oooWindowMs, request, response).catch((error: unknown) => {
      response.writeHead(500).end(`the test receiver failed: ${error}`)
    })
  })
  const receiver: Receiver = {
    url: '',
    requests: [],
    series: new Map(),
    samplesOf: (labels) => receiver.series.get(keyOf(labels))?.samples ?? [],
    respond: options.respond,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  receiver.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/write`
  return receiver
}

async function answer(
  receiver: Receiver,
  oooWindowMs: number,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const received = read(receiver.requests.length, request, Buffer.concat(chunks))
  if (typeof received === 'string') {
    response.writeHead(400).end(received)
    return
  }
  receiver.requests.push(received)

  const script = (await receiver.respond?.(received)) ?? {}
  if (script.reset === 'before') {
    request.socket.destroy()
    return
  }
  const stores = script.store ?? script.status === undefined
  const own: Answered = stores
    ? store(receiver.series, received, oooWindowMs)
    : { status: 204, headers: {}, body: '' }
  if (script.delayMs !== undefined) await delay(script.delayMs)
  if (script.reset === 'after') {
    request.socket.destroy()
    return
  }

  received.status = script.status ?? own.status
  const headers =
    script.status === undefined ? { ...own.headers, ...script.headers } : script.headers
  const body = script.body ?? (script.status === undefined ? own.body : '')
  if (script.reset === 'during') {
    response.writeHead(received.status, { ...headers, 'Content-Length': '1000' })
    response.write('cut of', () => request.socket.destroy())
    return
  }
  response.writeHead(received.status, headers).end(body === '' ? undefined : body)
}

function read(index: number, request: IncomingMessage, body: Buffer): ReceivedRequest | string {
  const contentType = request.headers['content-type'] ?? ''
  const protocol = contentType.includes('io.prometheus.write.v2.Request') ? 'rw2' : 'rw1'
  const raw = snappy.decompress(body)
  if (raw === null) return 'snappy: corrupt input'
  return {
    index,
    timeMs: performance.now(),
    method: request.method ?? '',
    path: request.url ?? '',
    headers: request.headers,
    protocol,
    body,
    series: protocol === 'rw1' ? seriesOfRw1(decodeRw1(raw)) : seriesOfRw2(decodeRw2(raw)),
    status: undefined,
  }
}

function seriesOfRw1(message: Rw1Message): ReceivedSeries[] {
  return message.timeseries.map(({ labels, samples, histograms, exemplars }) => ({
    labels: labels.map(({ name, value }) => [name, value]),
    samples: samplesOf(samples, histograms),
    exemplars: exemplars.map((exemplar) => ({
      labels: exemplar.labels.map(({ name, value }) => [name, value]),
      timestampMs: Number(exemplar.timestamp),
      bits: bitsOf(exemplar.value),
    })),
  }))
}

function seriesOfRw2(message: Rw2Message): ReceivedSeries[] {
  return message.timeseries.map((series) => ({
    labels: labelsOf(message, series),
    samples: samplesOf(series.samples, series.histograms),
    exemplars: series.exemplars.map((exemplar) => ({
      labels: labelsOf(message, exemplar),
      timestampMs: Number(exemplar.timestamp),
      bits: bitsOf(exemplar.value),
    })),
  }))
}

function samplesOf(
  samples: Rw1Message['timeseries'][number]['samples'],
  histograms: HistogramMessage[],
): StoredSample[] {
  return [
    ...samples.map(({ value, timestamp }) => ({
      timestampMs: Number(timestamp),
      bits: bitsOf(value),
    })),
    ...histograms.map((histogram) => ({
      timestampMs: Number(histogram.timestamp),
      bits: bitsOf(histogram.sum),
      histogram,
    })),
  ]
}
