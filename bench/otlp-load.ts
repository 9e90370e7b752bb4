import { gzipSync } from 'node:zlib'
import { ProtobufWriter } from '../src/wire/protobuf-writer.ts'
import { type Line, readExposition } from './exposition.ts'
import type { LoadOptions } from './load.ts'

/** Of each resource: points with one number, and with a histogram of so many bounds. */
const NUMBERS = 100
const HISTOGRAMS = 8
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const SERIES_PER_HISTOGRAM = BOUNDS.length + 3
const RESOURCES_PER_PUSH = 10
export const POINTS_PER_PUSH = RESOURCES_PER_PUSH * (NUMBERS + HISTOGRAMS)

const DIGITS = 6
/** Stand where a value and a time belong, and look like nothing else. */
const VALUE = 0xfeedbeef
const TIME = 0xfacade01

type Patch = { at: number; line: number; resource: number }

/**
 * Many hosts as a Collector would export them: the metrics of a node exporter under the names
 * of OpenTelemetry, and histograms of requests, ten hosts in a request, in gzip.
 *
 * As `Load`, the message is written once and patched for each push.
 */
export class OtlpLoad {
  readonly pushesPerRound: number
  /** Samples that a push becomes. */
  readonly pushSamples: number
  readonly #template: Uint8Array
  readonly #view: DataView
  readonly #options: LoadOptions
  readonly #lines: Line[]
  readonly #values: Patch[] = []
  readonly #times: number[] = []
  readonly #digits: { at: number; resource: number }[] = []
  /** Of each value marker, in the order of writing. */
  readonly #written: { line: number; resource: number }[] = []

  constructor(options: LoadOptions) {
    this.#options = options
    const perResource = NUMBERS + HISTOGRAMS * SERIES_PER_HISTOGRAM
    const derived = options.hasTargetInfo === true ? 1 : 0
    this.pushSamples = RESOURCES_PER_PUSH * (perResource + derived)
    this.pushesPerRound = Math.ceil(options.series / (RESOURCES_PER_PUSH * perResource))
    const lines = readExposition()
    const stride = lines.length / NUMBERS
    this.#lines = Array.from({ length: NUMBERS }, (_, i) => lines[Math.floor(i * stride)]!)
    const out = new ProtobufWriter(1024 * 1024)
    for (let i = 0; i < RESOURCES_PER_PUSH; i++) this.#writeResource(out, i)
    this.#template = out.written().slice()
    this.#view = new DataView(this.#template.buffer)
    this.#findMarkers()
  }

  /** The body of push `push` of round `round`, both from 0. */
  body(push: number, round: number): Buffer {
    const { startMs, intervalMs = 15_000 } = this.#options
    return this.bodyAt(push, round, startMs + round * intervalMs)
  }

  /** The same at another time. */
  bodyAt(push: number, round: number, timestampMs: number): Buffer {
    const bytes = this.#template
    const first = push * RESOURCES_PER_PUSH
    for (const { at, resource } of this.#digits) {
      let number = first + resource
      for (let digit = DIGITS - 1; digit >= 0; digit--) {
        bytes[at + digit] = 48 + (number % 10)
        number = Math.floor(number / 10)
      }
    }
    const nanos = BigInt(timestampMs) * 1_000_000n
    for (const at of this.#times) this.#view.setBigUint64(at, nanos, true)
    for (const { at, line, resource } of this.#values) {
      const number = first + resource
      if (line < 0) this.#view.setBigUint64(at, BigInt(number + round * 3 - line), true)
      else this.#view.setFloat64(at, valueAt(this.#lines[line]!, number, round), true)
    }
    return gzipSync(bytes, { level: 1 })
  }

  #writeResource(out: ProtobufWriter, resource: number): void {
    const own = resourceMarker(resource)
    nested(out, 0x0a, () => {
      nested(out, 0x0a, () => {
        for (const [key, value] of attributesOf(own)) writeAttribute(out, 0x0a, key, value)
      })
      nested(out, 0x12, () => {
        nested(out, 0x0a, () => writeString(out, 0x0a, 'otelcol/hostmetricsreceiver'))
        for (const [name, places] of this.#metrics()) {
          nested(out, 0x12, () => this.#writeNumbers(out, name, places, resource))
        }
        nested(out, 0x12, () => this.#writeHistograms(out, resource))
      })
    })
  }

  /** Places of lines by metric. */
  #metrics(): Map<string, number[]> {
    const metrics = new Map<string, number[]>()
    for (const [place, { name }] of this.#lines.entries()) {
      metrics.set(name, [...(metrics.get(name) ?? []), place])
    }
    return metrics
  }

  #writeNumbers(out: ProtobufWriter, name: string, places: number[], resource: number): void {
    const { isCounter } = this.#lines[places[0]!]!
    writeString(out, 0x0a, name.replaceAll('_', '.'))
    nested(out, isCounter ? 0x3a : 0x2a, () => {
      for (const place of places) {
        nested(out, 0x0a, () => {
          writeMarker(out, 0x19, TIME)
          writeMarker(out, 0x21, VALUE)
          this.#written.push({ line: place, resource })
          for (const [key, value] of this.#lines[place]!.labels) {
            writeAttribute(out, 0x3a, key, value)
          }
        })
      }
      if (isCounter) writeNumber(out, 0x10, 2)
      if (isCounter) writeNumber(out, 0x18, 1)
    })
  }

