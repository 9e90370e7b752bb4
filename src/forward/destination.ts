import type { Clock } from '../base/clock.ts'
import { assert } from '../base/errors.ts'
import { type Batch, createBatch } from '../model/batch.ts'
import type { Block } from '../model/block.ts'
import { add, atMost, type Counts, isNothing, minus, noCounts, samplesOf } from '../model/counts.ts'
import { seriesText } from '../model/series-text.ts'
import { Tally } from '../model/tally.ts'
import { ProtobufWriter } from '../wire/protobuf-writer.ts'
import { decompressInto, snappy } from '../wire/snappy.ts'
import { hasTaken, type Protocol } from './answer.ts'
import type { Guilt } from './bisect.ts'
import { Courier, type FinalVerdict } from './courier.ts'
import { type Delivery, type Event, Job, type Loss } from './delivery.ts'
import { Doubts } from './doubt.ts'
import type { Health } from './health.ts'
import { type Keep, keepForSure } from './keep.ts'
import type { Post } from './post.ts'
import { countsOf, isProbablyStored, partOf, type Refused, type RefusedBefore } from './refused.ts'
import { encodeRemoteWrite1 } from './remote-write-1.ts'
import { readRemoteWrite2, seriesCount, writePart } from './remote-write-2.ts'
import { takeApart, type Ways } from './take-apart.ts'
import { Version } from './version.ts'
import { lossesWithin } from './within-series.ts'

export type DestinationParts = {
  name: string
  post: Post
  clock: Clock
  /** In [0, 1). */
  random: () => number
  onEvent: (event: Event) => void
  /** What is spoken first; `rw1` is spoken for good. */
  protocol?: Protocol
  /** Keeps what is refused for good. Until it resolves, nothing is counted as refused. */
  keep?: (refused: Refused) => Promise<void>
  /** `inFlightMax` has grown, though nothing was delivered. */
  onRoom?: () => void
  /** Fills `batch` from a decompressed 2.0 message; a reason when that is damaged. */
  decode: (raw: Uint8Array, batch: Batch) => string | null
}

/**
 * One receiver, and what is known of it: which protocol it speaks, whether it answers.
 *
 * A class, because there is state with an invariant: every block that was taken ends as
 * forwarded, refused or unsupported, to the last exemplar, however often it had to be sent.
 * Blocks may be delivered side by side; which of them may be is not decided here.
 */
export class Destination {
  readonly name: string
  /** Elements of finished blocks, by what became of them. */
  readonly forwarded: Counts = noCounts()
  readonly refused: Counts = noCounts()
  readonly unsupported: Counts = noCounts()
  /** Of the refused, what the receiver probably had from an attempt before. */
  readonly maybeStored: Counts = noCounts()
  /** The same of samples, by cluster. */
  readonly tallies = { forwarded: new Tally(), maybeStored: new Tally(), unsupported: new Tally() }
  readonly #courier: Courier
  readonly #doubts: Doubts
  readonly #onEvent: (event: Event) => void
  readonly #keep: Keep
  readonly #decode: DestinationParts['decode']
  readonly #version: Version
  readonly #writer = new ProtobufWriter()
  /** Batches that are not in use; every block that goes out as 1.0 needs one to itself. */
  readonly #batches: Batch[] = []

  constructor(parts: DestinationParts) {
    const { name, post, clock, random, onEvent, decode, protocol } = parts
    this.name = name
    this.#onEvent = (event) => onEvent({ ...event, destination: name })
    this.#version = new Version(protocol ?? 'rw2', clock, this.#onEvent)
    this.#decode = decode
    this.#keep = keepForSure(parts.keep ?? (async () => {}), clock, this.#onEvent)
    const { onRoom = () => {} } = parts
    this.#courier = new Courier({ post, clock, random, onEvent: this.#onEvent, onRoom })
    this.#doubts = new Doubts(this.#courier)
  }

  /** What the next block will be sent as. */
  get protocol(): Protocol {
    return this.#version.protocol
  }

  get state(): Health['state'] {
    return this.#courier.health.state
  }

  /** Why the state is what it is; empty while that is 'ok'. */
  get reason(): string {
    return this.#courier.health.reason
  }

