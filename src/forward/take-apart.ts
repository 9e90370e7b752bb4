import type { Counts } from '../model/counts.ts'
import { isNothing } from '../model/counts.ts'
import type { ProtobufWriter } from '../wire/protobuf-writer.ts'
import { snappy } from '../wire/snappy.ts'
import type { Protocol } from './answer.ts'
import { BISECT_REQUESTS_MAX, bisect, type Guilt, type PartVerdict } from './bisect.ts'
import type { Courier } from './courier.ts'
import type { Job } from './delivery.ts'
import type { Doubts } from './doubt.ts'
import { leftOf, type Part, without } from './part.ts'
import { isLate } from './refused.ts'
import type { SampleLoss } from './within-series.ts'

/** What taking a request apart needs of it: the two protocols do that differently. */
export type Ways = {
  protocol: Protocol
  /** Leaves the part in the writer. */
  encode(from: number, to: number): Counts
  /** Null when it was taken, else why it was not. */
  send(part: Uint8Array, counts: Counts): Promise<string | null>
  /** Whether refusals say nothing, because the receiver does not take this protocol any more. */
  isMoot(): boolean
  nameOf(series: number): string | null
  /** What is lost of a part, sample by sample; null when that is all of it. */
  within?(guilt: Guilt): Promise<SampleLoss[] | null>
}

export type TakeApartParts = {
  job: Job
  courier: Courier
  doubts: Doubts
  /** Series in the request. */
  count: number
  /** Why it was rejected as a whole; null when some of it is left of a time before. */
  reason: string | null
  ways: Ways
  writer: ProtobufWriter
}

/** When nothing has passed yet, so many series from all over the request are tried alone. */
const PROBES = 16

/**
 * Sends parts of a request until only what is guilty is left, and returns that. Null when it
 * may be the receiver that is to blame: then what is left of it (`job.left`) is to be sent again.
 *
 * What was taken is never sent again, neither with a larger part nor in another round. What was
 * refused is guilty when the receiver has taken something since, and refuses it once more: so a
 * receiver that is the wrong one, or in trouble, for a while costs nothing.
 */
export async function takeApart(parts: TakeApartParts): Promise<Guilt[] | null> {
  const { job, courier, doubts, count } = parts
  const apart = new Apart(parts)
  const reason = parts.reason ?? (await apart.send({ from: 0, to: count }))
  if (reason === null) return []
  const isTrial = job.isOnTrial
  const since = courier.moment
  // One request at a time, and often in vain: others need not wait for that.
  const isSure = await courier.aside(() => apart.search(reason))
  job.isOnTrial = false
  if (isSure) return apart.guilty
  if (isTrial) {
    const doOthersPass = job.witness === null && courier.hasAcceptedSince(since)
    if (doOthersPass && !apart.isVoid) return apart.guilty
    job.trialAfterMs *= 2
    return null
  }
  if (apart.isVoid) return null
  // What was taken since the first refusal was its own, and then the receiver has changed.
  if (job.witness !== null) job.refusedAt = null
  return (await doubts.isInDoubt(job, apart.reason)) ? null : apart.guilty
}

/**
 * One round of taking apart.
 *
 * A class, because there is state that all of its requests share.
 */
class Apart {
  /** What was refused, as far as it is known, and not taken since. */
  guilty: Guilt[] = []
  /** Of the first of them that is not late. */
  reason = ''
  /** Whether refusals say nothing any more: the receiver is down, or has changed its protocol. */
  isVoid = false
  readonly #parts: TakeApartParts
  #sent = 0
  /** Whether the receiver takes some of this, so that it is worth while to look for the rest. */
  #hasPassed = false
  /** When the whole, or the last part that is not late, was refused, by the courier's count. */
  #refusedAt: number

  constructor(parts: TakeApartParts) {
    this.#parts = parts
    this.#refusedAt = parts.courier.moment
  }

