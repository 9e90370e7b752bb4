import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { snappy } from '../../src/wire/snappy.ts'
import { machineMirror } from '../support/debian.ts'
import { type Exporter, startExporter } from '../support/exporter.ts'
import { RW2_TYPE } from '../support/gateway.ts'
import { peer } from '../support/peers.ts'
import { type Prometheus, startPrometheus } from '../support/prometheus.ts'
import { decodeHistogram, rw2Of, STALE_NAN } from '../support/remote-write.ts'

const run = promisify(execFile)

const STALE_MARKER = STALE_NAN.toString(16)
/** The first use on a machine fetches it. */
const FETCH = { timeout: 300_000 }

test.for(['prometheus', 'promtool'] as const)('%s is 3.5 or newer', FETCH, async (name) => {
  const { stdout } = await run(await peer(name), ['--version'])
  const [, major, minor] = /version (\d+)\.(\d+)/.exec(stdout)!
  expect(Number(major) * 1000 + Number(minor)).toBeGreaterThanOrEqual(3_005)
})

test.for(['node_exporter', 'vmagent', 'nats-server'] as const)(
  '%s can be had, and runs',
  FETCH,
  async (name) => {
    await expect(run(await peer(name), ['--version'])).resolves.toBeDefined()
  },
)

test.for(['text', 'protobuf'] as const)(
  'what an exporter shows as %s is read back from Prometheus to the last bit',
  { timeout: 60_000 },
  async (format) => {
    const startMs = Date.now()
    const exporter = await startExporter({ format })
    const scrape = { job: 'own', target: exporter.target, intervalMs: 1000, labels: { zone: 'a' } }
    const prometheus = await startPrometheus({ scrape: [scrape] })
    try {
      await expect.poll(() => exporter.scrapes, { timeout: 20_000 }).toBeGreaterThanOrEqual(2)
      await expectMetadataAndExemplars(prometheus, format, startMs)
      exporter.isUp = false
      await expectHeat(prometheus, exporter, startMs)
      if (format === 'protobuf') await expectParcels(prometheus, exporter, startMs)

      const config = join(prometheus.directory, 'prometheus.yml')
      await run(await peer('promtool'), ['check', 'config', config])
    } finally {
      await prometheus.stop()
      await exporter.stop()
    }
  },
)

/** All values that were shown, in order, and then that the target is gone. */
async function expectHeat(
  prometheus: Prometheus,
  { scrapes }: Exporter,
  startMs: number,
): Promise<void> {
  const kitchen = [
    { name: '__name__', operator: '=', value: 'heat_celsius' } as const,
    { name: 'room', operator: '=~', value: 'kitchen.*' } as const,
  ]
  const readings = async () => {
    const [only] = await prometheus.read(kitchen, startMs, Date.now())
    return [...(only?.[1].samples ?? [])]
  }
  const shown = Array.from({ length: scrapes }, (_, i) => Math.sin(i + 1) * 20)
  await expect
    .poll(async () => (await readings()).map(([, bits]) => bits), { timeout: 10_000 })
    .toEqual([...shown.map(bitsOf), STALE_MARKER])

  // The query API agrees, but does not show the marker.
  const match = 'heat_celsius{room=~"kitchen.*",zone="a"}'
  const [first] = (await readings())[0]!
  const [raw] = await prometheus.rawSamples(match, first, Date.now())
  expect(raw?.[1].map(({ value }) => Number(value))).toEqual(shown)
  expect(raw?.[1][0]?.timestampMs).toBe(first)
  const [range] = await prometheus.queryRange(match, first, first, 1000)
  expect(range?.values?.map(([, value]) => Number(value))).toEqual([shown[0]])
  const [labels] = await prometheus.series(match, startMs, Date.now())
  expect(labels?.['room']).toBe('kitchen \u{1F525}')
}

async function expectParcels(
  prometheus: Prometheus,
  { scrapes }: Exporter,
  startMs: number,
): Promise<void> {
  const [only] = await prometheus.read('parcel_bytes', startMs, Date.now())
  const texts = [...only![1].samples.values()].map((text) => text.replace('histogram ', ''))
  const histograms = texts.map((hex) => decodeHistogram(Buffer.from(hex, 'hex')))
  const [marker] = histograms.splice(scrapes)
  expect(marker!.sum).toBe(STALE_NAN)
  for (const [i, { sum, schema, positiveSpans, positiveDeltas }] of histograms.entries()) {
    const scrape = i + 1
    expect(sum).toBe(scrape * 100)
    expect(schema).toBe(3)
    expect(positiveSpans).toEqual([{ offset: 4, length: 3 }])
    expect(positiveDeltas.map(Number)).toEqual([scrape, scrape * 2, -scrape])
  }
}

