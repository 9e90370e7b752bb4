import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Family, protobufOf, textOf } from './exposition.ts'

export type ExporterOptions = {
  /** Only protobuf carries native histograms, and only to a Prometheus that asks for them. */
  format?: 'text' | 'protobuf'
  /** What is shown at the scrape of this number, from 1 on. */
  families?: (scrape: number) => Family[]
}

/** A scrape target that shows what a test tells it to. */
export type Exporter = {
  target: string
  /** Scrapes that were answered. */
  scrapes: number
  /** While false the target answers 503, so that Prometheus writes stale markers. */
  isUp: boolean
  stop(): Promise<void>
}

export async function startExporter(options: ExporterOptions = {}): Promise<Exporter> {
  const { format = 'text', families = ordinaryFamilies } = options
  const server = createServer((_request, response) => {
    if (!exporter.isUp) {
      response.writeHead(503).end()
      return
    }
    exporter.scrapes += 1
    show(response, format, families(exporter.scrapes))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const exporter: Exporter = {
    target: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    scrapes: 0,
    isUp: true,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return exporter
}

function show(response: ServerResponse, format: 'text' | 'protobuf', families: Family[]): void {
  if (format === 'text') {
    response.setHeader('Content-Type', 'application/openmetrics-text; version=1.0.0; charset=utf-8')
    response.end(textOf(families))
    return
  }
  const message = 'proto=io.prometheus.client.MetricFamily; encoding=delimited'
  response.setHeader('Content-Type', `application/vnd.google.protobuf; ${message}`)
  response.end(protobufOf(families))
}

/** One of each kind, with everything that the formats can say of it. */
export function ordinaryFamilies(scrape: number): Family[] {
  return [
    {
      name: 'jobs',
      type: 'counter',
      help: 'Jobs that were done.',
      points: [
        {
          labels: { kind: 'batch' },
          value: scrape,
          exemplar: { labels: { trace_id: `trace-${scrape}` }, value: scrape },
        },
      ],
    },
    {
      name: 'heat_celsius',
      type: 'gauge',
      unit: 'celsius',
      help: 'How hot it is.',
      points: [
        { labels: { room: 'kitchen \u{1F525}' }, value: Math.sin(scrape) * 20 },
        { labels: { room: 'broken' }, value: Number.NaN },
        { labels: { room: 'sun' }, value: Number.POSITIVE_INFINITY },
      ],
    },
    {
      name: 'wait_seconds',
      type: 'histogram',
      help: 'How long they waited.',
      points: [
        {
          sum: scrape * 1.25,
          buckets: [
            {
              bound: 0.1,
              count: scrape,
              exemplar: { labels: { trace_id: `wait-${scrape}` }, value: 0.05 },
            },
            { bound: Number.POSITIVE_INFINITY, count: scrape * 2 },
          ],
        },
      ],
    },
    {
      name: 'parcel_bytes',
      type: 'native histogram',
      help: 'How large parcels are.',
      points: [
        {
          sum: scrape * 100,
          schema: 3,
          zeroCount: 1,
          offset: 4,
          counts: [scrape, scrape * 3, scrape * 2],
        },
      ],
    },
  ]
}
