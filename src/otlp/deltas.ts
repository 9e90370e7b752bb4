import { AHEAD_MS_MAX } from '../admit/refusal.ts'
import {
  NEWEST_BITS,
  NEWEST_MS,
  ROW_DOUBLES,
  ROW_WORDS,
  type SeriesTable,
} from '../admit/series-table.ts'
import { HistogramDecoder } from '../decode/histogram.ts'
import { readHistogram } from '../decode/histogram-fields.ts'
import { HISTOGRAM_BYTES_MAX } from '../kernel/layout.ts'
import { type Batch, DIGEST_WORDS, grown, IS_DELTA } from '../model/batch.ts'
import type { DigestKey } from '../model/identity.ts'
import { ProtobufReader } from '../wire/protobuf-reader.ts'
import { describe, overlap, type Problem, refuse, unfit } from './delta-problem.ts'
import { DeltaRows } from './delta-rows.ts'
import { dropUnkept } from './drop-unkept.ts'
import { added, bytesMaxOf, costOf, fill, type HistogramSum, sumOf } from './histogram-sum.ts'
import { COUNTER, GAUGE } from './metric.ts'
import type { DeltaOptions } from './options.ts'
import { STALE_HIGH, STALE_LOW } from './point.ts'

/** `startMs` of a row whose series has ended: what comes next begins anew. */
const ENDED = -1

/**
 * Makes sums of differences: OTLP's delta temporality becomes the cumulative one.
 *
 * Each series has a sum of its own, so a histogram of other bounds than before begins anew and
 * a bucket that has gone is no longer spoken of. The series of one point move together: when
 * they are not all up to the same time, all begin anew. A sum that begins anew has a later start,
 * which receivers know as the reset of a counter.
 *
 * A difference from before the end of its sum was sent twice, or by two senders that say to be
 * one; it is refused. So is what admission would refuse, because nobody may be told that a
 * point was refused when it is in the sum.
 *
 * A class, because a sum moves only with the block that says so: what was added is remembered
 * at once, and forgotten again by `undo` unless `forget` says that its block is on disk.
 */
export class DeltaSums {
  readonly #options: DeltaOptions
  readonly #table: SeriesTable
  readonly #rows: DeltaRows
  readonly #histograms: HistogramDecoder
  readonly #reader = new ProtobufReader()
  /** Of each sample of the group: its row, or -1. */
  #row = new Int32Array(64)
  /** Whether all series of the group go on from where they are. */
  #isContinued = false
  #missing = 0

  /** @param table of admission, which knows series whose sums are forgotten */
  constructor(options: DeltaOptions, table: SeriesTable, key: DigestKey) {
    this.#options = options
    this.#table = table
    this.#rows = new DeltaRows(options.seriesMax)
    this.#histograms = new HistogramDecoder(key)
  }

  /** Series that have a sum. */
  get live(): number {
    return this.#rows.live
  }

  /** The same with what histograms count beyond that: what `max` is the limit of. */
  get held(): number {
    return this.#rows.held
  }

  get max(): number {
    return this.#options.seriesMax
  }

  /**
   * Puts sums in place of the differences in `batch`, and takes out and refuses what cannot be
   * added. To be followed by `settle`, without an `await`.
   */
  addUp(batch: Batch, nowMs: number, nowSeconds: number): void {
    if (!batch.hasDeltas) return
    this.#rows.begin(nowSeconds)
    const { sampleCount, samplePoint, sampleKeep } = batch
    let isComplete = true
    for (let from = 0; from < sampleCount; ) {
      const point = samplePoint[from]!
      let to = from + 1
      if (point >= IS_DELTA) while (to < sampleCount && samplePoint[to] === point) to += 1
      const problem = point >= IS_DELTA ? this.#take(batch, from, to, nowMs) : null
      sampleKeep.fill(problem === null ? 1 : 0, from, to)
      if (problem !== null) {
        refuse(batch, from, problem)
        isComplete = false
      }
      from = to
    }
    if (!isComplete) dropUnkept(batch)
  }

  /** What was added since is in blocks up to `block`. */
  settle(block: number): void {
    this.#rows.settle(block)
  }

