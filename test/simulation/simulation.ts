import { expect } from 'vitest'
import { snappy } from '../../src/wire/snappy.ts'
import { MemoryDisk } from '../support/memory-disk.ts'
import { randomFrom } from '../support/random.ts'
import { rw2Of, type SeriesLiteral } from '../support/remote-write.ts'
import { type Life, SimulatedClock } from './clock.ts'
import { type SimulatedProcess, startProcess, type World } from './process.ts'
import { idsOf, type SampleId, SimulatedReceiver, seriesOf } from './receiver.ts'
import { slowDisk } from './slow-disk.ts'

/** After a start that failed. */
const RESTART_MS = 1_000
/** Of a receiver that has been silent, or was backed off from. */
const PATIENCE_MS = 60_000
const TICK_MS = 10_000
const TICKS_MAX = 720

export type SimulationOptions = {
  seed: number
  /** Of `storage`, beside the path. */
  yaml?: string
  speaks2?: boolean
  /** Share of the calls to the disk that take time at all. */
  slowShare?: number
}

/** One gateway after the other over one disk, with what they said to their senders. */
export class Simulation implements World {
  readonly clock = new SimulatedClock()
  readonly disk = new MemoryDisk()
  readonly receiver: SimulatedReceiver
  readonly random: () => number
  readonly yaml: string
  /** What senders were told is safe. */
  readonly acknowledged = new Set<SampleId>()
  readonly #slowShare: number
  process: SimulatedProcess | null = null
  #life: Life = { isOver: true }
  #died = Promise.withResolvers<null>()
  /** Calls to the disk: half of one has begun, a whole one has been carried out. */
  diskCalls = 0
  /** The power is cut when it has come so far. */
  cutAt: number | null = null
  /** Why starts have failed. */
  readonly failures: unknown[] = []
  /** What happened when. */
  readonly story: string[] = []

  constructor({ seed, yaml = 'quota: 16MiB', speaks2 = true, slowShare = 0 }: SimulationOptions) {
    this.random = randomFrom(seed)
    this.yaml = yaml
    this.#slowShare = slowShare
    this.receiver = new SimulatedReceiver(this.clock, this.random, speaks2, (event) =>
      this.tell(event),
    )
  }

  /** For the story of a run that went wrong. */
  tell(event: string): void {
    this.story.push(`${this.clock.elapsedMs.toFixed(1)} ${event}`)
  }

