import type { ClockWatch } from '../base/clock-watch.ts'
import type { LookAhead } from '../forward/look-ahead.ts'
import type { BlockTotals } from '../persist/totals.ts'
import type { DestinationStatus } from '../status/sources.ts'

/** What lies in the log, acknowledged by nobody, and for how long the oldest of it has. */
export function waitingOf(
  { oldest, aheadOfCursorBytes }: LookAhead,
  totals: BlockTotals,
  watch: Pick<ClockWatch, 'agoMs'>,
): Pick<DestinationStatus, 'waitingBytes' | 'oldestWaitingSeconds'> {
  // Blocks that wait and were not read yet are not older than those that were.
  if (oldest === undefined) return { waitingBytes: 0, oldestWaitingSeconds: 0 }
  return {
    waitingBytes: totals.bytes - oldest.bytesBefore - aheadOfCursorBytes,
    oldestWaitingSeconds: watch.agoMs(oldest.receivedMs, oldest.number) / 1000,
  }
}