  get retries(): number {
    return this.#courier.retries
  }

  /** Blocks that it is good to deliver at once. */
  get inFlightMax(): number {
    return this.#courier.inFlightMax
  }

  /**
   * Sends `block` until there is a final outcome for all that is in it, however long that
   * takes. Rejects only with the reason of `signal`; then nothing was counted, and what was
   * stored of the block will be stored again by its next delivery.
   *
   * @param wasSent whether it may have been delivered before, by this process or an earlier one
   */
  async deliver(block: Block, signal: AbortSignal, wasSent = false): Promise<Delivery> {
    const job = new Job(block, signal)
    job.maybeStored = wasSent
    await this.#deliverMessage(job, block.message, block.counts)
    for (const loss of job.losses) await this.#keepLoss(block, loss, signal)
    const { cluster } = block
    for (const loss of job.losses) {
      if (isProbablyStored(loss)) this.#count('maybeStored', cluster, loss.lost)
    }
    const delivery = job.result()
    this.#count('forwarded', cluster, delivery.forwarded)
    add(this.refused, delivery.refused)
    this.#count('unsupported', cluster, delivery.unsupported)
    for (const event of job.events()) this.#onEvent(event)
    return delivery
  }

  /**
   * Sends once more what was refused before, aside from the blocks and their order, and counts
   * nothing but what is stored now. Returns what is refused again, with the reason.
   */
  async sendAgain({ lost, ...part }: RefusedBefore, signal: AbortSignal): Promise<Loss | null> {
    const counts = countsOf(part.message, this.#writer)
    const job = new Job({ ...part, counts }, signal)
    job.wasRefused = true
    await this.#deliverMessage(job, part.message, counts)
    const refused = noCounts()
    for (const loss of job.losses) add(refused, loss.lost)
    const left = atMost(refused, lost)
    this.#count('forwarded', part.cluster, minus(lost, left))
    const [first] = job.losses
    return first === undefined || isNothing(left) ? null : { ...first, lost: left }
  }

  #count(what: keyof Destination['tallies'], cluster: string, counts: Counts): void {
    add(this[what], counts)
    this.tallies[what].add(cluster, samplesOf(counts))
  }

  /** What 1.0 cannot carry would never arrive, and exemplars alone are not worth the room. */
  async #keepLoss(block: Block, loss: Loss, signal: AbortSignal): Promise<void> {
    if (loss.lossClass === 'unsupported' || isProbablyStored(loss)) return
    if (samplesOf(loss.lost) === 0) return
    const message = partOf(block.message, loss.part, this.#writer)
    await this.#keep({ ...loss, block, message }, signal)
  }

  async #deliverMessage(job: Job, message: Uint8Array, counts: Counts): Promise<void> {
    while (!(await this.#tryMessage(job, message, counts)));
  }

  /** False when what is left of it is to be sent again: it seems that the receiver is to blame. */
  async #tryMessage(job: Job, message: Uint8Array, counts: Counts): Promise<boolean> {
    if (this.protocol === 'rw1') return this.#deliverAs1(job, message, counts)
    let reason: string | null = null
    if (job.left === null) {
      const verdict = await this.#courier.send(job, 'rw2', message, counts)
      if (verdict.kind === 'partial' && !hasTaken(verdict, counts)) {
        if (await this.#doubts.isInDoubt(job, verdict.reason)) return false
      }
      reason = this.#settle2(job, verdict)
      if (reason === null) return true
      if (verdict.kind === 'fallback') return false
    }
    const raw = snappy.decompress(message)
    const parts = raw === null ? null : readRemoteWrite2(raw)
    if (parts === null || seriesCount(parts) === 0) {
      job.lose(counts, job.refusalClass, reason ?? UNREADABLE)
      return true
    }
    return this.#takeApart(job, seriesCount(parts), reason, {
      protocol: 'rw2',
      encode: (from, to) => writePart(parts, from, to, this.#writer),
      send: async (part, partCounts) =>
        this.#settle2(job, await this.#courier.send(job, 'rw2', part, partCounts)),
      isMoot: () => this.protocol === 'rw1',
      nameOf: () => null,
    })
  }

