import { copyOf } from '../base/memory.ts'
import type { Batch } from '../model/batch.ts'
import type { HeldExemplar, Judgement, Slice } from '../model/judgement.ts'
import { EXEMPLAR_MS, ROW_DOUBLES, type SeriesTable } from './series-table.ts'

/** A scrape interval of five minutes is the longest in use. */
const HELD_SECONDS_MAX = 300
const HELD_MAX = 10_000
/** Of what is no text in one. */
const NUMBERS_BYTES = 5 * 8

type Held = HeldExemplar & {
  /** Monotonic. */
  sinceSeconds: number
  /** The block it travels in, not on disk yet; 0 while it waits. */
  block: number
}

/**
 * Which series an exemplar travels with. Prometheus sends every exemplar in a TimeSeries
 * of its own, but newer receivers refuse exemplars without a sample, so one is put beside
 * a sample of its series in the same push, or held until the series' next sample.
 *
 * Exemplars that are held live in memory only: after a crash they are gone, and they are
 * the only thing that is.
 */
export class Exemplars {
  readonly #table: SeriesTable
  readonly #held = new Map<number, Held[]>()
  #heldCount = 0
  duplicates = 0
  expired = 0

  constructor(table: SeriesTable) {
    this.#table = table
  }

  /** Number of exemplars that wait for a sample. */
  get heldCount(): number {
    return this.#heldCount
  }

  /** What those take; looks at each of them. */
  get heldBytes(): number {
    const bytesOf = ({ labels }: Held) =>
      labels.reduce((bytes, { length }) => bytes + length, NUMBERS_BYTES)
    let bytes = 0
    for (const list of this.#held.values()) for (const held of list) bytes += bytesOf(held)
    return bytes
  }

  /**
   * Finds a carrier for every exemplar of the slice, and for held ones whose series has a
   * sample in it. `seriesRow` and `carries` (1 where the series has a kept sample) are per
   * series of the batch.
   */
  judge(
    batch: Batch,
    slice: Slice,
    seriesRow: Int32Array,
    carries: Uint8Array,
    block: number,
    nowSeconds: number,
    judgement: Judgement,
  ): void {
    if (this.#heldCount > 0) this.#release(slice, seriesRow, carries, block, judgement)
    if (batch.exemplarCount === 0) return
    const carrierOf = carriersByRow(slice, seriesRow, carries)
    for (let i = 0; i < batch.exemplarCount; i++) {
      const series = batch.exemplarSeries[i]!
      if (series < slice.fromSeries || series >= slice.toSeries) continue
      const row = seriesRow[series]!
      const carrier = carries[series] === 1 ? series : carrierOf.get(row)
      if (row >= 0 && !this.#isNew(batch, i, row)) this.duplicates += 1
      else if (carrier !== undefined) {
        judgement.exemplarCarrier[i] = carrier
        judgement.kept.exemplars += 1
      } else if (row >= 0) this.#hold(batch, i, row, nowSeconds)
      else this.expired += 1
    }
  }

  /** Blocks up to `block` are on disk, and with them the held exemplars they carry. */
  forget(block: number): void {
    if (this.#heldCount > 0) this.#keepOnly((held) => held.block === 0 || held.block > block)
  }

  /** Blocks that are not on disk will never be: what they carried waits again. */
  undo(): void {
    for (const list of this.#held.values()) for (const held of list) held.block = 0
  }

  /** Gives up what has waited too long. */
  expire(nowSeconds: number): void {
    if (this.#heldCount === 0) return
    this.expired += this.#keepOnly((held) => nowSeconds - held.sinceSeconds <= HELD_SECONDS_MAX)
  }

  #release(
    slice: Slice,
    seriesRow: Int32Array,
    carries: Uint8Array,
    block: number,
    judgement: Judgement,
  ): void {
    for (let series = slice.fromSeries; series < slice.toSeries; series++) {
      if (carries[series] !== 1) continue
      for (const held of this.#held.get(seriesRow[series]!) ?? []) {
        if (held.block !== 0) continue
        held.block = block
        judgement.held.push({ series, exemplar: held })
        judgement.kept.exemplars += 1
      }
    }
  }

  /** Receivers refuse exemplars older than the series' newest, and ignore the newest sent again. */
  #isNew(batch: Batch, index: number, row: number): boolean {
    const { doubles, exemplarDigest } = this.#table
    const exemplarMs = row * ROW_DOUBLES + EXEMPLAR_MS
    const timestampMs = batch.exemplarTimestampMs[index]!
    const digest = (batch.exemplarBits[index * 2]! ^ batch.exemplarBits[index * 2 + 1]!) >>> 0
    const newestMs = doubles[exemplarMs]!
    if (timestampMs < newestMs) return false
    if (timestampMs === newestMs && digest === exemplarDigest[row]) return false
    doubles[exemplarMs] = timestampMs
    exemplarDigest[row] = digest
    return true
  }

  #hold(batch: Batch, index: number, row: number, nowSeconds: number): void {
    if (this.#heldCount >= HELD_MAX) {
      this.expired += 1
      return
    }
    const labels: Uint8Array[] = []
    for (let i = batch.exemplarLabelStart[index]!; i < batch.exemplarLabelEnd[index]!; i++) {
      const ref = batch.labelRefs[i]!
      labels.push(copyOf(batch.bytes, batch.symbolStart[ref]!, batch.symbolEnd[ref]!))
    }
    const held: Held = {
      timestampMs: batch.exemplarTimestampMs[index]!,
      low: batch.exemplarBits[index * 2]!,
      high: batch.exemplarBits[index * 2 + 1]!,
      labels,
      sinceSeconds: nowSeconds,
      block: 0,
    }
    const list = this.#held.get(row)
    if (list === undefined) this.#held.set(row, [held])
    else list.push(held)
    this.#heldCount += 1
  }

  /** Returns how many went. */
  #keepOnly(stays: (held: Held) => boolean): number {
    let gone = 0
    for (const [row, list] of this.#held) {
      const left = list.filter(stays)
      gone += list.length - left.length
      if (left.length === 0) this.#held.delete(row)
      else if (left.length < list.length) this.#held.set(row, left)
    }
    this.#heldCount -= gone
    return gone
  }
}

/** The series of a slice that has a kept sample, by row. Only built when there are exemplars. */
function carriersByRow(
  slice: Slice,
  seriesRow: Int32Array,
  carries: Uint8Array,
): Map<number, number> {
  const carriers = new Map<number, number>()
  for (let series = slice.fromSeries; series < slice.toSeries; series++) {
    if (carries[series] === 1 && seriesRow[series]! >= 0) carriers.set(seriesRow[series]!, series)
  }
  return carriers
}
