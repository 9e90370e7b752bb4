import type { Counts } from '../model/counts.ts'
import { isNothing } from '../model/counts.ts'
import type { ProtobufWriter } from '../wire/protobuf-writer.ts'
import { snappy } from '../wire/snappy.ts'
import { BISECT_REQUESTS_MAX, bisect, type Guilt, type PartVerdict } from './bisect.ts'
import type { Courier } from './courier.ts'
import type { Job } from './delivery.ts'
import { isLate } from './refused.ts'

/** What taking a request apart needs of it: the two protocols do that differently. */
export type Ways = {
  /** Leaves the part in the writer. */
  encode(from: number, to: number): Counts
  /** Null when it was taken, else why it was not. */
  send(part: Uint8Array, counts: Counts): Promise<string | null>
  nameOf(series: number): string | null
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
  const { job, courier, reason } = parts
  const isTrial = job.isOnTrial
  const since = courier.moment
  const { refusedAt } = job
  if (!isTrial && refusedAt !== null && !courier.hasAcceptedSince(refusedAt)) {
    // It was taken apart once in vain, and nothing has changed.
    if (await isInDoubt(job, courier, [reason])) return null
  }
  const { guilty, hasPassed, isVoid } = await sendParts(parts)
  job.isOnTrial = false
  if (isTrial) {
    const isAcquitted = isVoid || (!hasPassed && !courier.hasAcceptedSince(since))
    if (isAcquitted) job.trialAfterMs *= 2
    return isAcquitted ? null : guilty
  }
  const reasons = guilty.map((guilt) => guilt.reason)
  return !hasPassed && (await isInDoubt(job, courier, reasons)) ? null : guilty
}

/** Whether what was refused as a whole is not to blame. Who speaks of times is the right one. */
export async function isInDoubt(job: Job, courier: Courier, reasons: string[]): Promise<boolean> {
  return !reasons.every(isLate) && (await courier.isInDoubt(job, reasons[0] ?? ''))
}

type Sent = {
  guilty: Guilt[]
  hasPassed: boolean
  /** Whether the receiver went down meanwhile, so that refusals say nothing about parts. */
  isVoid: boolean
}

async function sendParts({ job, courier, count, reason, ways, writer }: TakeApartParts) {
  const own: Sent = { guilty: [], hasPassed: false, isVoid: false }
  let sent = 0
  let isHopeless: boolean | null = null

  const send = async (from: number, to: number): Promise<PartVerdict> => {
    const counts = ways.encode(from, to)
    if (isNothing(counts)) return { kind: 'delivered' }
    sent += 1
    const refusal = await ways.send(snappy.compress(writer.written()), counts)
    if (refusal === null) own.hasPassed = true
    else if (job.isOnTrial && courier.isDown) own.isVoid = true
    return refusal === null ? { kind: 'delivered' } : { kind: 'rejected', reason: refusal }
  }

  /** A long row of bad series at the beginning looks like a request in which all are bad. */
  const doesAnyPass = async (from: number): Promise<boolean> => {
    const probes = Math.min(PROBES, count - from)
    for (let i = 0; i < probes && !own.hasPassed && !own.isVoid; i++) {
      const series = from + Math.floor(((i + 1) * (count - from)) / probes) - 1
      await send(series, series + 1)
    }
    // What has passed alone passes once more in its part.
    if (own.hasPassed) job.maybeStored = true
    return own.hasPassed
  }

  const sendUnlessHopeless = async (from: number, to: number): Promise<PartVerdict> => {
    if (!own.hasPassed && isHopeless === null && sent >= hopelessAfter(count)) {
      isHopeless = !(await doesAnyPass(from))
    }
    if (isHopeless === true || own.isVoid) return { kind: 'rejected', reason }
    return send(from, to)
  }

  const all = { from: 0, to: count, reason }
  own.guilty = await bisect({
    ...all,
    send: sendUnlessHopeless,
    requestsMax: BISECT_REQUESTS_MAX,
  })
  if (isHopeless === true) own.guilty = [all]
  // They are all sent again.
  if (own.isVoid && own.hasPassed) job.maybeStored = true
  return own
}

/** Parts that fail one after the other, until nobody believes any more that some are good. */
function hopelessAfter(count: number): number {
  return 2 * Math.ceil(Math.log2(count + 1)) + 2
}
