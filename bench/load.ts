import { compressSync } from 'snappy'
import { ProtobufWriter } from '../src/wire/protobuf-writer.ts'
import { type Line, readExposition } from './exposition.ts'

/** What a Prometheus puts into one request by default. */
export const PUSH_SAMPLES = 2_000
const INTERVAL_MS = 15_000
/** Digits of an instance's number: always as many, so that a template can be patched. */
const DIGITS = 6
/** Milliseconds of this century take six bytes as a varint. */
const TIMESTAMP_BYTES = 6

export type LoadOptions = {
  protocol: 'rw1' | 'rw2' | 'otlp'
  /** Active series; rounded up to whole pushes. */
  series: number
  pushSamples?: number
  /** Shifts the series between pushes, so that a second sender's bodies differ from the first's. */
  shift?: number
  /** Share of the series that are new in each round, in place of old ones. */
  churn?: number
  /** Time of the first round; a target's place in the scrape interval is added. */
  startMs: number
  /** Between two rounds, in event time. */
  intervalMs?: number
  /** Of OTLP: whether the target adds a `target_info` for each resource. */
  hasTargetInfo?: boolean
}

type Place = { at: number; instance: number }

/**
 * Many node exporters as a Prometheus would push them: counters count, gauges move, and each
 * round brings every series once, a scrape interval later.
 *
 * The message is written once; for each push the instances' numbers, the timestamps and the
 * values are patched into it, so making a push costs little more than its compression.
 */
export class Load {
  readonly pushesPerRound: number
  readonly pushSamples: number
  readonly #template: Uint8Array
  readonly #view: DataView
  readonly #instancesPerPush: number
  readonly #shift: number
  readonly #churn: number
  readonly #startMs: number
  readonly #intervalMs: number
  readonly #lines: Line[]
  readonly #digits: Place[] = []
  readonly #values: number[] = []
  readonly #lineOf: number[] = []
  readonly #instanceOf: number[] = []

  constructor(options: LoadOptions) {
    const { protocol, series, pushSamples = PUSH_SAMPLES, startMs } = options
    this.pushSamples = pushSamples
    this.pushesPerRound = Math.ceil(series / pushSamples)
    this.#shift = options.shift ?? 0
    this.#churn = options.churn ?? 0
    this.#startMs = startMs
    this.#intervalMs = options.intervalMs ?? INTERVAL_MS
    this.#lines = readExposition()
    this.#instancesPerPush = Math.ceil(pushSamples / this.#lines.length)
    const out = new ProtobufWriter(1024 * 1024)
    if (protocol === 'rw1') this.#writeRemoteWrite1(out)
    else this.#writeRemoteWrite2(out)
    this.#template = out.written().slice()
    this.#view = new DataView(this.#template.buffer)
    this.#findDigits()
  }

  /** The body of push `push` of round `round`, both from 0; snappy-compressed. */
  body(push: number, round: number): Buffer {
    const roundMs = this.#startMs + round * this.#intervalMs
    // Every target has its own place in the scrape interval.
    return this.#patched(
      push,
      round,
      (instance) => roundMs + ((instance * 7919) % this.#intervalMs),
    )
  }

  /** The same, with one time for all samples: so a receiver can tell how long they took. */
  bodyAt(push: number, round: number, timestampMs: number): Buffer {
    return this.#patched(push, round, () => timestampMs)
  }

  #patched(push: number, round: number, timeOf: (instance: number) => number): Buffer {
    const view = this.#view
    const bytes = this.#template
    // Pushes take turns, so that each round renews as many.
    const renewals = Math.floor(round * this.#churn + push / this.pushesPerRound)
    const first = (push + renewals * this.pushesPerRound) * this.#instancesPerPush
    for (const { at, instance } of this.#digits) {
      let number = first + instance
      for (let digit = DIGITS - 1; digit >= 0; digit--) {
        bytes[at + digit] = 48 + (number % 10)
        number = Math.floor(number / 10)
      }
    }
    for (let i = 0; i < this.#values.length; i++) {
      const at = this.#values[i]!
      const line = this.#lines[this.#lineOf[i]!]!
      const instance = first + this.#instanceOf[i]!
      view.setFloat64(at, valueAt(line, instance, round), true)
      writeTimestamp(bytes, at + 9, timeOf(instance))
    }
    return compressSync(bytes, { copyOutputData: true }) as Buffer
  }

