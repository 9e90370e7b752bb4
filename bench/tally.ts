import { ProtobufReader } from '../src/wire/protobuf-reader.ts'

const LAG_MS_MAX = 60_000

/** Field numbers of the messages of both versions, with their wire types. */
const TIME_SERIES = { rw1: 0x0a, rw2: 0x2a }
const SAMPLES = 0x12
const TIMESTAMP = 0x10

/** Counts the samples of remote-write messages, and how old each is when it arrives. */
export class Tally {
  samples = 0
  readonly #reader = new ProtobufReader()
  /** Samples per millisecond of age. */
  readonly #lags = new Uint32Array(LAG_MS_MAX + 1)

  forgetLags(): void {
    this.#lags.fill(0)
  }

  /** @returns how many samples `raw`, a decompressed message, holds */
  add(raw: Uint8Array, isVersion2: boolean, nowMs: number): number {
    const reader = this.#reader
    const timeSeries = isVersion2 ? TIME_SERIES.rw2 : TIME_SERIES.rw1
    const before = this.samples
    reader.reset(raw)
    while (reader.hasMore()) {
      const tag = reader.uint32()
      if (tag !== timeSeries) {
        reader.skip(tag)
        continue
      }
      const message = reader.enter()
      while (reader.hasMore()) {
        const field = reader.uint32()
        if (field === SAMPLES) this.#addSample(nowMs)
        else reader.skip(field)
      }
      reader.leave(message)
    }
    if (reader.malformed !== null) throw new Error(`the target sent nonsense: ${reader.malformed}`)
    return this.samples - before
  }

  /** The age that `share` of the samples did not pass. */
  lagMs(share: number): number {
    let left = share * this.#lags.reduce((sum, samples) => sum + samples, 0)
    return this.#lags.findIndex((samples) => {
      left -= samples
      return left <= 0
    })
  }

  #addSample(nowMs: number): void {
    const reader = this.#reader
    const series = reader.enter()
    let timestampMs = 0
    while (reader.hasMore()) {
      const tag = reader.uint32()
      if (tag === TIMESTAMP) timestampMs = reader.int64()
      else reader.skip(tag)
    }
    reader.leave(series)
    this.samples += 1
    this.#lags[Math.max(0, Math.min(LAG_MS_MAX, nowMs - timestampMs))]! += 1
  }
}
