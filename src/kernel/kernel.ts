import { readFileSync } from 'node:fs'
import { copyBytes } from '../base/memory.ts'
import {
  AT_NAMED_BYTES,
  AT_NAMED_COUNT,
  AT_OUT_BYTES,
  AT_OUT_RAW_BYTES,
  BODY,
  BODY_ROOM,
  KEY,
  MEMORY_BYTES,
  NAMED,
  NAMED_DIGESTS,
  OUT,
  RAW,
  RAW_BYTES_MAX,
  REGISTERS,
  REGISTERS_MAX,
  SHAPE_BYTES,
  SHAPES,
} from './layout.ts'
import { PointMemory } from './point-memory.ts'

const PAGE_BYTES = 65_536
const PAGES = Math.ceil(MEMORY_BYTES / PAGE_BYTES)

/** Places are bytes of the memory; `assembly/` says what each one does. */
type Exports = {
  decompress(from: number, end: number, to: number, length: number): number
  compress(from: number, length: number, to: number): number
  beginRequest(): void
  addSymbol(from: number, to: number): number
  intern(from: number, to: number, guess: number): number
  readPlainSeries1(from: number, limit: number): number
  readSymbols2(from: number, limit: number): number
  readPlainSeries2(from: number, limit: number): number
  writePlainSeries(from: number, to: number): number
  readMetrics(from: number, limit: number): number
  readPointsOf(metric: number, help: number, from: number, limit: number): number
  placeOfShape(own: number, hasLe: number): number
}

/** Memory that threads share; it goes to another one in a message. */
export type KernelMemory = { readonly buffer: SharedArrayBuffer }

/** As much of it as is used here: the types of Node leave it to those of the browser. */
declare const WebAssembly: {
  Module: new (code: Uint8Array) => object
  Memory: new (size: { initial: number; maximum: number; shared: true }) => KernelMemory
  Instance: new (module: object, imports: object) => { exports: unknown }
}

const MODULE = new WebAssembly.Module(readFileSync(new URL('kernel.wasm', import.meta.url)))

/**
 * The inner loops over bytes: compiled from `assembly/`, which is TypeScript too, with
 * integers and vectors of 16 bytes. Each works on memory that it shares with one batch.
 *
 * A class, because functions and memory belong together. It keeps the interner and the
 * labels of the series before from call to call, and `beginRequest` forgets them.
 *
 * Places in the interface are bytes of the raw body.
 */
export class Kernel {
  readonly memory: KernelMemory
  readonly buffer: SharedArrayBuffer
  /** Numbers that both sides know, by the `AT_…` of the layout. */
  readonly registers: Uint32Array
  readonly points: PointMemory
  readonly #bytes: Uint8Array
  readonly #exports: Exports

  /** @param memory that of a kernel in another thread, to read what was decoded there */
  constructor(memory: KernelMemory = createKernelMemory()) {
    const { exports } = new WebAssembly.Instance(MODULE, { env: { memory } })
    this.#exports = exports as Exports
    this.memory = memory
    this.buffer = memory.buffer
    this.#bytes = new Uint8Array(this.buffer)
    this.registers = new Uint32Array(this.buffer, REGISTERS, REGISTERS_MAX)
    this.points = new PointMemory(this.buffer)
  }

