import { type Counts, samplesOf } from '../model/counts.ts'

/** Entries that the disk has lost: so many samples, of blocks between these. */
export type QuarantineHole = { samples: number; fromBlock: number; toBlock: number }

type Found = QuarantineHole & { ids: number[] }

/**
 * Finds what is missing of a quarantine while its records are read in order: an entry says how
 * many samples came before it. What was taken out later is not missed, and what no entry follows
 * is not known.
 *
 * A class, because of what it remembers between two records.
 */
export class QuarantineHoles {
  /** In all entries so far. */
  samples = 0
  readonly #found: Found[] = []
  readonly #removed = new Set<number>()
  #nextLsn: number | undefined
  /** Passed over since the last entry. */
  #missing: number[] = []
  #hasEntry = false
  #block = 0

  entry(
    lsn: number,
    { block, lost }: { block: number; lost: Counts },
    samplesBefore = this.samples,
  ): void {
    this.#pass(lsn)
    const samples = samplesBefore - this.samples
    // Before the first entry that is left, nobody knows what was taken out.
    if (this.#hasEntry && samples > 0 && this.#missing.length > 0) {
      const [fromBlock, toBlock] = [Math.min(this.#block, block), Math.max(this.#block, block)]
      this.#found.push({ samples, fromBlock, toBlock, ids: this.#missing })
    }
    this.#missing = []
    this.#hasEntry = true
    this.#block = block
    this.samples = samplesBefore + samplesOf(lost)
  }

  removed(lsn: number, ids: readonly number[]): void {
    this.#pass(lsn)
    for (const id of ids) this.#removed.add(id)
  }

  /** Those that hold something that was not taken out. */
  open(): QuarantineHole[] {
    const isOpen = ({ ids }: Found) => ids.some((id) => !this.#removed.has(id))
    return this.#found.filter(isOpen).map(({ ids: _, ...hole }) => hole)
  }

  /** Of all that is missing. */
  ids(): number[] {
    return this.#found.flatMap(({ ids }) => ids)
  }

  #pass(lsn: number): void {
    for (let missing = this.#nextLsn ?? lsn; missing < lsn; missing++) this.#missing.push(missing)
    this.#nextLsn = lsn + 1
  }
}