  get #left(): Part[] {
    const { job, count } = this.#parts
    return job.left ?? [{ from: 0, to: count }]
  }

  /** Sends what is left of a part, up to what is refused; then why, and null when nothing is. */
  async send(part: Part): Promise<string | null> {
    for (const each of leftOf(this.#left, part)) {
      const refusal = await this.#sendAll(each)
      if (refusal !== null) return refusal
    }
    return null
  }

  /** Finds the guilty. False when it may be the receiver that is. */
  async search(whole: string): Promise<boolean> {
    const { count, job } = this.#parts
    this.reason = whole
    const all = { from: 0, to: count, reason: whole }
    // What was taken apart in vain before is not, until something of it passes.
    const trusted = job.refusedAt === null ? hopelessAfter(count) : 0
    let isHopeless: boolean | null = null
    const send = async (from: number, to: number): Promise<PartVerdict> => {
      if (!this.#hasPassed && isHopeless === null && this.#sent >= trusted) {
        isHopeless = !(await this.#doesAnyPass(from, whole))
      }
      if (isHopeless === true || this.isVoid) return { kind: 'rejected', reason: whole }
      const refusal = await this.send({ from, to })
      this.#notePassed(refusal, whole)
      return refusal === null ? { kind: 'delivered' } : { kind: 'rejected', reason: refusal }
    }
    const found = await bisect({ ...all, send, requestsMax: BISECT_REQUESTS_MAX })
    this.guilty = this.#leftOf(isHopeless === true ? [all] : found)
    const accused = this.guilty.find(({ reason }) => !isLate(reason))
    if (accused === undefined) return true
    this.reason = accused.reason
    if (this.isVoid || !(await this.#isReceiverRight())) return false
    await this.#askOnceMore()
    return !this.isVoid
  }

  async #sendAll(part: Part): Promise<string | null> {
    const { job, courier, ways, writer } = this.#parts
    const counts = ways.encode(part.from, part.to)
    const isEmpty = isNothing(counts)
    if (!isEmpty) this.#sent += 1
    const before = courier.moment
    const refusal = isEmpty ? null : await ways.send(snappy.compress(writer.written()), counts)
    const isLost = refusal !== null && !isLate(refusal)
    // A request of 2.0 that is settled may be one of which nothing was taken.
    if (!isLost && courier.hasAcceptedSince(before)) job.witness = part
    if (isLost) this.#refusedAt = courier.moment
    if (refusal === null) job.left = this.#left.flatMap((one) => without(one, part))
    else if (ways.isMoot() || (job.isOnTrial && courier.isDown)) this.isVoid = true
    return refusal
  }

  /** What is late says that the receiver is right, and nothing of the rest where all may be so. */
  #notePassed(refusal: string | null, whole: string): void {
    if (refusal === null || (isLate(refusal) && !isLate(whole))) this.#hasPassed = true
  }

  /** A long row of bad series at the beginning looks like a request in which all are bad. */
  async #doesAnyPass(from: number, whole: string): Promise<boolean> {
    const { count } = this.#parts
    const probes = Math.min(PROBES, count - from)
    for (let i = 0; i < probes && !this.#hasPassed && !this.isVoid; i++) {
      const series = from + Math.floor(((i + 1) * (count - from)) / probes) - 1
      this.#notePassed(await this.send({ from: series, to: series + 1 }), whole)
    }
    return this.#hasPassed
  }

  /**
   * Whether the receiver has taken something since it has refused the last part. If there was
   * nothing to take it is asked by an empty request. One that fails by trying to store things, or
   * takes no such request, has to say the same again of a part: that one may be there twice then.
   */
  async #isReceiverRight(): Promise<boolean> {
    const { job, courier, ways, writer } = this.#parts
    const isRight = () => courier.hasAcceptedSince(this.#refusedAt)
    if (isRight() || job.witness === null) return isRight()
    const { from, to } = job.witness
    for (const end of job.isOnTrial ? [to] : [from, to]) {
      if (isRight()) break
      const counts = ways.encode(from, end)
      await courier.send(job, ways.protocol, snappy.compress(writer.written()), counts)
    }
    return isRight()
  }

  /** It may have been the receiver that was wrong, or in trouble, for a moment. */
  async #askOnceMore(): Promise<void> {
    const asked: Guilt[] = []
    for (const guilt of this.guilty) {
      const reason = isLate(guilt.reason) || this.isVoid ? guilt.reason : await this.send(guilt)
      if (reason !== null) asked.push({ ...guilt, reason })
    }
    this.guilty = this.#leftOf(asked)
  }

  #leftOf(guilty: readonly Guilt[]): Guilt[] {
    const partsOf = (guilt: Guilt) => leftOf(this.#left, guilt)
    return guilty.flatMap((guilt) => partsOf(guilt).map((part) => ({ ...guilt, ...part })))
  }
}

/** Parts that fail one after the other, until nobody believes any more that some are good. */
function hopelessAfter(count: number): number {
  return 2 * Math.ceil(Math.log2(count + 1)) + 2
}