async function expectMetadataAndExemplars(
  prometheus: Prometheus,
  format: 'text' | 'protobuf',
  startMs: number,
): Promise<void> {
  await expect
    .poll(async () => (await prometheus.metadata())['heat_celsius'], { timeout: 10_000 })
    .toEqual([{ type: 'gauge', help: 'How hot it is.', unit: 'celsius' }])
  const jobs = await prometheus.exemplars('jobs_total', startMs, Date.now())
  expect(jobs[0]?.exemplars[0]?.labels).toEqual({ trace_id: 'trace-1' })
  const waits = await prometheus.exemplars('wait_seconds_bucket', startMs, Date.now())
  expect(waits[0]?.exemplars[0]?.value).toBe('0.05')
  expect(await prometheus.metrics()).toContain('prometheus_build_info')
  const names = await prometheus.query('count by (__name__) ({zone="a"})')
  const hasParcels = names.some(({ metric }) => metric['__name__'] === 'parcel_bytes')
  expect(hasParcels).toBe(format === 'protobuf')
}

test('a Prometheus that was killed goes on over its data', { timeout: 60_000 }, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-peers-'))
  const timestampMs = Date.now()
  const held = async ({ read }: Prometheus) => {
    const series = await read('kept', timestampMs, timestampMs)
    return [...series.values()].map(({ samples }) => [...samples])
  }
  let prometheus = await startPrometheus({ directory })
  try {
    const samples = [{ value: 0.1, timestamp: timestampMs }]
    const answer = await fetch(`${prometheus.url}/api/v1/write`, {
      method: 'POST',
      headers: { 'Content-Type': RW2_TYPE, 'Content-Encoding': 'snappy' },
      body: snappy.compress(rw2Of([{ labels: { __name__: 'kept' }, samples }])).slice(),
    })
    expect(answer.status).toBe(204)
    await prometheus.kill()

    prometheus = await startPrometheus({ directory })
    await prometheus.child.says('WAL replay completed')
    expect(await held(prometheus)).toEqual([[[timestampMs, bitsOf(0.1)]]])
  } finally {
    await prometheus.kill()
    await rm(directory, { recursive: true, force: true })
  }
})

const SECURITY = 'deb http://mirror.example/debian-security x-security main\n'
const KEYRINGS = '/usr/share/keyrings/debian-archive-keyring.gpg'

test.for([
  {
    what: 'a line with options',
    name: 'a.list',
    text: `${SECURITY}deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian x main\n`,
    mirror: { uri: 'http://mirror.example/debian', signedBy: '/k.gpg' },
  },
  {
    what: 'a line without options',
    name: 'a.list',
    text: '# deb http://old.example/debian x main\ndeb https://mirror.example/debian/ x main\n',
    mirror: { uri: 'https://mirror.example/debian/', signedBy: KEYRINGS },
  },
  {
    what: 'a paragraph behind a disabled one',
    name: 'a.sources',
    text:
      'Types: deb\nEnabled: no\nURIs: http://off.example/debian\n\n' +
      'Types: deb\n# URIs: http://old.example/debian\nURIs: http://mirror.example/debian\n' +
      'Signed-By: /k.gpg\n',
    mirror: { uri: 'http://mirror.example/debian', signedBy: '/k.gpg' },
  },
  {
    what: 'a paragraph with its key inside',
    name: 'a.sources',
    text: 'Types: deb\nURIs: http://mirror.example/debian\nSigned-By:\n BEGIN\n .\n END\nSuites: x\n',
    mirror: { uri: 'http://mirror.example/debian', signedBy: 'BEGIN\n .\n END' },
  },
])('the mirror is found in $what', async ({ name, text, mirror }) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-sources-'))
  try {
    await mkdir(join(folder, 'sources.list.d'))
    const disabled = 'deb http://disabled.example/debian x main\n'
    await writeFile(join(folder, 'sources.list.d', 'a.list.disabled'), disabled)
    await expect(machineMirror(folder)).rejects.toThrow('is Debian')
    await writeFile(join(folder, 'sources.list.d', name), text)
    expect(await machineMirror(folder)).toEqual(mirror)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

function bitsOf(value: number): string {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(value)
  return bytes.toString('hex')
}
