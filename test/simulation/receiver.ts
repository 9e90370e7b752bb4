import type { Answer } from '../../src/forward/answer.ts'
import type { Post, PostRequest } from '../../src/forward/post.ts'
import type { Counts } from '../../src/model/counts.ts'
import { snappy } from '../../src/wire/snappy.ts'
import { keyOf, type ReceivedSeries, type StoredSeries, store } from '../support/receiver-store.ts'
import { bitsOf, decodeRw1, decodeRw2, labelsOf } from '../support/remote-write.ts'
import type { Life, SimulatedClock } from './clock.ts'

export const TIMEOUT_MS = 30_000

/** Series with this label are what the receiver refuses for ever. */
export const POISON = 'poison'

export type ReceiverMode = 'well' | 'moody' | 'down'

/** `series@timestamp`, and the value's bits. */
export type SampleId = string

type Request = {
  protocol: 'rw1' | 'rw2'
  series: ReceivedSeries[]
  ids: SampleId[]
  life: Life
}

/** How a request fares: whether it is stored, and what is heard of it. */
type Fate = { stores: boolean; answer: 'own' | 'none' | 'reset' | number; delayMs: number }

/**
 * A central Prometheus in the simulation, with the rules of the test receiver, and a way there on
 * which requests and answers are lost, late, or refused.
 */
export class SimulatedReceiver {
  mode: ReceiverMode = 'well'
  /** Whether it takes no poison. */
  refuses = true
  /** Samples that came although they were here, and how often. */
  repeats = 0
  /** Those of them that nothing explains. */
  readonly unexplained: SampleId[] = []
  readonly #stored = new Map<string, StoredSeries>()
  /** Sent once in a way that left nobody sure of the outcome: they may come again. */
  readonly #doubtful = new Set<SampleId>()
  /** Requests under way, by sample. */
  readonly #underWay = new Map<SampleId, number>()
  readonly #clock: SimulatedClock
  readonly #random: () => number
  readonly #speaks2: boolean
  readonly #tell: (event: string) => void

  constructor(
    clock: SimulatedClock,
    random: () => number,
    speaks2: boolean,
    tell: (event: string) => void,
  ) {
    this.#clock = clock
    this.#tell = tell
    this.#random = random
    this.#speaks2 = speaks2
  }