  /**
   * Begins to start a process, and starts another one as often as it fails. Does nothing where one
   * lives, because a start that failed was tried again meanwhile: the lock on the directory, which
   * is not simulated, keeps out a second one.
   */
  start(): void {
    if (!this.#life.isOver) return
    this.tell('start')
    const life = { isOver: false }
    this.#life = life
    this.#died = Promise.withResolvers()
    const disk = slowDisk(this.disk.session(), (what) => this.#pause(what, life))
    startProcess(this, disk, life).then(
      (process) => {
        if (!life.isOver) this.process = process
      },
      async (error: unknown) => {
        if (life.isOver) return
        this.failures.push(error)
        this.end('kill')
        await this.clock.world.sleep(RESTART_MS)
        if (this.#life === life) this.start()
      },
    )
  }

  async started(): Promise<SimulatedProcess> {
    const isUp = await this.clock.passUntil(() => this.process !== null, 120_000, 50)
    if (!isUp) throw new Error('it does not start', { cause: this.failures.at(-1) })
    return this.process!
  }

  /** Power cut, or `kill -9`. */
  end(how: 'crash' | 'kill'): void {
    if (this.#life.isOver) return
    this.tell(how)
    this.#life.isOver = true
    this.process = null
    this.receiver.doubtUnderWay()
    if (how === 'crash') this.disk.crash(this.random)
    else this.disk.kill()
    this.#died.resolve(null)
  }

  /** SIGTERM; the life is over when it has stopped, or died on the way. */
  async stop(): Promise<void> {
    const { process } = this
    this.process = null
    // One that has not started yet is gone at once; or it would run beside the next one.
    if (process !== null) {
      await Promise.race([process.stop().catch(() => null), this.#died.promise])
    }
    this.end('kill')
  }

  /** Whether it was acknowledged as a whole; null when there was no answer. */
  async push(series: readonly SeriesLiteral[], cluster?: string): Promise<boolean | null> {
    const { process } = this
    if (process === null) return null
    const body = snappy.compress(rw2Of(series))
    const ids = idsOf(seriesOf('rw2', body))
    this.tell(`push ${ids.join(' ')}`)
    const outcome = await Promise.race([process.push(body, cluster), this.#died.promise])
    this.tell(`${outcome?.kind ?? 'no answer'} ${ids.join(' ')}`)
    if (outcome === null || outcome.kind === 'backlogged') return null
    if (outcome.kind !== 'accepted') return false
    for (const id of ids) this.acknowledged.add(id)
    return true
  }

  /** Everything is well from now on; resolves when nothing waits any more. */
  async drain(): Promise<SimulatedProcess> {
    this.disk.heal()
    this.disk.freeBytes = Number.POSITIVE_INFINITY
    this.receiver.mode = 'well'
    if (this.#life.isOver) this.start()
    await this.started()
    const isDone = () => this.process?.balance().destinations[0]?.waiting === 0
    let isDrained = await this.clock.passUntil(isDone, PATIENCE_MS, 1_000)
    // Who refuses something is believed when he takes something else.
    for (let tick = 0; tick < TICKS_MAX && !isDrained; tick++) {
      const samples = [{ value: tick, timestamp: this.clock.world.nowMs() }]
      void this.push([{ labels: { __name__: 'alive' }, samples }])
      isDrained = await this.clock.passUntil(isDone, TICK_MS, 1_000)
    }
    expect(isDrained, 'everything that waits goes out').toBe(true)
    await this.clock.pass(2_000)
    return this.process!
  }

  /**
   * Nothing that was acknowledged is missing, and the books of the gateway say the same.
   *
   * @param rotten samples that a test has damaged on disk: nothing else excuses a damage
   */
  async expectAll(process: SimulatedProcess, rotten = 0): Promise<void> {
    const arrived = this.receiver.ids
    const set = new Set(await this.clock.until(process.quarantined()))
    const lost = [...this.acknowledged].filter((id) => !arrived.has(id) && !set.has(id))
    const losses = await this.clock.until(process.losses())
    const evictions = losses.filter(({ kind }) => kind === 'evicted')
    const told = evictions.reduce((sum, { samples }) => sum + samples, rotten)
    if (told < lost.length) expect(lost, 'lost without a word').toEqual([])
    const balance = process.balance()
    expect(balance.difference, JSON.stringify(balance)).toBe(0)
    const [central] = balance.destinations
    for (const { name, waitingAtStart } of rotten > 0 ? [] : central!.clusters) {
      expect([name, waitingAtStart]).toEqual([name, process.owedAtStart.of(name)])
    }
    for (const { difference, waiting } of [central!, ...central!.clusters]) {
      expect({ difference, waiting }, JSON.stringify(balance)).toEqual({
        difference: 0,
        waiting: 0,
      })
    }
    expect(this.receiver.unexplained, 'sent again for no reason').toEqual([])
    expect(this.disk.offences).toEqual([])
  }

  async #pause(what: string, life: Life): Promise<void> {
    this.diskCalls += 0.5
    if (this.diskCalls === this.cutAt) {
      this.end('crash')
      // The one who has called is gone.
      return new Promise(() => {})
    }
    if (this.random() >= this.#slowShare) return
    const isStuck = what === 'datasync' && this.random() < 0.005
    const ms = this.random() * (isStuck ? 4_000 : 4)
    await this.clock.of(life).sleep(ms)
  }
}
