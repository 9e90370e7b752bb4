import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Pool } from 'undici'
import { expect, test } from 'vitest'
import { freePort } from '../support/child.ts'
import { atScale, isFull } from '../support/fault-scale.ts'
import { pushTemplate } from '../support/push-template.ts'
import { writtenHeaders } from '../support/receiver-store.ts'
import { expectBalanced, type SluiceProcess, startSluice } from '../support/sluice.ts'

const SAMPLES = 2_000
/** Pushes that together have each series once: 100,000 samples a second at full scale. */
const GROUPS = atScale(10, 50)
const EVERY_MS = atScale(500, 1_000)
const OUTAGE_TICKS = atScale(8, 600)
const CALM_TICKS = atScale(3, 30)
const MIB = 2 ** 20

const startMs = Date.now() - 10_000_000
const digestOf = (body: Uint8Array) => createHash('sha1').update(body).digest('base64')

function templateOf(group: number): (tick: number) => Uint8Array {
  const series = Array.from({ length: SAMPLES }, (_, i) => ({
    labels: {
      __name__: `node_metric_${i % 100}`,
      instance: `10.0.${group}.${Math.floor(i / 100)}:9100`,
      job: 'node',
    },
    samples: [{ value: Math.random() * 1000, timestamp: startMs }],
  }))
  return pushTemplate(series, startMs)
}

/** Knows each push by its bytes, which are sent on as they came, and forgets them. */
class Central {
  readonly sent = new Map<string, { group: number; tick: number }>()
  readonly newest: number[] = []
  problems: string[] = []
  delivered = 0
  #server: Server | undefined

  async open(port: number): Promise<void> {
    const headers = writtenHeaders({ samples: SAMPLES })
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk)
      this.#take(digestOf(Buffer.concat(chunks)))
      response.writeHead(204, headers).end()
    })
    await new Promise<void>((resolve) => this.#server!.listen(port, '127.0.0.1', resolve))
  }

  /** What is under way is answered, and nothing more is taken. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server!.close(resolve))
    this.#server!.closeIdleConnections()
    await Promise.race([closed, delay(1_000)])
    this.#server!.closeAllConnections()
    await closed
  }

  #take(digest: string): void {
    const push = this.sent.get(digest)
    if (push === undefined) {
      this.problems.push('a request that nobody has sent, or a second time')
      return
    }
    this.sent.delete(digest)
    const { group, tick } = push
    const before = this.newest[group] ?? 0
    if (tick !== before + 1) this.problems.push(`group ${group}: ${tick} after ${before}`)
    this.newest[group] = tick
    this.delivered += 1
  }
}

/** Pushes all groups once per tick, until it is told to stop. */
class Load {
  tick = 0
  isStopping = false
  statuses = new Map<number, number>()
  readonly #templates = Array.from({ length: GROUPS }, (_, group) => templateOf(group))

  async run({ url }: SluiceProcess, { sent }: Central): Promise<void> {
    const { origin, pathname } = new URL(url)
    const pool = new Pool(origin, { connections: 8 })
    const fromMs = performance.now()
    while (!this.isStopping) {
      this.tick += 1
      const answers = this.#templates.map(async (template, group) => {
        const body = template(this.tick)
        sent.set(digestOf(body), { group, tick: this.tick })
        const answer = await pool.request({
          path: pathname,
          method: 'POST',
          headers: {
            'Content-Type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
            'Content-Encoding': 'snappy',
          },
          body,
        })
        await answer.body.dump()
        const { statusCode } = answer
        this.statuses.set(statusCode, (this.statuses.get(statusCode) ?? 0) + 1)
      })
      await Promise.all(answers)
      await delay(Math.max(0, fromMs + this.tick * EVERY_MS - performance.now()))
    }
    await pool.close()
  }

  async ticks(count: number): Promise<void> {
    const until = this.tick + count
    while (this.tick < until) await delay(20)
  }
}

async function rssMib({ child }: SluiceProcess): Promise<number> {
  const text = await readFile(`/proc/${child.process.pid}/status`, 'utf8')
  return (Number(/VmRSS:\s+(\d+)/.exec(text)![1]) * 1024) / MIB
}

test(`F20: after an outage the backlog arrives in order, once, beside what comes in`, {
  timeout: atScale(120_000, 1_800_000),
}, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-outage-'))
  const port = await freePort()
  const central = new Central()
  await central.open(port)
  const sluice = await startSluice(directory, `http://127.0.0.1:${port}/api/v1/write`)
  const load = new Load()
  const running = load.run(sluice, central)
  try {
    await load.ticks(CALM_TICKS)
    await central.close()
    const outageFromMs = performance.now()
    await load.ticks(CALM_TICKS)
    const rss = { soon: await rssMib(sluice), late: 0, draining: 0 }
    await load.ticks(OUTAGE_TICKS - CALM_TICKS)
    rss.late = await rssMib(sluice)
    const outageMs = performance.now() - outageFromMs

    const before = { delivered: central.delivered, tick: load.tick }
    const backlog = central.sent.size * SAMPLES
    await central.open(port)
    const reopenedMs = performance.now()
    let firstMs = 0
    // It is through when what is under way is less than what comes in at once.
    while (central.sent.size > GROUPS) {
      await delay(20)
      if (firstMs === 0 && central.delivered > before.delivered) firstMs = performance.now()
      rss.draining = Math.max(rss.draining, await rssMib(sluice))
    }
    const drainMs = performance.now() - firstMs
    const drained = (central.delivered - before.delivered) * SAMPLES
    load.isStopping = true
    await running
    await expect.poll(() => central.sent.size, { timeout: 20_000 }).toBe(0)
    await expectBalanced(sluice)

    const livePerSecond = (GROUPS * SAMPLES * 1000) / EVERY_MS
    const drainPerSecond = Math.round((drained * 1000) / drainMs)
    const figures = { backlog, livePerSecond, drainPerSecond, rss }
    const waits = { outageMs, drainMs, untilTheFirstMs: firstMs - reopenedMs }
    console.info('F20:', { ...figures, times: drainPerSecond / livePerSecond, ...waits })
    expect(central.problems).toEqual([])
    expect([...load.statuses.keys()]).toEqual([204])
    expect(central.newest).toEqual(Array(GROUPS).fill(load.tick))
    // The backlog lies on disk; in memory is what is looked at ahead.
    expect(rss.late - rss.soon).toBeLessThan(64)
    expect(rss.draining - rss.soon).toBeLessThan(128)
    if (isFull) expect(drainPerSecond).toBeGreaterThan(5 * livePerSecond)
  } finally {
    load.isStopping = true
    await running.catch(() => {})
    await sluice.child.kill()
    await central.close()
    await rm(directory, { recursive: true, force: true })
  }
})
