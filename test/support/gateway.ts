import { mkdtemp, rm } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import { type Disk, nodeDisk } from '../../src/base/disk.ts'
import { createLogger } from '../../src/base/log.ts'
import { parseConfig } from '../../src/config/config.ts'
import { type Gateway, startGateway } from '../../src/gateway.ts'
import { snappy } from '../../src/wire/snappy.ts'
import { type Receiver, startReceiver } from './receiver.ts'
import { type FamilyLiteral, rw1Of, rw2Of, type SeriesLiteral } from './remote-write.ts'

export const RW1_TYPE = 'application/x-protobuf'
export const RW2_TYPE = 'application/x-protobuf;proto=io.prometheus.write.v2.Request'

/** What goes end to end is tested with one intake thread and with two. */
export const INTAKE_THREADS = Number(process.env['INTAKE_THREADS'] ?? 1)

export type Answer = {
  status: number
  text: string
  headers: { [name: string]: string | string[] | undefined }
  /** samples, histograms, exemplars as the Written headers say; null when there are none. */
  written: number[] | null
}

/** A whole gateway in this process, in front of a receiver that behaves like Prometheus. */
export type TestGateway = {
  gateway: Gateway
  receiver: Receiver
  directory: string
  /** The configuration, which a reload and a restart read anew. */
  text: { yaml: string }
  /** What is added to the clocks of the gateway: to the wall's, and to the one that never jumps. */
  clockOffset: { ms: number; monotonicMs: number }
  post(body: Uint8Array, headers?: { [name: string]: string }): Promise<Answer>
  /** Sends series compressed, as Remote Write 2.0 or 1.0. */
  push2(series: readonly SeriesLiteral[]): Promise<Answer>
  push1(series: readonly SeriesLiteral[], families?: readonly FamilyLiteral[]): Promise<Answer>
  admin(path: string): Promise<string>
  /** Stops the gateway and starts it again over the same directory. */
  restart(): Promise<void>
  stop(): Promise<void>
}

export async function startTestGateway(
  options: {
    yaml?: string
    receiver?: Parameters<typeof startReceiver>[0]
    window?: string
    quota?: string
    threads?: number
    /** Further limits, each with a comma before it. */
    limits?: string
    listen?: string
    /** Whether it takes OTLP by gRPC, which takes a moment to load. */
    grpc?: boolean
    /** How the first destination reaches the receiver; its own address when absent. */
    urlOf?: (receiver: Receiver) => string
    /** Further keys of the first destination, each a line that is indented by four. */
    central?: string
    /** Further destinations, as they stand in the list. */
    alsoTo?: string
    /** `protobuf_message` of the first destination. */
    protocol?: string
    disk?: Disk
  } = {},
): Promise<TestGateway> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-test-'))
  const receiver = await startReceiver(options.receiver)
  const clockOffset = { ms: 0, monotonicMs: 0 }
  const clock: Clock = {
    ...systemClock,
    nowMs: () => Date.now() + clockOffset.ms,
    monotonicMs: () => performance.now() + clockOffset.monotonicMs,
  }
  const yaml = `
${options.listen ?? listenOf(options.grpc ?? false)}
storage: { path: ${JSON.stringify(directory)}, quota: ${options.quota ?? '1GiB'} }
limits: { intake_threads: ${options.threads ?? INTAKE_THREADS}${options.limits ?? ''} }
remote_write:
  - url: ${options.urlOf?.(receiver) ?? receiver.url}
    out_of_order_time_window: ${options.window ?? '0s'}
${options.protocol === undefined ? '' : `    protobuf_message: ${options.protocol}`}
${options.central ?? ''}
${options.alsoTo ?? ''}
${options.yaml ?? ''}`
  const text = { yaml }
  const configOf = () => parseConfig(text.yaml, 'test.yaml').config
  const start = () =>
    startGateway(configOf(), {
      loadConfig: async () => configOf(),
      clock,
      disk: options.disk ?? nodeDisk,
      random: Math.random,
      log: createLogger({ level: 'silent' }),
    })
  const own: TestGateway = {
    gateway: await start(),
    receiver,
    directory,
    text,
    clockOffset,
    post: (body, headers = {}) => post(own.gateway.writePort, body, headers),
    push2: (series) => own.post(snappy.compress(rw2Of(series)), { 'Content-Type': RW2_TYPE }),
    push1: (series, families = []) =>
      own.post(snappy.compress(rw1Of(series, families)), { 'Content-Type': RW1_TYPE }),
    admin: async (path) => (await fetch(`http://127.0.0.1:${own.gateway.adminPort}${path}`)).text(),
    restart: async () => {
      await own.gateway.stop()
      own.gateway = await start()
    },
    stop: async () => {
      await own.gateway.stop()
      await receiver.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
  return own
}

type Parts = { [part: string]: number }
const UNSETTLED = ['waiting', 'quarantined', 'damaged', 'evicted', 'difference']

/**
 * Waits until everything has arrived at every destination, and nothing is missing, lost or set
 * aside in the books of the gateway.
 */
export async function expectGatewayBalanced({ admin }: TestGateway): Promise<void> {
  const unsettled = async () => {
    const { difference, clusters, destinations } = JSON.parse(await admin('/api/v1/balance'))
    return [
      difference,
      ...clusters.map((one: { difference: number }) => one.difference),
      ...destinations.flatMap((one: Parts & { clusters: Parts[] }) =>
        [one, ...one.clusters].flatMap((each) => UNSETTLED.map((part) => each[part])),
      ),
    ]
  }
  await expect
    .poll(async () => new Set(await unsettled()), { timeout: 15_000 })
    .toEqual(new Set([0]))
}

/** Time goes by for the gateway, by both of its clocks. */
export function passTime({ clockOffset }: TestGateway, ms: number): void {
  clockOffset.ms += ms
  clockOffset.monotonicMs += ms
}

function listenOf(grpc: boolean): string {
  const free = '127.0.0.1:0'
  const listeners = { write: free, otlp_http: free, otlp_grpc: grpc ? free : 'off', admin: free }
  return `listen: ${JSON.stringify(listeners)}`
}

/** Runs `body` with a gateway of its own, which is stopped whatever happens. */
export async function withGateway(
  body: (gateway: TestGateway) => Promise<void>,
  options: Parameters<typeof startTestGateway>[0] = {},
): Promise<void> {
  const gateway = await startTestGateway(options)
  try {
    await body(gateway)
  } finally {
    await gateway.stop()
  }
}

export function post(
  port: number,
  body: Uint8Array,
  headers: { [name: string]: string },
  path = '/api/v1/write',
  method = 'POST',
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: '127.0.0.1', port, path, method, headers, agent: false },
      (response) => {
        let text = ''
        response.on('data', (chunk) => {
          text += chunk
        })
        response.on('error', reject)
        response.on('end', () => {
          const status = response.statusCode ?? 0
          resolve({ status, text, headers: response.headers, written: writtenOf(response.headers) })
        })
      },
    )
    request.on('error', reject)
    request.end(body)
  })
}

function writtenOf(headers: Answer['headers']): number[] | null {
  const values = ['samples', 'histograms', 'exemplars'].map(
    (what) => headers[`x-prometheus-remote-write-${what}-written`],
  )
  return values.every((value) => value === undefined) ? null : values.map(Number)
}
