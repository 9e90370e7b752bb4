import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A scrape target in OpenMetrics text, with everything that the text format can say. */
export type Exporter = {
  target: string
  /** While false the target answers 503, so that Prometheus writes stale markers. */
  isUp: boolean
  stop(): Promise<void>
}

export async function startExporter(): Promise<Exporter> {
  let scrapes = 0
  const server = createServer((_request, response) => {
    if (!exporter.isUp) {
      response.writeHead(503).end()
      return
    }
    scrapes += 1
    response.setHeader('Content-Type', 'application/openmetrics-text; version=1.0.0; charset=utf-8')
    response.end(exposition(scrapes))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const exporter: Exporter = {
    target: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    isUp: true,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return exporter
}

function exposition(scrapes: number): string {
  const lines = [
    '# TYPE jobs counter',
    '# HELP jobs Jobs that were done.',
    `jobs_total{kind="batch"} ${scrapes} # {trace_id="trace-${scrapes}"} ${scrapes}`,
    '# TYPE heat_celsius gauge',
    '# UNIT heat_celsius celsius',
    '# HELP heat_celsius How hot it is.',
    `heat_celsius{room="kitchen \u{1F525}"} ${Math.sin(scrapes) * 20}`,
    'heat_celsius{room="broken"} NaN',
    'heat_celsius{room="sun"} +Inf',
    '# TYPE wait_seconds histogram',
    '# HELP wait_seconds How long they waited.',
    `wait_seconds_bucket{le="0.1"} ${scrapes} # {trace_id="wait-${scrapes}"} 0.05`,
    `wait_seconds_bucket{le="+Inf"} ${scrapes * 2}`,
    `wait_seconds_sum ${scrapes * 1.25}`,
    `wait_seconds_count ${scrapes * 2}`,
    '# EOF',
  ]
  return `${lines.join('\n')}\n`
}
