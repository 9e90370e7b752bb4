import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { stringify } from 'yaml'
import { freePort, startChild } from '../test/support/child.ts'
import { peer } from '../test/support/peers.ts'
import { type Prometheus, startPrometheus } from '../test/support/prometheus.ts'

/**
 * The whole thing at work: node exporter -> Prometheus -> Sluice -> central Prometheus, all
 * of them real. The Prometheus writes everything twice, so that half of it is duplicates.
 */

const REPORT_EVERY_MS = 5_000
/** Taken where they are free; any other port does as well. */
const PORTS = { central: 9090, sender: 9091, exporter: 9100, write: 9201, admin: 9202 }
/** Series that the central Prometheus has just received. */
const COUNT = 'count({__name__=~".+"})'
const MAIN = join(import.meta.dirname, '..', 'src', 'sluice.js')

type Status = {
  received: Sums
  duplicates: { exact: number; conflict: number; replay: number }
  backlog: { samples: number }
  destinations: { forwarded: Sums }[]
}
type Sums = { samples: number; histograms: number }
type Started = { stop(): Promise<unknown> }[]

const { values } = parseArgs({ options: { seconds: { type: 'string' } } })
const seconds = Number(values.seconds ?? Number.POSITIVE_INFINITY)
if (!(seconds > 0)) throw new Error(`--seconds takes a positive number, not ${values.seconds}`)

const stopping = new AbortController()
const { signal } = stopping
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => stopping.abort())
// A terminal that was closed is no reason to leave processes behind.
process.stdout.on('error', () => stopping.abort())

const directory = await mkdtemp(join(tmpdir(), 'sluice-demo-'))
const started: Started = []
try {
  console.log('Fetching what is not installed, and starting …')
  const { central, admin } = await startAll(started)
  const endsAtMs = performance.now() + seconds * 1000
  const left = () => (signal.aborted ? 0 : endsAtMs - performance.now())
  await report(admin, central, left)
} catch (error) {
  // Ctrl-C may have ended a download in the middle.
  if (!signal.aborted) throw error
} finally {
  console.log('Stopping …')
  for (const each of started.reverse()) await each.stop()
  await rm(directory, { recursive: true, force: true })
}

/** From the far end to the near end. Each is added to `started` as soon as it runs. */
async function startAll(started: Started): Promise<{ central: Prometheus; admin: string }> {
  const central = await startPrometheus({ port: await freePort(PORTS.central), detached: true })
  started.push(central)
  signal.throwIfAborted()
  const { admin, url } = await startSluice(started, `${central.url}/api/v1/write`)
  signal.throwIfAborted()
  const target = await startExporter(started)
  signal.throwIfAborted()
  const destination = { url, message: 'io.prometheus.write.v2.Request' } as const
  const sender = await startPrometheus({
    port: await freePort(PORTS.sender),
    detached: true,
    externalLabels: { cluster: 'demo' },
    scrape: [{ job: 'node', target }],
    remoteWrite: [destination, destination],
  })
  started.push(sender)

  // Debian's Prometheus comes without web pages; the API is in every build.
  console.log(`
  sender     ${sender.url}/api/v1/targets
             scrapes a node exporter each second and writes everything twice
  Sluice     ${admin}/api/v1/status
             ${admin}/metrics
  central    ${central.url}/api/v1/query?query=node_load1
`)
  return { central, admin }
}

async function startSluice(started: Started, destination: string) {
  const write = `127.0.0.1:${await freePort(PORTS.write)}`
  const admin = `127.0.0.1:${await freePort(PORTS.admin)}`
  const configuration = {
    listen: { write, admin, otlp_http: 'off', otlp_grpc: 'off' },
    storage: { path: join(directory, 'data') },
    remote_write: [{ url: destination }],
  }
  const path = join(directory, 'sluice.yaml')
  await writeFile(path, stringify(configuration))
  const sluice = startChild(process.execPath, [MAIN, 'serve', '--config', path], { detached: true })
  started.push(sluice)
  await sluice.ready(`http://${admin}/-/ready`)
  return { admin: `http://${admin}`, url: `http://${write}/api/v1/write` }
}

/** Resolves with the target to scrape. */
async function startExporter(started: Started): Promise<string> {
  const target = `127.0.0.1:${await freePort(PORTS.exporter)}`
  const flags = [`--web.listen-address=${target}`]
  const exporter = startChild(await peer('node_exporter'), flags, { detached: true })
  started.push(exporter)
  await exporter.ready(`http://${target}/metrics`)
  return target
}

/** One line every few seconds, until somebody stops it or the time is up. */
async function report(admin: string, central: Prometheus, left: () => number): Promise<void> {
  let before = { received: 0, atMs: performance.now() }
  while (left() > 0) {
    await delay(Math.min(REPORT_EVERY_MS, left()), undefined, { signal }).catch(() => {})
    if (signal.aborted) return
    const status = (await (await fetch(`${admin}/api/v1/status`)).json()) as Status
    const [series] = await central.query(COUNT)
    const now = { received: sum(status.received), atMs: performance.now() }
    const perSecond = ((now.received - before.received) * 1000) / (now.atMs - before.atMs)
    const { exact, conflict, replay } = status.duplicates
    console.log(
      [
        `in ${now.received} samples (${Math.round(perSecond)}/s)`,
        `duplicates ${exact + conflict + replay}`,
        `arrived ${status.destinations.reduce((all, { forwarded }) => all + sum(forwarded), 0)}`,
        `waiting ${status.backlog.samples}`,
        `series in the central ${series?.value?.[1] ?? 0}`,
      ].join(', '),
    )
    before = now
  }
}

function sum({ samples, histograms }: Sums): number {
  return samples + histograms
}