  /** Blocks up to `block` are on disk: what is in them stays added. */
  forget(block: number): void {
    this.#rows.forget(block)
  }

  /** No block that is not on disk yet will ever be: what is in them was never added. */
  undo(): void {
    this.#rows.undo()
  }

  /** To be called once a second: forgets sums that nothing was added to for too long. */
  sweep(nowSeconds: number): void {
    this.#rows.sweep(nowSeconds, this.#options.staleSeconds)
  }

  /** The samples `[from, to)` are one point, which goes in as a whole or not at all. */
  #take(batch: Batch, from: number, to: number, nowMs: number): Problem | null {
    const untimely = this.#findRows(batch, from, to, nowMs)
    if (untimely !== null) return untimely
    if (batch.sampleHistogramEnd[from]! > 0) return this.#addHistogram(batch, from)
    return isStale(batch, from) ? this.#end(batch, from, to) : this.#addFloats(batch, from, to)
  }

  /** Fills `#row`; returns why the point comes at the wrong time, or null. */
  #findRows(batch: Batch, from: number, to: number, nowMs: number): Problem | null {
    const { timeMs, startMs: sumStartMs } = this.#rows
    const { seriesIdentity } = batch
    const timestampMs = batch.sampleTimestampMs[from]!
    const startMs = batch.sampleStartMs[from]!
    if (timestampMs > nowMs + AHEAD_MS_MAX) return describe(batch, from, 'too-far-ahead', nowMs, 0)
    this.#row = grown(this.#row, to - from)
    this.#missing = 0
    this.#isContinued = true
    for (let i = from; i < to; i++) {
      const row = this.#rows.find(seriesIdentity, i * DIGEST_WORDS)
      this.#row[i - from] = row
      const sumMs = row < 0 ? 0 : timeMs[row]!
      const newestMs = Math.max(sumMs, this.#admittedMs(batch, i, row < 0))
      if (timestampMs <= newestMs) return describe(batch, i, 'late', nowMs, newestMs)
      // Where the sum began only its own sender begins, who then never says another start.
      const isOwn = row >= 0 && startMs === sumStartMs[row]
      if (startMs !== 0 && startMs < sumMs && !isOwn) return overlap(batch, i, sumMs)
      if (row < 0) this.#missing += 1
      if (row < 0 || sumStartMs[row] === ENDED || sumMs !== timeMs[this.#row[0]!]) {
        this.#isContinued = false
      }
    }
    return null
  }

  /**
   * The newest time at which admission would refuse the sample. At its own time it may be known
   * and still be added: when its push was cut in blocks, and not all of them came to disk. Then
   * the sum is what it was before, or will be what is known.
   */
  #admittedMs(batch: Batch, sample: number, isNew: boolean): number {
    const { words, doubles } = this.#table
    const row = this.#table.find(batch.seriesIdentity, sample * DIGEST_WORDS)
    if (row < 0) return 0
    const newestMs = doubles[row * ROW_DOUBLES + NEWEST_MS]!
    if (newestMs !== batch.sampleTimestampMs[sample]) return newestMs
    const at = row * ROW_WORDS + NEWEST_BITS
    const isSame =
      words[at] === batch.sampleBits[sample * 2] &&
      words[at + 1] === batch.sampleBits[sample * 2 + 1]
    return isNew && !isSame ? newestMs : 0
  }

  #addFloats(batch: Batch, from: number, to: number): Problem | null {
    const { value, startMs, histogram } = this.#rows
    for (let i = from; i < to; i++) {
      const delta = numberAt(batch, i)
      if (!Number.isFinite(delta)) return unfit(batch, i, `${delta} cannot be added up`)
      if (delta < 0 && batch.seriesMetadataType[i] === COUNTER) {
        return unfit(batch, i, `${delta} is below 0, in a sum that is said to be monotonic`)
      }
      const row = this.#row[i - from]!
      if (row >= 0 && histogram[row]! !== null) this.#isContinued = false
    }
    if (!this.#rows.hasRoom(this.#missing)) return this.#full(batch, from)
    for (let i = from; i < to; i++) {
      const row = this.#rowFor(batch, i, from)
      const isContinued = this.#isContinued
      const sum = isContinued ? value[row]! + numberAt(batch, i) : numberAt(batch, i)
      const since = isContinued ? startMs[row]! : batch.sampleStartMs[i]!
      this.#rows.set(row, sum, since, batch.sampleTimestampMs[i]!)
      setValue(batch, i, sum)
      setStart(batch, i, since)
    }
    return null
  }

  #addHistogram(batch: Batch, from: number): Problem | null {
    const { fields } = this.#histograms
    const { histogramBytes, sampleHistogramStart, sampleHistogramEnd } = batch
    this.#reader.reset(histogramBytes, sampleHistogramStart[from]!, sampleHistogramEnd[from]!)
    readHistogram(this.#reader, fields)
    if (fields.sum.words[0] === STALE_LOW && fields.sum.words[1] === STALE_HIGH) {
      return this.#end(batch, from, from + 1)
    }
    const delta = sumOf(fields)
    if (delta === null) return unfit(batch, from, 'more observations or buckets than can be added')
    if (!Number.isFinite(delta.sum)) return unfit(batch, from, `a sum of ${delta.sum}`)
    const known = this.#row[0]!
    const before = known < 0 ? null : (this.#rows.histogram[known] ?? null)
    const both = this.#isContinued && before !== null ? added(before, delta) : null
    const sum = both ?? delta
    const bytes = batch.histogramByteCount + bytesMaxOf(sum)
    const isTooLong = bytes > HISTOGRAM_BYTES_MAX
    if (isTooLong) return unfit(batch, from, 'too many histograms in one request')
    if (!this.#rows.hasRoom(this.#missing + costOf(sum) - costOf(before))) {
      return this.#full(batch, from)
    }
    const row = this.#rowFor(batch, from, from)
    const since = both === null ? batch.sampleStartMs[from]! : this.#rows.startMs[row]!
    this.#rows.set(row, 0, since, batch.sampleTimestampMs[from]!, sum)
    this.#write(batch, from, sum)
    setStart(batch, from, since)
    return null
  }

  #write(batch: Batch, sample: number, sum: HistogramSum): void {
    fill(this.#histograms.fields, sum)
    this.#histograms.append(batch, sample)
  }

  /** A stale marker passes as it is; what comes after it begins anew. */
  #end(batch: Batch, from: number, to: number): null {
    for (let i = from; i < to; i++) {
      const row = this.#row[i - from]!
      if (row >= 0) this.#rows.set(row, 0, ENDED, batch.sampleTimestampMs[i]!)
    }
    return null
  }

  /** The row of sample `i`, which gets one if it has none. There is room. */
  #rowFor(batch: Batch, i: number, from: number): number {
    const known = this.#row[i - from]!
    return known >= 0 ? known : this.#rows.insert(batch.seriesIdentity, i * DIGEST_WORDS)
  }

  #full(batch: Batch, sample: number): Problem {
    const { seriesMax } = this.#options
    return unfit(batch, sample, `${seriesMax} series are added up already: otlp.delta_max_series`)
  }
}

function isStale({ sampleBits }: Batch, from: number): boolean {
  return sampleBits[from * 2] === STALE_LOW && sampleBits[from * 2 + 1] === STALE_HIGH
}

const conversion = new Float64Array(1)
const conversionWords = new Uint32Array(conversion.buffer)

function numberAt({ sampleBits }: Batch, sample: number): number {
  conversionWords[0] = sampleBits[sample * 2]!
  conversionWords[1] = sampleBits[sample * 2 + 1]!
  return conversion[0]!
}

function setValue({ sampleBits }: Batch, sample: number, value: number): void {
  conversion[0] = value
  sampleBits[sample * 2] = conversionWords[0]!
  sampleBits[sample * 2 + 1] = conversionWords[1]!
}

/** What goes up and down has no start to speak of. */
function setStart(batch: Batch, sample: number, startMs: number): void {
  const isGauge = batch.seriesMetadataType[sample] === GAUGE
  batch.sampleStartMs[sample] = isGauge ? 0 : startMs
}
