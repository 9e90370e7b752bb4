import { type Counts, samplesOf } from '../model/counts.ts'

/** Entries that the disk has lost: so many samples, of blocks between these. */
export type QuarantineHole = { samples: number; fromBlock: number; toBlock: number }

/** What a seal says of the entry that it was written behind. */
export type Sealed = { id: number; block: number; samples: number; samplesBefore: number }

type Found = QuarantineHole & { ids: number[] }

/**
 * Finds what is missing of a quarantine while its records are read in order: an entry says how
 * many samples came before it, and the seal behind it how many it held. What was taken out later
 * is not missed.
 *
 * A class, because of what it remembers between two records.
 */
export class QuarantineHoles {
  /** In all entries so far. */
  samples = 0
  readonly #found: Found[] = []
  readonly #removed = new Set<number>()
  #nextLsn: number
  /** Passed over, and nobody has said what they were. */
  readonly #missing = new Set<number>()
  /** LSN and block of the last entry that is known. */
  #lastLsn = 0
  #block = 0

  constructor(firstLsn: number) {
    this.#nextLsn = firstLsn
  }

  entry(
    lsn: number,
    { block, lost }: { block: number; lost: Counts },
    samplesBefore = this.samples,
  ): void {
    this.#pass(lsn)
    this.#reach(lsn, block, samplesBefore)
    this.samples = samplesBefore + samplesOf(lost)
  }

  sealed(lsn: number, { id, block, samples, samplesBefore }: Sealed): void {
    this.#pass(lsn)
    if (!this.#missing.delete(id)) return
    this.#found.push({ samples, fromBlock: block, toBlock: block, ids: [id] })
    // Entries are sealed in their order, but others may have come between.
    if (id < this.#lastLsn) return
    this.#reach(id, block, samplesBefore)
    this.samples = samplesBefore + samples
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

  /** The samples that are missing before an entry were in what is missing since the last one. */
  #reach(lsn: number, block: number, samplesBefore: number): void {
    const ids = [...this.#missing].filter((id) => this.#lastLsn < id && id < lsn)
    const samples = samplesBefore - this.samples
    // Before the first entry that is left, nobody knows what was taken out, but a seal may say so.
    if (this.#lastLsn > 0 && samples > 0 && ids.length > 0) {
      const [fromBlock, toBlock] = [Math.min(this.#block, block), Math.max(this.#block, block)]
      this.#found.push({ samples, fromBlock, toBlock, ids })
      for (const id of ids) this.#missing.delete(id)
    }
    this.#lastLsn = lsn
    this.#block = block
  }

  #pass(lsn: number): void {
    for (let missing = this.#nextLsn; missing < lsn; missing++) this.#missing.add(missing)
    this.#nextLsn = lsn + 1
  }
}
