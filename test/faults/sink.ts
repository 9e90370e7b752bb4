import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { snappy } from '../../src/wire/snappy.ts'
import { decodeRw2, labelsOf } from '../support/remote-write.ts'

/**
 * A receiver that takes everything and remembers next to nothing of it: what came of the series
 * `sent` of each sender, whose values count its pushes.
 */
export type Sink = {
  url: string
  /** By sender, in the order of arrival. */
  arrived: Map<string, number[]>
  samples: number
  /** Whether it refuses for good what comes from a sender; it keeps the rest of a request. */
  refuses: ((sender: string) => boolean) | undefined
  /** How long it takes for each request. */
  delayMs: number
  close(): Promise<void>
}

export async function startSink(port: number): Promise<Sink> {
  const server = createServer((request, response) => {
    answer(sink, request, response).catch((error: unknown) => {
      response.writeHead(500).end(`the test's sink failed: ${error}`)
    })
  })
  const sink: Sink = {
    url: '',
    arrived: new Map(),
    samples: 0,
    refuses: undefined,
    delayMs: 0,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  sink.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/write`
  return sink
}

async function answer(
  sink: Sink,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const raw = snappy.decompress(Buffer.concat(chunks))
  if (raw === null) throw new Error('the body is not snappy')
  const message = decodeRw2(raw)
  let [samples, refused] = [0, 0]
  for (const series of message.timeseries) {
    const labels = new Map(labelsOf(message, series))
    const sender = labels.get('sender') ?? ''
    if (sink.refuses?.(sender)) {
      refused += series.samples.length
      continue
    }
    samples += series.samples.length
    const arrived = sink.arrived.get(sender) ?? []
    sink.arrived.set(sender, arrived)
    if (labels.get('__name__') !== 'sent') continue
    for (const { value } of series.samples) arrived.push(Number(value))
  }
  if (sink.delayMs > 0) await delay(sink.delayMs)
  sink.samples += samples
  response.writeHead(refused > 0 ? 400 : 204, {
    'X-Prometheus-Remote-Write-Samples-Written': samples,
    'X-Prometheus-Remote-Write-Histograms-Written': 0,
    'X-Prometheus-Remote-Write-Exemplars-Written': 0,
  })
  response.end(refused > 0 ? `${refused} samples are not welcome` : undefined)
}
