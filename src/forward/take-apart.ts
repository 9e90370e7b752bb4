import type { Counts } from '../model/counts.ts'
import { isNothing } from '../model/counts.ts'
import type { ProtobufWriter } from '../wire/protobuf-writer.ts'
import { snappy } from '../wire/snappy.ts'
import { BISECT_REQUESTS_MAX, bisect, type Guilt, type PartVerdict } from './bisect.ts'
import type { Courier } from './courier.ts'
import type { Job } from './delivery.ts'
import { isLate } from './refused.ts'
import type { SampleLoss } from './within-series.ts'

/** What taking a request apart needs of it: the two protocols do that differently. */
export type Ways = {
  /** Leaves the part in the writer. */
  encode(from: number, to: number): Counts
  /** Null when it was taken, else why it was not. */
  send(part: Uint8Array, counts: Counts): Promise<string | null>
  nameOf(series: number): string | null
  /** What is lost of a part, sample by sample; null when that is all of it. */
  within?(guilt: Guilt): Promise<SampleLoss[] | null>
}

export type TakeApartParts = {
  job: Job
  courier: Courier
  /** Series in the request, which was rejected as a whole for this reason. */
  count: number
  reason: string
  ways: Ways
  writer: ProtobufWriter
}

/** When nothing has passed yet, so many series from all over the request are tried alone. */
const PROBES = 16

/**
 * Sends parts of a request until only what is guilty is left, and returns that. Null when no
 * part passes and nothing else does, so that it is the receiver that fails: then the request is
 * to be sent again as a whole.
 */
export async function takeApart(parts: TakeApartParts): Promise<Guilt[] | null> {
  const { job, courier } = parts
  const isTrial = job.isOnTrial
  const since = courier.moment
  const lossesBefore = job.losses.length
  // One request at a time, and often in vain: others need not wait for that.
  const { guilty, passed, isRightOne, isVoid } = await courier.aside(() => sendParts(parts))
  const hasPassed = passed !== null
  const isChanged = hasPassed && !isVoid && (await hasChanged(parts, guilty, passed))
  job.isOnTrial = false
  if (hasPassed && (isVoid || isChanged)) {
    // What has passed is sent once more then.
    job.maybeStored = true
    job.keepLosses(lossesBefore)
  }
  if (isTrial) {
    const isAcquitted = isVoid || isChanged || (!hasPassed && !courier.hasAcceptedSince(since))
    if (isAcquitted) job.trialAfterMs *= 2
    return isAcquitted ? null : guilty
  }
  const reasons = guilty.map((guilt) => guilt.reason)
  if (isChanged) job.refusedAt = null
  const mayDoubt = isChanged || !isRightOne
  return mayDoubt && (await isInDoubt(job, courier, reasons)) ? null : guilty
}

/**
 * Whether what was refused as a whole is not to blame. Who calls some of it late has other samples
 * of ours, and so is the right one: after a crash, everything else may wait behind this.
 */
export async function isInDoubt(job: Job, courier: Courier, reasons: string[]): Promise<boolean> {
  return !reasons.some(isLate) && (await courier.isInDoubt(job, reasons[0] ?? ''))
}

/** A part that was refused, and when that was, by the count of the courier. */
type Refusal = Guilt & { moment: number }
type Part = { from: number; to: number }

/** Whether by the end the receiver refuses what it has taken: then it was not the parts. */
async function hasChanged(
  { job, courier, ways, writer }: TakeApartParts,
  guilty: Refusal[],
  passed: Part,
): Promise<boolean> {
  const isSure = (one: Refusal) => isLate(one.reason) || courier.hasAcceptedSince(one.moment)
  if (guilty.every(isSure)) return false
  const lossesBefore = job.losses.length
  const counts = ways.encode(passed.from, passed.to)
  const refusal = await ways.send(snappy.compress(writer.written()), counts)
  job.keepLosses(lossesBefore)
  return refusal !== null && !isLate(refusal)
}

type Sent = {
  guilty: Refusal[]
  /** The last part that the receiver has taken, and null when there is none. */
  passed: Part | null
  /** Whether it has taken a part, or called one late: then it is the one that is meant. */
  isRightOne: boolean
  /** Whether the receiver went down meanwhile, so that refusals say nothing about parts. */
  isVoid: boolean
}

async function sendParts({ job, courier, count, reason, ways, writer }: TakeApartParts) {
  const own: Sent = { guilty: [], passed: null, isRightOne: false, isVoid: false }
  // What was taken apart in vain before is not, until something of it passes.
  const trustedRefusals = job.refusedAt === null ? hopelessAfter(count) : 0
  let sent = 0
  let isHopeless: boolean | null = null

  const send = async (from: number, to: number): Promise<PartVerdict> => {
    const counts = ways.encode(from, to)
    if (isNothing(counts)) return { kind: 'delivered' }
    sent += 1
    const refusal = await ways.send(snappy.compress(writer.written()), counts)
    if (refusal !== null) {
      if (job.isOnTrial && courier.isDown) own.isVoid = true
      if (isLate(refusal)) own.isRightOne = true
      return { kind: 'rejected', reason: refusal }
    }
    own.passed = { from, to }
    own.isRightOne = true
    return { kind: 'delivered' }
  }

  /** A long row of bad series at the beginning looks like a request in which all are bad. */
  const doesAnyPass = async (from: number): Promise<boolean> => {
    const probes = Math.min(PROBES, count - from)
    const lossesBefore = job.losses.length
    for (let i = 0; i < probes && !own.isRightOne && !own.isVoid; i++) {
      const series = from + Math.floor(((i + 1) * (count - from)) / probes) - 1
      await send(series, series + 1)
    }
    // What has passed alone passes once more in its part.
    if (own.passed !== null) job.maybeStored = true
    job.keepLosses(lossesBefore)
    return own.isRightOne
  }

  const sendUnlessHopeless = async (from: number, to: number): Promise<PartVerdict> => {
    if (!own.isRightOne && isHopeless === null && sent >= trustedRefusals) {
      isHopeless = !(await doesAnyPass(from))
    }
    if (isHopeless === true || own.isVoid) return { kind: 'rejected', reason }
    return send(from, to)
  }

  const all = { from: 0, to: count, reason }
  const limits = { ...all, requestsMax: BISECT_REQUESTS_MAX }
  const found = await bisect({ ...limits, send: sendUnlessHopeless })
  for (const guilt of isHopeless === true ? [all] : found) {
    // It may have been the receiver that was wrong, or in trouble, for a moment.
    const isSure = own.passed === null || own.isVoid || isLate(guilt.reason)
    if (!isSure && (await send(guilt.from, guilt.to)).kind === 'delivered') continue
    own.guilty.push({ ...guilt, moment: courier.moment })
  }
  return own
}

/** Parts that fail one after the other, until nobody believes any more that some are good. */
function hopelessAfter(count: number): number {
  return 2 * Math.ceil(Math.log2(count + 1)) + 2
}