  #writeHistograms(out: ProtobufWriter, resource: number): void {
    writeString(out, 0x0a, 'http.server.request.duration')
    writeString(out, 0x1a, 's')
    nested(out, 0x4a, () => {
      for (let i = 0; i < HISTOGRAMS; i++) {
        nested(out, 0x0a, () => {
          writeMarker(out, 0x19, TIME)
          this.#writeCount(out, 0x21, resource, -1000)
          writeMarker(out, 0x29, VALUE)
          this.#written.push({ line: 0, resource })
          out.uint32(0x32)
          out.uint32((BOUNDS.length + 1) * 8)
          for (let b = 0; b <= BOUNDS.length; b++) this.#writeCount(out, 0, resource, -1 - b)
          out.uint32(0x3a)
          out.uint32(BOUNDS.length * 8)
          for (const bound of BOUNDS) {
            const [low, high] = new Uint32Array(Float64Array.of(bound).buffer)
            out.fixed64(low!, high!)
          }
          writeAttribute(out, 0x4a, 'http.request.method', i % 2 === 0 ? 'GET' : 'POST')
          writeAttribute(out, 0x4a, 'http.route', `/api/v1/items/${i}`)
        })
      }
      writeNumber(out, 0x10, 2)
    })
  }

  /** An integer, which grows from `-line` on. */
  #writeCount(out: ProtobufWriter, tag: number, resource: number, line: number): void {
    if (tag !== 0) out.uint32(tag)
    out.fixed64(VALUE, VALUE)
    this.#written.push({ line, resource })
  }

  #findMarkers(): void {
    const bytes = Buffer.from(this.#template.buffer, 0, this.#template.length)
    const values = placesOf(bytes, markerOf(VALUE))
    for (const [i, at] of values.entries()) this.#values.push({ at, ...this.#written[i]! })
    this.#times.push(...placesOf(bytes, markerOf(TIME)))
    for (let resource = 0; resource < RESOURCES_PER_PUSH; resource++) {
      const places = placesOf(bytes, Buffer.from(resourceMarker(resource)))
      this.#digits.push(...places.map((at) => ({ at, resource })))
    }
  }
}

/** As long as the digits that take its place. */
function resourceMarker(resource: number): string {
  return `@${String(resource).padStart(DIGITS - 2, '0')}@`
}

function attributesOf(number: string): [key: string, value: string][] {
  return [
    ['service.name', 'checkout'],
    ['service.namespace', 'shop'],
    ['service.instance.id', `checkout-${number}`],
    ['host.name', `ip-10-12-${number}.eu-west-1.compute.internal`],
    ['k8s.cluster.name', 'production-eu-west-1'],
    ['k8s.namespace.name', 'shop'],
    ['k8s.pod.name', `checkout-7d9c5b-${number}`],
    ['cloud.region', 'eu-west-1'],
  ]
}

function valueAt({ value, isCounter }: Line, resource: number, round: number): number {
  if (isCounter) return Math.floor(value) + resource * 17 + round * (1 + (Math.floor(value) % 97))
  return value + ((resource * 31 + round * 7) % 101)
}

function markerOf(word: number): Buffer {
  const marker = Buffer.alloc(8)
  marker.writeUInt32LE(word, 0)
  marker.writeUInt32LE(word, 4)
  return marker
}

function placesOf(bytes: Buffer, marker: Buffer): number[] {
  const places: number[] = []
  for (let at = bytes.indexOf(marker); at >= 0; at = bytes.indexOf(marker, at + marker.length)) {
    places.push(at)
  }
  return places
}

function nested(out: ProtobufWriter, tag: number, write: () => void): void {
  out.uint32(tag)
  const opened = out.open()
  write()
  out.close(opened)
}

function writeAttribute(out: ProtobufWriter, tag: number, key: string, value: string): void {
  nested(out, tag, () => {
    writeString(out, 0x0a, key)
    nested(out, 0x12, () => writeString(out, 0x0a, value))
  })
}

function writeMarker(out: ProtobufWriter, tag: number, word: number): void {
  out.uint32(tag)
  out.fixed64(word, word)
}

function writeNumber(out: ProtobufWriter, tag: number, value: number): void {
  out.uint32(tag)
  out.uint32(value)
}

function writeString(out: ProtobufWriter, tag: number, text: string): void {
  const bytes = Buffer.from(text)
  out.uint32(tag)
  out.lengthDelimited(bytes, 0, bytes.length)
}
