import type { Clock } from '../base/clock.ts'
import type { Destination } from '../forward/destination.ts'
import type { Quarantine, QuarantineEntry } from '../persist/quarantine.ts'
import type { Replayed } from '../status/sources.ts'

/** What a person waits for. */
const REPLAY_MS_MAX = 30_000

type ReplayParts = {
  quarantine: Quarantine
  destination: Pick<Destination, 'sendAgain'>
  clock: Clock
}

/** Sends entries of a quarantine again, one after the other; what arrives is taken out. */
export async function replay(
  parts: ReplayParts,
  ids: readonly number[],
  stopping: AbortSignal,
): Promise<Replayed> {
  const { quarantine } = parts
  const done: Replayed = { arrived: [], refused: [], failed: [] }
  const signal = AbortSignal.any([stopping, AbortSignal.timeout(REPLAY_MS_MAX)])
  for (const id of ids) {
    const entry = quarantine.find(id)
    const message = entry === undefined ? null : await quarantine.message(id)
    if (entry === undefined || message === null) done.failed.push(id)
    else done[await sendAgain(parts, entry, message, signal)].push(id)
  }
  return done
}

async function sendAgain(
  { quarantine, destination, clock }: ReplayParts,
  { id, messageBytes: _, ...head }: QuarantineEntry,
  message: Uint8Array,
  signal: AbortSignal,
): Promise<keyof Replayed> {
  const refused = { cluster: head.cluster, number: head.block, message, lost: head.lost }
  let left: Awaited<ReturnType<Destination['sendAgain']>>
  try {
    left = await destination.sendAgain(refused, signal)
  } catch {
    return 'failed'
  }
  if (left === null) {
    await quarantine.remove([id], true)
    return 'arrived'
  }
  const { lost, reason } = left
  const next = { ...head, lost, reason, refusedMs: clock.nowMs(), attempts: head.attempts + 1 }
  await quarantine.replace(id, next, message)
  return 'refused'
}