  /** Null when there is nothing left to do, else why it was not taken. */
  #settle2(job: Job, verdict: FinalVerdict): string | null {
    switch (verdict.kind) {
      case 'delivered':
        if (!isNothing(verdict.lost)) {
          job.lose(verdict.lost, 'short write', 'the Written headers say less than was sent')
        }
        return null
      case 'partial':
        job.lose(verdict.lost, job.refusalClass, verdict.reason)
        return null
      case 'fallback':
        this.#fallBack(verdict)
        return verdict.reason
      case 'rejected':
        return verdict.reason
    }
  }

  #fallBack({ reason, maybeStored }: Extract<FinalVerdict, { kind: 'fallback' }>): void {
    this.#version.fallBack(reason, !maybeStored)
    // After an upgrade it may again be one that answers 400 to what it cannot read.
    this.#courier.hasAccepted2 = false
  }

  async #deliverAs1(job: Job, message: Uint8Array, counts: Counts): Promise<boolean> {
    const batch = this.#batches.pop() ?? createBatch()
    try {
      const raw = decompressInto(batch.kernel, message)
      const problem = raw === null ? UNREADABLE : this.#decode(raw, batch)
      if (problem === null) return await this.#deliverBatch(job, batch, counts)
      job.lose(counts, 'unreadable', problem)
      return true
    } finally {
      this.#batches.push(batch)
    }
  }

  async #deliverBatch(job: Job, batch: Batch, counts: Counts): Promise<boolean> {
    const encode = (from: number, to: number) => encodeRemoteWrite1(batch, from, to, this.#writer)
    const whole = encode(0, batch.seriesCount)
    const body = snappy.compress(this.#writer.written())

    let isMoot = false
    const send = async (part: Uint8Array, of: Counts): Promise<string | null> => {
      const verdict = await this.#courier.send(job, 'rw1', part, of)
      assert(verdict.kind !== 'partial', 'a request of 1.0 is taken or rejected as a whole')
      if (verdict.kind === 'delivered') return null
      if (verdict.kind === 'fallback') {
        isMoot = true
        this.#version.tryAgain()
      }
      return verdict.reason
    }
    const isFirst = job.left === null && !isNothing(whole.counts)
    const reason = isFirst ? await send(body, whole.counts) : null
    if (isMoot) return false
    if (reason !== null || job.left !== null) {
      const isOver = await this.#takeApart(job, batch.seriesCount, reason, {
        protocol: 'rw1',
        encode: (from, to) => encode(from, to).counts,
        send,
        isMoot: () => isMoot,
        nameOf: (series) => seriesText(batch, series),
        within: (guilt) => lossesWithin(guilt, batch, this.#writer, send),
      })
      if (!isOver) return false
    }
    const { dropped } = whole
    if (!isNothing(dropped)) {
      job.lose(dropped, 'unsupported', 'Remote Write 1.0 cannot carry custom buckets')
    }
    const unread = minus(minus(counts, whole.counts), dropped)
    if (!isNothing(unread)) job.lose(unread, 'unreadable', 'refused by our own decoder')
    return true
  }

  /** Loses what is to blame. False when that is the receiver. */
  async #takeApart(job: Job, count: number, reason: string | null, ways: Ways): Promise<boolean> {
    const [courier, doubts, writer] = [this.#courier, this.#doubts, this.#writer]
    const guilty = await takeApart({ job, courier, doubts, count, reason, ways, writer })
    const encode = ({ from, to }: Guilt) => ways.encode(from, to)
    for (const guilt of guilty ?? []) {
      const where = { series: ways.nameOf(guilt.from), part: guilt }
      const losses = (await ways.within?.(guilt)) ?? [{ ...guilt, lost: encode(guilt) }]
      for (const { lost, reason } of losses) job.lose(lost, job.refusalClass, reason, where)
    }
    if (guilty !== null) return true
    if (ways.protocol === 'rw1' && this.#version.isGuess) this.#version.tryAgain()
    return false
  }
}

const UNREADABLE = 'the block cannot be decompressed: it is damaged, or larger than 64 MiB'
