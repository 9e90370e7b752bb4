/** What is counted under this name belongs to a cluster that nobody knows any more. */
export const UNKNOWN_CLUSTER = ''

/**
 * Samples, histograms among them, by cluster.
 *
 * A class, because there is state with an invariant: the sum is that of all clusters.
 */
export class Tally {
  readonly #samples = new Map<string, number>()
  #sum = 0

  constructor(samples: Iterable<readonly [cluster: string, samples: number]> = []) {
    for (const [cluster, count] of samples) this.add(cluster, count)
  }

  /** Of all clusters. */
  get sum(): number {
    return this.#sum
  }

  get clusters(): Iterable<string> {
    return this.#samples.keys()
  }

  /** The only cluster in it; the unknown one when there are none or several. */
  get onlyCluster(): string {
    const [first, second] = this.#samples.keys()
    return second === undefined ? (first ?? UNKNOWN_CLUSTER) : UNKNOWN_CLUSTER
  }

  /** Whether there never was anything of another cluster. */
  isOnly(cluster: string): boolean {
    return this.#samples.size === 0 || (this.#samples.size === 1 && this.#samples.has(cluster))
  }

  of(cluster: string): number {
    return this.#samples.get(cluster) ?? 0
  }

  /** `samples` may be negative. */
  add(cluster: string, samples: number): void {
    if (samples === 0) return
    this.#samples.set(cluster, this.of(cluster) + samples)
    this.#sum += samples
  }

  addAll(more: Tally): void {
    for (const [cluster, samples] of more) this.add(cluster, samples)
  }

  /** It has turned out whose they were. */
  move(from: string, to: string, samples: number): void {
    this.add(from, -samples)
    this.add(to, samples)
  }

  /** A new one; it may go below zero. */
  minus(less: Tally): Tally {
    const left = new Tally(this)
    for (const [cluster, samples] of less) left.add(cluster, -samples)
    return left
  }

  [Symbol.iterator](): Iterator<[cluster: string, samples: number]> {
    return this.#samples.entries()
  }
}
