import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { snappy } from '../../src/wire/snappy.ts'
import { atScale, isFull } from '../support/fault-scale.ts'
import { expectGatewayBalanced, RW1_TYPE, RW2_TYPE, withGateway } from '../support/gateway.ts'
import { startReceiver } from '../support/receiver.ts'
import { rw1Of, rw2Of } from '../support/remote-write.ts'
import { expectBalanced, SLUICE_YAML, startSluice } from '../support/sluice.ts'

vi.setConfig({ testTimeout: 300_000 })

const MIB = 2 ** 20
const SENDERS = atScale(30, 200)
/** What has gathered at each of them while the gateway was away. */
const PUSHES = atScale(2, 5)
const BODY_MEMORY = atScale(34 * MIB, 64 * MIB)
/** All of them together are twice what there is room for. */
const BODY_BYTES = Math.floor((2 * BODY_MEMORY) / SENDERS)
/** In two pieces, so that all of them are on their way at the same time. */
const PAUSE_MS = 1_000

const startMs = Date.now() - 60_000

/** A field of a number that nobody knows, which is passed over; and nobody can compress it. */
const filling = Buffer.concat([
  Uint8Array.of(
    0x7a,
    ...[0, 7, 14, 21].map((bits, i) => ((BODY_BYTES >>> bits) & 127) | (i < 3 ? 128 : 0)),
  ),
  randomBytes(BODY_BYTES),
])

function bodyOf(sender: number, tick: number): [body: Uint8Array, type: string] {
  const samples = [{ value: tick, timestamp: startMs + tick }]
  const series = [{ labels: { __name__: 'up', sender: String(sender) }, samples }]
  const isRw2 = sender % 2 === 0
  const raw = Buffer.concat([isRw2 ? rw2Of(series) : rw1Of(series), filling])
  return [snappy.compress(raw), isRw2 ? RW2_TYPE : RW1_TYPE]
}

type Told = { statuses: number[]; retryAfter: number[] }

/** Sends a push in two pieces; the answer may come before the second one. */
function send(port: number, body: Uint8Array, type: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': type, 'Content-Length': body.length }
    const options = { host: '127.0.0.1', port, path: '/api/v1/write', agent: false, headers }
    const request = httpRequest({ ...options, method: 'POST' }, (response) => {
      response.on('error', () => {}).resume()
      resolve(response)
    })
    // After an answer the rest of the body meets a closed connection.
    request.on('error', reject)
    request.write(body.subarray(0, 1_000))
    setTimeout(() => request.end(body.subarray(1_000)), PAUSE_MS)
  })
}

/** Sends what it has, and comes back when it is told to. */
async function comeBack(
  port: number,
  sender: number,
  first: ReturnType<typeof bodyOf>,
  told: Told,
): Promise<void> {
  for (let tick = 1; tick <= PUSHES; ) {
    const { statusCode: status = 0, headers } = await send(
      port,
      ...(tick === 1 ? first : bodyOf(sender, tick)),
    )
    told.statuses.push(status)
    if (status === 204) tick += 1
    else if (status === 503) {
      const seconds = Number(headers['retry-after'])
      told.retryAfter.push(seconds)
      await delay(1_000 * seconds)
    } else throw new Error(`nobody may be told ${status}`)
  }
}

/** All of them, with their first pushes in their hands. */
async function comeBackAtOnce(port: number, told: Told): Promise<void> {
  const first = Array.from({ length: SENDERS }, (_, i) => bodyOf(i, 1))
  await Promise.all(first.map((push, i) => comeBack(port, i, push, told)))
}

function expectSpread({ statuses, retryAfter }: Told): void {
  expect(new Set(statuses)).toEqual(new Set([204, 503]))
  for (const seconds of retryAfter) {
    expect(Number.isInteger(seconds)).toBe(true)
    expect(seconds).toBeGreaterThanOrEqual(1)
    expect(seconds).toBeLessThanOrEqual(60)
  }
  // Those who were turned away at one moment do not come back at one moment.
  expect(new Set(retryAfter).size).toBeGreaterThan(1)
  const most = Math.max(
    ...[...new Set(retryAfter)].map((one) => retryAfter.filter((each) => each === one).length),
  )
  expect(most).toBeLessThan(0.8 * retryAfter.length)
}

test('F51: senders that come back at once are told to spread, and all of them are served', () =>
  withGateway(
    async (own) => {
      const told: Told = { statuses: [], retryAfter: [] }
      let isOver = false
      let mostBytes = 0
      const watching = (async () => {
        while (!isOver) {
          const page = await own.admin('/metrics')
          const bytes = /^sluice_receive_bodies_bytes (\d+)$/m.exec(page)![1]
          mostBytes = Math.max(mostBytes, Number(bytes))
          await delay(20)
        }
      })()
      const senders = Array.from({ length: SENDERS }, (_, i) => i)
      await comeBackAtOnce(own.gateway.writePort, told)
      isOver = true
      await watching
      expectSpread(told)
      expect(mostBytes).toBeGreaterThan(0)
      expect(mostBytes).toBeLessThanOrEqual(BODY_MEMORY)
      const ticks = Array.from({ length: PUSHES }, (_, i) => startMs + i + 1)
      for (const i of senders) {
        const labels = { __name__: 'up', sender: String(i) }
        const times = () => own.receiver.samplesOf(labels).map(({ timestampMs }) => timestampMs)
        await expect.poll(times, { timeout: 30_000 }).toEqual(ticks)
      }
      await expectGatewayBalanced(own)
      const arrived = own.receiver.requests.flatMap(({ series }) => series)
      expect(arrived).toHaveLength(SENDERS * PUSHES)
    },
    { limits: `, body_memory: ${BODY_MEMORY / MIB}MiB`, threads: 1 },
  ))

test('F51: a gateway that starts again meets its whole fleet, and its memory stays bounded', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-fleet-'))
  const receiver = await startReceiver()
  const yaml = SLUICE_YAML.replace(/ }\n$/, `, body_memory: ${BODY_MEMORY / MIB}MiB }\n`)
  const sluice = await startSluice(directory, receiver.url, [], yaml)
  try {
    await sluice.child.kill()
    await sluice.startAgain()
    const { pid } = sluice.child.process
    const port = Number(new URL(sluice.url).port)
    const told: Told = { statuses: [], retryAfter: [] }
    const senders = Array.from({ length: SENDERS }, (_, i) => i)
    const begunMs = performance.now()
    await comeBackAtOnce(port, told)
    const tookMs = performance.now() - begunMs
    expectSpread(told)
    await expectBalanced(sluice)
    const status = await readFile(`/proc/${pid}/status`, 'utf8')
    const peakBytes = 1024 * Number(/^VmHWM:\s+(\d+) kB/m.exec(status)![1])
    if (isFull) console.log({ tookMs, peakBytes, turnedAway: told.retryAfter.length })
    // The bodies that there may be, and the process.
    expect(peakBytes).toBeLessThan(BODY_MEMORY + 350 * MIB)
    for (const i of senders) {
      expect(receiver.samplesOf({ __name__: 'up', sender: String(i) })).toHaveLength(PUSHES)
    }
  } finally {
    await sluice.child.kill()
    await receiver.close()
    await rm(directory, { recursive: true })
  }
})