  /**
   * Makes `bytes` the raw body.
   *
   * @throws RangeError when there is no room for so many
   */
  load(bytes: Uint8Array): Uint8Array {
    if (bytes.length > RAW_BYTES_MAX) throw tooLarge()
    const isHere = bytes.buffer === this.buffer && bytes.byteOffset === RAW
    if (!isHere) copyBytes(bytes, 0, bytes.length, this.#bytes, RAW)
    return this.raw(bytes.length)
  }

  /**
   * Makes the content of a snappy block the raw body. Null when it is damaged, or not of
   * `length` bytes.
   *
   * @param elementsAt where its first element lies, behind its length
   */
  decompress(block: Uint8Array, elementsAt: number, length: number): Uint8Array | null {
    if (block.length > BODY_ROOM || length > RAW_BYTES_MAX) return null
    copyBytes(block, 0, block.length, this.#bytes, BODY)
    const isWhole = this.#exports.decompress(BODY + elementsAt, BODY + block.length, RAW, length)
    return isWhole === 0 ? null : this.raw(length)
  }

  /**
   * `bytes` as elements of a snappy block, without the length that one begins with: lent, until
   * the next call. The raw body is overwritten.
   *
   * @throws RangeError when there is no room for so many bytes
   */
  compress(bytes: Uint8Array): Uint8Array {
    const { length } = this.load(bytes)
    return new Uint8Array(this.buffer, BODY, this.#exports.compress(RAW, length, BODY) - BODY)
  }

  /** Forgets symbols and labels. `key` is that of the digests. */
  beginRequest(key: Uint32Array): void {
    for (let i = 0; i < key.length; i++) this.registers[(KEY - REGISTERS) / 4 + i] = key[i]!
    this.#exports.beginRequest()
  }

  addSymbol(from: number, to: number): number {
    return this.#exports.addSymbol(RAW + from, RAW + to)
  }

  intern(from: number, to: number, guess: number): number {
    return this.#exports.intern(RAW + from, RAW + to, guess)
  }

  readPlainSeries1(from: number, limit: number): number {
    return this.#exports.readPlainSeries1(RAW + from, RAW + limit) - RAW
  }

  readSymbols2(from: number, limit: number): number {
    return this.#exports.readSymbols2(RAW + from, RAW + limit) - RAW
  }

  readPlainSeries2(from: number, limit: number): number {
    return this.#exports.readPlainSeries2(RAW + from, RAW + limit) - RAW
  }

  /** Reads plain metrics of OTLP; `assembly/metric.ts` says how far. */
  readMetrics(from: number, limit: number): number {
    return this.#exports.readMetrics(RAW + from, RAW + limit) - RAW
  }

  readPointsOf(metric: number, help: number, from: number, limit: number): number {
    return this.#exports.readPointsOf(metric, help, RAW + from, RAW + limit) - RAW
  }

  /** Which of the shapes that of a point is whose keys are in `points.keys`. */
  placeOfShape(own: number, hasLe: boolean): number {
    return (this.#exports.placeOfShape(own, hasLe ? 1 : 0) - SHAPES) / SHAPE_BYTES
  }

  /** Writes plain series from the sample `from` on; `assembly/plain-writer.ts` says how far. */
  writePlainSeries(from: number, to: number): number {
    return this.#exports.writePlainSeries(from, to)
  }

  /** The first `length` bytes of the block that was decompressed last. */
  body(length: number): Uint8Array {
    return new Uint8Array(this.buffer, BODY, length)
  }

  /**
   * What was written since the last call, lent: as elements of a snappy block or, of OTLP, as it
   * is; and how many bytes it stands for.
   */
  takeWritten(): { written: Uint8Array; rawBytes: number } {
    const written = new Uint8Array(this.buffer, OUT, this.registers[AT_OUT_BYTES]!)
    const rawBytes = this.registers[AT_OUT_RAW_BYTES]!
    this.registers[AT_OUT_RAW_BYTES] = 0
    return { written, rawBytes }
  }

  /**
   * Symbols that the kernel gave numbers since the last call, as they stand in a message, and
   * their digests: lent, until it writes again.
   */
  takeNamed(): { symbols: Uint8Array; digests: Uint32Array } {
    const { buffer, registers } = this
    const symbols = new Uint8Array(buffer, NAMED, registers[AT_NAMED_BYTES]!)
    const digests = new Uint32Array(buffer, NAMED_DIGESTS, registers[AT_NAMED_COUNT]! * 4)
    registers[AT_NAMED_BYTES] = 0
    registers[AT_NAMED_COUNT] = 0
    return { symbols, digests }
  }

  /** The first `length` bytes of the raw body. */
  raw(length: number): Uint8Array {
    return new Uint8Array(this.buffer, RAW, length)
  }
}

export function createKernelMemory(): KernelMemory {
  return new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true })
}

export function tooLarge(): RangeError {
  return new RangeError(`more than ${RAW_BYTES_MAX} bytes at once`)
}
