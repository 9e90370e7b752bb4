import { expect } from 'vitest'
import {
  NEWEST_BITS,
  NEWEST_MS,
  ROW_DOUBLES,
  ROW_WORDS,
  SeriesTable,
} from '../../src/admit/series-table.ts'
import { type Batch, createBatch } from '../../src/model/batch.ts'
import { createOtlpDecoder } from '../../src/otlp/decoder.ts'
import { DeltaSums } from '../../src/otlp/deltas.ts'
import { OTLP_DEFAULTS, type OtlpOptions } from '../../src/otlp/options.ts'
import { examplesOf, seriesOf } from '../support/decoded.ts'
import { KEY } from '../support/decoding.ts'
import { DELTA, encodeOtlp, type Message, nanos, pointAt, requestOf } from '../support/otlp.ts'
import type { HistogramMessage } from '../support/remote-write.ts'

/** What became of a series: its name and labels but for the job, and what it is at. */
export type Summed = {
  series: string
  timestampMs: number
  startMs: number
  value: number | HistogramMessage
}

const BATCH = createBatch()

/** Differences go in and sums come out, without a gateway around. */
export class Summing {
  readonly table = new SeriesTable(1000)
  readonly sums: DeltaSums
  /** Of the last push of whichever: one that is made for each takes its time. */
  readonly batch: Batch = BATCH
  readonly #decode: ReturnType<typeof createOtlpDecoder>
  nowSeconds = 1_000
  block = 0

  constructor({
    seriesMax = 1000,
    staleSeconds = 300,
    ...options
  }: Partial<OtlpOptions> & { seriesMax?: number; staleSeconds?: number } = {}) {
    const delta = { seriesMax, staleSeconds }
    this.sums = new DeltaSums(delta, this.table, KEY)
    this.#decode = createOtlpDecoder(KEY, { ...OTLP_DEFAULTS, ...options, delta })
  }

  /** Everything that goes into the block, which is not on disk yet. */
  push(...metrics: Message[]): Summed[] {
    expect(this.#decode(encodeOtlp(requestOf(metrics)), this.batch)).toBeNull()
    this.sums.addUp(this.batch, 100_000_000, this.nowSeconds)
    this.block += 1
    this.sums.settle(this.block)
    return seriesOf(this.batch).map(({ labels, samples }) => {
      const [{ timestampMs, startMs, bits, histogram }] = samples as [(typeof samples)[0]]
      const value =
        histogram ?? new Float64Array(BigUint64Array.of(bits as bigint).buffer)[0] ?? Number.NaN
      const series = labels.map(([name, its]) => (name === '__name__' ? its : `${name}=${its}`))
      return { series: series.join(' '), timestampMs, startMs, value }
    })
  }

  /** All but the last `open` blocks. */
  commit(open = 0): void {
    this.sums.forget(this.block - open)
  }

  sweep(seconds: number): void {
    this.nowSeconds += seconds
    for (let i = 0; i < 60; i++) this.sums.sweep(this.nowSeconds)
  }

  /** Has admission know the first series of the last push at this time, with this value. */
  admit(timestampMs: number, value: number): void {
    const { table, batch } = this
    const known = table.find(batch.seriesIdentity, 0)
    const row = known < 0 ? table.insert(batch.seriesIdentity, 0) : known
    table.doubles[row * ROW_DOUBLES + NEWEST_MS] = timestampMs
    const bits = new Uint32Array(Float64Array.of(value).buffer)
    table.words.set(bits, row * ROW_WORDS + NEWEST_BITS)
  }

  /** What the last push was told about what was refused. */
  get refused(): { points: number; why: { [reason: string]: string } } {
    return { points: this.batch.rejections.points, why: examplesOf(this.batch) }
  }
}

/** From second `from` to second `to`. */
export function deltaAt(from: number, to: number, more: Message, attributes = {}): Message {
  return pointAt(to * 1000, { startTimeUnixNano: nanos(from * 1000), ...more }, attributes)
}

export function sumOf(dataPoints: Message[], isMonotonic = true, name = 'n'): Message {
  return { name, sum: { dataPoints, isMonotonic, aggregationTemporality: DELTA } }
}

export function histogramOf(...dataPoints: Message[]): Message {
  return { name: 'h', histogram: { dataPoints, aggregationTemporality: DELTA } }
}

export function exponentialOf(...dataPoints: Message[]): Message {
  return { name: 'e', exponentialHistogram: { dataPoints, aggregationTemporality: DELTA } }
}

/** Values of a push, as `series value`. */
export function shown(summed: readonly Summed[]): string[] {
  return summed.map(({ series, value }) => `${series} ${value}`)
}

/** What the only series of a push, a native histogram, is at. */
export function histogramIn([first]: readonly Summed[]): HistogramMessage {
  return first!.value as HistogramMessage
}
