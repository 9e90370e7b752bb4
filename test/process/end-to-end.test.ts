import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { freePort } from '../support/child.ts'
import { comparable } from '../support/comparable.ts'
import { startExporter } from '../support/exporter.ts'
import { type Prometheus, startPrometheus } from '../support/prometheus.ts'
import type { RemoteSeries } from '../support/remote-read.ts'
import { startSluice } from '../support/sluice.ts'

const STALE_MARKER = '7ff0000000000002'
const ORDINARY_NAN = '7ff8000000000001'

type Exemplars = { exemplars: { labels: { trace_id: string } }[] }[]

test.for(['io.prometheus.write.v2.Request', 'prometheus.WriteRequest'] as const)(
  'every sample of a Prometheus that sends %s is in the central one, bit-equal',
  {
    timeout: 120_000,
  },
  async (message) => {
    const started: { stop(): Promise<unknown> }[] = []
    const directory = await mkdtemp(join(tmpdir(), 'sluice-end-to-end-'))
    try {
      const startMs = Date.now()
      const central = keep(started, await startPrometheus())
      const sluice = await startSluice(directory, `${central.url}/api/v1/write`)
      keep(started, sluice.child)
      const exporter = keep(started, await startExporter())
      const ownPort = await freePort()
      const sender = keep(
        started,
        await startPrometheus({
          port: ownPort,
          externalLabels: { cluster: 'one' },
          remoteWrite: [{ url: sluice.url, message }],
          // Its own metrics are the source of native histograms.
          scrape: [
            { job: 'exporter', target: exporter.target },
            { job: 'self', target: `127.0.0.1:${ownPort}` },
          ],
        }),
      )
      await delay(6_000)
      exporter.isUp = false
      await delay(3_000)

      const endMs = Date.now() - 1_500
      const sent = await sender.read(/.+/, startMs, endMs)
      expectVariety(sent)
      await expect
        .poll(async () => missing(sent, await central.read(/.+/, startMs, endMs)), {
          timeout: 20_000,
          interval: 500,
        })
        .toEqual([])
      expect((await central.read(/.+/, startMs, endMs)).size).toBe(sent.size)

      if (message === 'io.prometheus.write.v2.Request') await expectMetadataAndExemplars(central)
    } finally {
      for (const each of started.reverse()) await each.stop()
      await rm(directory, { recursive: true, force: true })
    }
  },
)

function keep<T extends { stop(): Promise<unknown> }>(
  started: { stop(): Promise<unknown> }[],
  each: T,
) {
  started.push(each)
  return each
}

/** Otherwise equality would prove nothing. */
function expectVariety(series: Map<string, RemoteSeries>): void {
  const values = [...series.values()].flatMap(({ samples }) => [...samples.values()])
  expect(series.size).toBeGreaterThan(300)
  expect(values).toContain(STALE_MARKER)
  expect(values).toContain(ORDINARY_NAN)
  expect(values.some((value) => value.startsWith('histogram'))).toBe(true)
}

/** What `sent` has and `arrived` has not, or has with other bits; the first few. */
function missing(sent: Map<string, RemoteSeries>, arrived: Map<string, RemoteSeries>): string[] {
  const lost: string[] = []
  for (const [labels, { samples }] of sent) {
    const there = arrived.get(labels)?.samples
    for (const [timestampMs, bits] of samples) {
      const found = there?.get(timestampMs)
      if (found === undefined || comparable(found) !== comparable(bits)) {
        lost.push(`${labels} at ${timestampMs}: ${bits}, not ${found}`)
      }
    }
    if (there !== undefined && there.size > samples.size) lost.push(`${labels} has more samples`)
  }
  return lost.slice(0, 5)
}

async function expectMetadataAndExemplars(central: Prometheus): Promise<void> {
  // Prometheus shows the metadata of its own targets only; what it received is in its WAL.
  const wal = join(central.directory, 'data', 'wal')
  const segments = (await readdir(wal)).filter((name) => /^\d+$/.test(name))
  const text = await Promise.all(segments.map((name) => readFile(join(wal, name), 'latin1')))
  expect(text.join('')).toContain('How hot it is.')

  const query = 'query_exemplars?query=jobs_total'
  const span = `&start=${Date.now() / 1000 - 60}&end=${Date.now() / 1000}`
  const [found] = await central.api<Exemplars>(`${query}${span}`)
  expect(found?.exemplars[0]?.labels.trace_id).toMatch(/^trace-\d+$/)
}
