import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { freePort, startChild } from '../test/support/child.ts'
import { peer } from '../test/support/peers.ts'
import { startPrometheus } from '../test/support/prometheus.ts'
import { startSluice } from '../test/support/sluice.ts'

/**
 * The whole thing at work: node exporter -> Prometheus -> Sluice -> central Prometheus, all
 * of them real. The Prometheus writes everything twice, so that half of it is duplicates.
 */

const REPORT_EVERY_MS = 5_000
/** Series that the central Prometheus has just received. */
const COUNT = 'count({__name__=~".+"})'

type Status = {
  received: Sums
  duplicates: { exact: number; conflict: number; replay: number }
  destinations: { forwarded: Sums; waitingSamples: number }[]
}
type Sums = { samples: number; histograms: number }

const { values } = parseArgs({ options: { seconds: { type: 'string' } } })
const endsAtMs = performance.now() + Number(values.seconds ?? Number.POSITIVE_INFINITY) * 1000
const stopping = new AbortController()
process.on('SIGINT', () => stopping.abort())
process.on('SIGTERM', () => stopping.abort())

const directory = await mkdtemp(join(tmpdir(), 'sluice-demo-'))
const started: { stop(): Promise<unknown> }[] = []
try {
  console.log('Fetching what is not installed, and starting …')
  const central = await startPrometheus()
  started.push(central)
  const sluice = await startSluice(directory, `${central.url}/api/v1/write`)
  started.push(sluice.child)
  const exporterPort = await freePort()
  const exporter = startChild(await peer('node_exporter'), [
    `--web.listen-address=127.0.0.1:${exporterPort}`,
  ])
  started.push(exporter)
  await exporter.ready(`http://127.0.0.1:${exporterPort}/metrics`)
  const message = 'io.prometheus.write.v2.Request'
  const sender = await startPrometheus({
    externalLabels: { cluster: 'demo' },
    scrape: [{ job: 'node', target: `127.0.0.1:${exporterPort}` }],
    remoteWrite: [
      { url: sluice.url, message },
      { url: sluice.url, message },
    ],
  })
  started.push(sender)

  console.log(`
  sends      ${sender.url}   scrapes a node exporter each second, writes everything twice
  Sluice     ${sluice.admin}/api/v1/status and /metrics
  central    ${central.url}/query?g0.expr=node_load1
`)
  await report(sluice.admin, central.url)
} finally {
  console.log('Stopping …')
  for (const each of started.reverse()) await each.stop()
  await rm(directory, { recursive: true, force: true })
}

/** One line every few seconds, until somebody stops it or the time is up. */
async function report(admin: string, central: string): Promise<void> {
  let before: Status | undefined
  while (performance.now() < endsAtMs && !stopping.signal.aborted) {
    await delay(REPORT_EVERY_MS, undefined, { signal: stopping.signal }).catch(() => {})
    const status = (await (await fetch(`${admin}/api/v1/status`)).json()) as Status
    const head = await fetch(`${central}/api/v1/query?query=${encodeURIComponent(COUNT)}`)
    const arrived = (await head.json()) as { data: { result: { value: [number, string] }[] } }
    const [destination] = status.destinations
    const received = sum(status.received)
    const perSecond = (received - (before ? sum(before.received) : 0)) / (REPORT_EVERY_MS / 1000)
    const { exact, conflict, replay } = status.duplicates
    console.log(
      [
        `in ${received} samples (${Math.round(perSecond)}/s)`,
        `duplicates ${exact + conflict + replay}`,
        `arrived ${sum(destination!.forwarded)}`,
        `waiting ${destination!.waitingSamples}`,
        `series in the central ${arrived.data.result[0]?.value[1] ?? 0}`,
      ].join(', '),
    )
    before = status
  }
}

function sum({ samples, histograms }: Sums): number {
  return samples + histograms
}
