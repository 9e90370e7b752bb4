import { Tally, UNKNOWN_CLUSTER } from '../model/tally.ts'
import type { BlockTotals } from '../persist/totals.ts'
import type { Flow } from '../status/sources.ts'

export type AccountParts = {
  /** Of all blocks in the log. */
  totals: BlockTotals
  /** Of all samples that ever were in the log, those before the cursor. */
  done: Tally
  /** What others count and go on counting; the quarantine may have begun before. */
  quarantine: Record<'held' | 'discarded', Tally>
  destination: Record<'forwarded' | 'maybeStored' | 'unsupported', Tally>
  dropped: Tally
}

type Tallies = Record<Exclude<keyof Flow, 'cluster'>, Tally>

/**
 * What became of the samples of each cluster on the way to one destination, since that began.
 *
 * A hole in the log says how many samples it had, and not whose. They are of the unknown cluster
 * until a totals record says it, or everything was read.
 *
 * A class, because there is state with an invariant: what is done waits no more, and is counted
 * where it went; what waits is the difference to what is in the log.
 */
export class Account {
  readonly #parts: AccountParts
  readonly #keptAtStart: Tally
  readonly #doneAtStart: Tally
  readonly #quarantinedAtStart: Tally
  readonly #discardedAtStart: Tally
  #done: Tally
  readonly damaged = new Tally()
  readonly evicted = new Tally()
  readonly rewound = new Tally()

  constructor(parts: AccountParts) {
    this.#parts = parts
    this.#done = new Tally(parts.done)
    this.#doneAtStart = new Tally(parts.done)
    this.#keptAtStart = new Tally(parts.totals.samples)
    this.#quarantinedAtStart = new Tally(parts.quarantine.held)
    this.#discardedAtStart = new Tally(parts.quarantine.discarded)
  }

  /** Of all samples that ever were in the log, those that need not be delivered any more. */
  get done(): Tally {
    return this.#done
  }

  get waitingSamples(): number {
    return this.#parts.totals.samples.sum - this.#done.sum
  }

  /** A block has an outcome, which others count. */
  settle(cluster: string, samples: number): void {
    this.#done.add(cluster, samples)
  }

  /** They are not in the log any more. @param cluster null when nobody knows whose they were */
  lose(samples: number, cluster: string | null): void {
    const whose = cluster ?? this.#parts.totals.samples.onlyCluster
    this.damaged.add(whose, samples)
    this.#done.add(whose, samples)
  }

  /** They made room. */
  evict(samples: Tally): void {
    for (const [cluster, count] of samples) {
      const { onlyCluster } = this.#parts.totals.samples
      const whose = cluster === UNKNOWN_CLUSTER ? onlyCluster : cluster
      this.evicted.add(whose, count)
      this.#done.add(whose, count)
    }
  }

  /** What is done is `done` again. Returns how many samples are to be sent once more. */
  rewind(done: Tally): number {
    const samples = this.#done.sum - done.sum
    this.rewound.addAll(this.#done.minus(done))
    this.#done = new Tally(done)
    return samples
  }

  /**
   * Finds out whose the samples in holes were. Does nothing unless everything was read up to
   * where `totals` stand, and no more.
   *
   * @param ahead what was read and is not done
   */
  findOwners(totals: Tally, ahead: Tally): void {
    if (this.damaged.of(UNKNOWN_CLUSTER) + this.evicted.of(UNKNOWN_CLUSTER) === 0) return
    const missing = totals.minus(this.#done).minus(ahead)
    if (missing.sum !== 0) return
    for (const [cluster, samples] of missing) {
      if (samples > 0) this.#giveTo(cluster, samples)
    }
  }

  #giveTo(cluster: string, samples: number): void {
    let left = samples
    for (const lost of [this.damaged, this.evicted]) {
      const found = Math.max(0, Math.min(left, lost.of(UNKNOWN_CLUSTER)))
      lost.move(UNKNOWN_CLUSTER, cluster, found)
      this.#done.move(UNKNOWN_CLUSTER, cluster, found)
      left -= found
    }
  }

  /** By cluster. @param ahead what was read and is not done */
  flows(ahead: Tally): Flow[] {
    const { totals, quarantine, destination, dropped } = this.#parts
    this.findOwners(totals.samples, ahead)
    const tallies: Tallies = {
      kept: totals.samples.minus(this.#keptAtStart),
      waitingAtStart: this.#keptAtStart.minus(this.#doneAtStart),
      quarantinedAtStart: this.#quarantinedAtStart,
      rewound: this.rewound,
      ...destination,
      quarantined: quarantine.held,
      discarded: quarantine.discarded.minus(this.#discardedAtStart),
      damaged: this.damaged,
      evicted: this.evicted,
      dropped,
      waiting: totals.samples.minus(this.#done),
    }
    const names = new Set(Object.values(tallies).flatMap(({ clusters }) => [...clusters]))
    const flows = Array.from(names, (cluster) => flowOf(cluster, tallies))
    return flows.filter(({ cluster, ...parts }) => cluster !== UNKNOWN_CLUSTER || hasAny(parts))
  }
}

function flowOf(cluster: string, tallies: Tallies): Flow {
  const of = (what: keyof Tallies) => tallies[what].of(cluster)
  return {
    cluster,
    kept: of('kept'),
    waitingAtStart: of('waitingAtStart'),
    quarantinedAtStart: of('quarantinedAtStart'),
    rewound: of('rewound'),
    forwarded: of('forwarded'),
    maybeStored: of('maybeStored'),
    unsupported: of('unsupported'),
    quarantined: of('quarantined'),
    discarded: of('discarded'),
    damaged: of('damaged'),
    evicted: of('evicted'),
    dropped: of('dropped'),
    waiting: of('waiting'),
  }
}

function hasAny(parts: Record<string, number>): boolean {
  return Object.values(parts).some((samples) => samples !== 0)
}