  #writeRemoteWrite1(out: ProtobufWriter): void {
    this.#eachSeries((labels) => {
      out.uint32(0x0a)
      const series = out.open()
      for (const [name, value] of labels) {
        out.uint32(0x0a)
        const label = out.open()
        writeString(out, 0x0a, name)
        writeString(out, 0x12, value)
        out.close(label)
      }
      this.#writeSample(out)
      out.close(series)
    })
    this.#placeValues(out)
  }

  #writeRemoteWrite2(out: ProtobufWriter): void {
    const symbols = new Map<string, number>([['', 0]])
    const refs: number[][] = []
    const refOf = (text: string): number => {
      if (!symbols.has(text)) symbols.set(text, symbols.size)
      return symbols.get(text)!
    }
    this.#eachSeries((labels) => {
      refs.push(labels.flatMap(([name, value]) => [refOf(name), refOf(value)]))
    })
    for (const text of symbols.keys()) writeString(out, 0x22, text)
    for (const series of refs) {
      out.uint32(0x2a)
      const message = out.open()
      out.uint32(0x0a)
      const packed = out.open()
      for (const ref of series) out.uint32(ref)
      out.close(packed)
      this.#writeSample(out)
      out.uint32(0x2a)
      const metadata = out.open()
      out.uint32(0x08)
      out.uint32(2)
      out.close(metadata)
      out.close(message)
    }
    this.#placeValues(out)
  }

  #eachSeries(write: (labels: [string, string][]) => void): void {
    // A small push shows lines from everywhere in the exposition.
    const stride = Math.max(1, this.#lines.length / this.pushSamples)
    for (let i = 0; i < this.pushSamples; i++) {
      const place = Math.floor(((i + this.#shift) % this.pushSamples) * stride)
      const line = place % this.#lines.length
      const instance = Math.floor(place / this.#lines.length)
      this.#lineOf.push(line)
      this.#instanceOf.push(instance)
      write(labelsOf(this.#lines[line]!, instance))
    }
  }

  /** A marker stands where the value and the timestamp belong. */
  #writeSample(out: ProtobufWriter): void {
    out.uint32(0x12)
    out.uint32(9 + 1 + TIMESTAMP_BYTES)
    out.uint32(0x09)
    out.fixed64(MARKER, MARKER)
    out.uint32(0x10)
    for (let i = 0; i < TIMESTAMP_BYTES; i++) out.raw(Uint8Array.of(0x80), 0, 1)
  }

  #placeValues(out: ProtobufWriter): void {
    const bytes = Buffer.from(out.written())
    const marker = Buffer.alloc(8)
    marker.writeUInt32LE(MARKER, 0)
    marker.writeUInt32LE(MARKER, 4)
    for (let at = bytes.indexOf(marker); at >= 0; at = bytes.indexOf(marker, at + 8)) {
      this.#values.push(at)
    }
  }

  #findDigits(): void {
    const bytes = Buffer.from(this.#template.buffer, 0, this.#template.length)
    for (let instance = 0; instance < this.#instancesPerPush; instance++) {
      const marker = Buffer.from(instanceMarker(instance))
      for (let at = bytes.indexOf(marker); at >= 0; at = bytes.indexOf(marker, at + 1)) {
        this.#digits.push({ at, instance })
      }
    }
  }
}

const MARKER = 0xfeedbeef

/** As long as the digits that take its place, and unlike anything else in a message. */
function instanceMarker(instance: number): string {
  return `@${String(instance).padStart(DIGITS - 2, '0')}@`
}

function labelsOf({ name, labels }: Line, instance: number): [string, string][] {
  const number = instanceMarker(instance)
  const all: [string, string][] = [
    ['__name__', name],
    ['cluster', 'production-eu-west-1'],
    ['container', 'node-exporter'],
    ['endpoint', 'http-metrics'],
    ['instance', `ip-10-12-${number}.eu-west-1.compute.internal:9100`],
    ['job', 'node-exporter'],
    ['namespace', 'monitoring'],
    ['pod', `prometheus-node-exporter-${number}`],
    ['prometheus', 'monitoring/kube-prometheus'],
    ['replica', 'prometheus-kube-prometheus-0'],
    ['service', 'prometheus-node-exporter'],
    ...labels.map(([key, value]): [string, string] => [key, value]),
  ]
  return all.sort(([one], [other]) => (one < other ? -1 : 1))
}

function valueAt({ value, isCounter }: Line, instance: number, round: number): number {
  if (isCounter) return Math.floor(value) + instance * 17 + round * (1 + (Math.floor(value) % 97))
  return value === 0 || value === 1 ? value : value + ((instance * 31 + round * 7) % 101)
}

function writeTimestamp(bytes: Uint8Array, start: number, timestampMs: number): void {
  let low = timestampMs % 2 ** 28
  let high = Math.floor(timestampMs / 2 ** 28)
  let at = start
  for (let i = 0; i < 4; i++) {
    bytes[at++] = (low & 0x7f) | 0x80
    low >>>= 7
  }
  bytes[at++] = (high & 0x7f) | 0x80
  high >>>= 7
  bytes[at] = high & 0x7f
}

function writeString(out: ProtobufWriter, tag: number, text: string): void {
  const bytes = Buffer.from(text)
  out.uint32(tag)
  out.lengthDelimited(bytes, 0, bytes.length)
}