  /** The way here for one process. */
  post(life: Life): Post {
    return { post: (request) => this.#send(request, life), close: async () => {} }
  }

  /** These may come again: whoever knew that they are here is gone. */
  doubt(ids: Iterable<SampleId>): void {
    for (const id of ids) this.#doubtful.add(id)
  }

  doubtUnderWay(): void {
    for (const [id, requests] of this.#underWay) if (requests > 0) this.#doubtful.add(id)
  }

  /** All that is here, in the order of arrival within each series. */
  readonly ids = new Set<SampleId>()

  #send({ protocol, body, signal }: PostRequest, life: Life): Promise<Answer> {
    if (life.isOver) return new Promise(() => {})
    const series = seriesOf(protocol, body)
    const request = { protocol, series, ids: idsOf(series), life }
    const settled = new AbortController()
    const { promise, resolve } = Promise.withResolvers<Answer>()
    const settle = (answer: Answer) => {
      if (life.isOver || settled.signal.aborted) return
      settled.abort('settled')
      signal?.removeEventListener('abort', giveUp)
      resolve(answer)
    }
    const giveUp = () => settle(failed('given up', true))
    for (const id of request.ids) this.#count(id, 1)
    signal?.addEventListener('abort', giveUp)
    const late = () => settle(failed('no answer in time', true))
    this.#clock.world.sleep(TIMEOUT_MS, settled.signal).then(late, () => {})
    void this.#serve(request).then((answer) => answer && settle(answer))
    return promise.then((answer) => {
      this.#note(request, answer)
      return answer
    })
  }

  /** Resolves with null when nobody will hear the answer. */
  async #serve(request: Request): Promise<Answer | null> {
    const { world } = this.#clock
    await world.sleep(this.#random() * 20)
    if (this.mode === 'down') return failed('connection refused', false)
    const fate = this.#fate()
    await world.sleep(fate.delayMs)
    // What was on its way when its sender died may arrive, and may not.
    if (request.life.isOver && this.#random() < 0.5) return null
    const own = fate.stores ? this.#take(request) : null
    this.#tell(`${own === null ? 'left' : 'took'}, says ${fate.answer}: ${request.ids.join(' ')}`)
    await world.sleep(this.#random() * 20)
    if (fate.answer === 'none') return null
    if (fate.answer === 'reset') return failed('connection reset', true)
    if (fate.answer !== 'own') return responseOf(fate.answer, null, 'in trouble')
    return own
  }

  #fate(): Fate {
    const delayMs = this.#random() * 30
    const well: Fate = { stores: true, answer: 'own', delayMs }
    if (this.mode === 'well' || this.#random() < 0.6) return well
    const answers = ['none', 'reset', 503, 500, 429, 502, 'own'] as const
    const answer = answers[Math.floor(this.#random() * answers.length)]!
    const isLate = this.#random() < 0.2
    const stores = answer === 'own' || (answer !== 429 && this.#random() < 0.5)
    return { stores, answer, delayMs: isLate ? this.#random() * 40_000 : delayMs }
  }

  /** As Prometheus would, for what it does not refuse for ever. */
  #take({ protocol, series, ids }: Request): Answer {
    if (protocol === 'rw2' && !this.#speaks2) return responseOf(415, null, 'unsupported')
    const isGood = ({ labels }: ReceivedSeries) =>
      !this.refuses || !labels.some(([name]) => name === POISON)
    const good = series.filter(isGood)
    const isPoisoned = good.length < series.length
    if (isPoisoned && protocol === 'rw1') return responseOf(400, null, 'label value too long')
    for (const id of ids) if (this.ids.has(id)) this.#noteRepeat(id)
    const { status, headers, body } = store(this.#stored, { protocol, series: good }, 0)
    for (const { labels } of good) this.#learn(keyOf(labels))
    const written = writtenOf(protocol, headers)
    if (isPoisoned) return responseOf(400, written, `label value too long\n${body}`)
    return responseOf(status, written, body)
  }

  /** What of a series is new here. */
  #learn(key: string): void {
    const stored = this.#stored.get(key)?.samples ?? []
    for (let i = stored.length - 1; i >= 0 && !this.ids.has(idOf(key, stored[i]!)); i--) {
      this.ids.add(idOf(key, stored[i]!))
    }
  }

  #noteRepeat(id: SampleId): void {
    this.repeats += 1
    const isExplained = this.#doubtful.has(id) || (this.#underWay.get(id) ?? 0) > 1
    if (!isExplained) this.unexplained.push(id)
  }

  #count(id: SampleId, by: 1 | -1): void {
    this.#underWay.set(id, (this.#underWay.get(id) ?? 0) + by)
  }

  #note({ ids }: Request, answer: Answer): void {
    for (const id of ids) this.#count(id, -1)
    const isClean = answer.kind === 'response' && answer.status < 429
    if (!isClean) this.doubt(ids)
  }
}

function failed(reason: string, maybeStored: boolean): Answer {
  return { kind: 'failed', reason, maybeStored }
}

function responseOf(status: number, written: Counts | null, text: string): Answer {
  return { kind: 'response', status, written, retryAfter: status === 429 ? '2' : null, text }
}

function writtenOf(protocol: string, headers: { [name: string]: string }): Counts | null {
  if (protocol === 'rw1') return null
  const [samples, histograms, exemplars] = Object.values(headers).map(Number)
  return { samples: samples!, histograms: histograms!, exemplars: exemplars! }
}

/** The same bodies are sent, logged and read again and again. */
const known = new Map<string, ReceivedSeries[]>()
const KNOWN_MAX = 2_000

export function seriesOf(protocol: 'rw1' | 'rw2', body: Uint8Array): ReceivedSeries[] {
  const text = protocol + Buffer.from(body).toString('latin1')
  const series = known.get(text) ?? decoded(protocol, body)
  if (known.size >= KNOWN_MAX) known.clear()
  known.set(text, series)
  return series
}

function decoded(protocol: 'rw1' | 'rw2', body: Uint8Array): ReceivedSeries[] {
  const raw = snappy.decompress(body)
  if (raw === null) throw new Error('a body that cannot be decompressed has been sent')
  if (protocol === 'rw1') {
    return decodeRw1(raw).timeseries.map(({ labels, samples }) => ({
      labels: labels.map(({ name, value }) => [name, value]),
      samples: samples.map(sampleOf),
      exemplars: [],
    }))
  }
  const message = decodeRw2(raw)
  return message.timeseries.map((series) => ({
    labels: labelsOf(message, series),
    samples: series.samples.map(sampleOf),
    exemplars: [],
  }))
}

type Sample = Parameters<typeof bitsOf>[0]

function sampleOf({ value, timestamp }: { value: Sample; timestamp: Sample }) {
  return { timestampMs: Number(timestamp), bits: bitsOf(value) }
}

export function idsOf(series: readonly ReceivedSeries[]): SampleId[] {
  return series.flatMap(({ labels, samples }) => {
    const key = keyOf(labels)
    return samples.map((sample) => idOf(key, sample))
  })
}

function idOf(key: string, { timestampMs, bits }: { timestampMs: number; bits: bigint }): SampleId {
  return `${key}@${timestampMs}=${bits}`
}
