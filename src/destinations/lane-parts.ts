import type { Clock } from '../base/clock.ts'
import type { ClockWatch } from '../base/clock-watch.ts'
import type { Logger } from '../base/log.ts'
import type { createPost } from '../forward/post.ts'
import type { Block } from '../model/block.ts'
import type { DigestKey } from '../model/identity.ts'
import type { Tally } from '../model/tally.ts'
import type { Cursor } from '../persist/cursor.ts'
import type { Log } from '../persist/log.ts'
import type { Quarantine } from '../persist/quarantine.ts'
import type { BlockTotals } from '../persist/totals.ts'
import type { Losses } from './losses.ts'

/** What the way to one destination is made of. */
export type LaneParts = {
  log: Log
  cursor: Cursor
  losses: Losses
  quarantine: Quarantine
  key: DigestKey
  merge: (blocks: readonly Block[]) => Block | null
  totals: BlockTotals
  /** Samples in all blocks that are on disk. */
  committed: () => Tally
  /** Of all samples in it, those before the cursor. */
  done: Tally
  clock: Clock
  watch: ClockWatch
  /** In [0, 1). */
  random: () => number
  logger: Logger
  /** The way there; HTTP when absent. */
  post?: typeof createPost
  /** Everything before `position` is acknowledged. */
  onCheckpoint: (position: number) => void
}
