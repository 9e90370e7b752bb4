import { grown } from '../model/batch.ts'
import type { ProtobufReader } from '../wire/protobuf-reader.ts'
import type { ProtobufWriter } from '../wire/protobuf-writer.ts'
import { HISTOGRAM_BUCKETS_MAX } from './limits.ts'

const INT64_MAX = 2n ** 63n - 1n

/** 64-bit values in the two words in which they came: neither a count nor a NaN is rounded. */
export class Words64 {
  length = 0
  /** Low word, high word. */
  words = new Uint32Array(64)
  doubles = new Float64Array(this.words.buffer)
  integers = new BigInt64Array(this.words.buffer)

  /** What exceeds the limit is counted and not kept. */
  push(low: number, high: number): void {
    const at = this.length++ * 2
    if (this.length > HISTOGRAM_BUCKETS_MAX) return
    if (at >= this.words.length) {
      this.words = grown(this.words, at + 2)
      this.doubles = new Float64Array(this.words.buffer)
      this.integers = new BigInt64Array(this.words.buffer)
    }
    this.words[at] = low
    this.words[at + 1] = high
  }

  pushDoubles(reader: ProtobufReader): void {
    const outer = reader.enter()
    while (reader.hasMore()) this.pushDouble(reader)
    reader.leave(outer)
  }

  pushDouble(reader: ProtobufReader): void {
    this.push(reader.fixed64(), reader.high)
  }

  writeDoubles(tag: number, writer: ProtobufWriter): void {
    if (this.length === 0) return
    writer.uint32(tag)
    writer.uint32(this.length * 8)
    const { words } = this
    for (let i = 0; i < this.length; i++) writer.fixed64(words[i * 2]!, words[i * 2 + 1]!)
  }
}

/**
 * One side of a native histogram, positive or negative: spans of neighbouring buckets, and
 * what is in each bucket. Integer histograms store it as the difference to the bucket
 * before (`deltas`), float histograms as it is (`counts`).
 *
 * Scratch space: filled again for every histogram.
 */
export class Buckets {
  spanCount = 0
  /** Signed, in unsigned words; of the first span the index of its bucket, then gaps. */
  #spanOffset = new Uint32Array(16)
  #spanLength = new Uint32Array(16)
  readonly deltas = new Words64()
  readonly counts = new Words64()

  clear(): void {
    this.spanCount = 0
    this.deltas.length = 0
    this.counts.length = 0
  }

  readSpan(reader: ProtobufReader): void {
    let offset = 0
    let length = 0
    const outer = reader.enter()
    while (reader.hasMore()) {
      const tag = reader.uint32()
      if (tag === 0x08) offset = reader.sint32()
      else if (tag === 0x10) length = reader.uint32()
      else reader.skip(tag)
    }
    reader.leave(outer)
    this.addSpan(offset, length)
  }

  addSpan(offset: number, length: number): void {
    const place = this.spanCount++
    if (this.spanCount > HISTOGRAM_BUCKETS_MAX) return
    this.#spanOffset = grown(this.#spanOffset, this.spanCount)
    this.#spanLength = grown(this.#spanLength, this.spanCount)
    this.#spanOffset[place] = offset
    this.#spanLength[place] = length
  }

  readDeltas(reader: ProtobufReader): void {
    const outer = reader.enter()
    while (reader.hasMore()) this.readDelta(reader)
    reader.leave(outer)
  }

  /** sint64: the sign is in the lowest bit. */
  readDelta(reader: ProtobufReader): void {
    const low = reader.varint64()
    const { high } = reader
    const sign = -(low & 1)
    this.deltas.push(((low >>> 1) | (high << 31)) ^ sign, (high >>> 1) ^ sign)
  }

  isTooLarge(): boolean {
    const largest = Math.max(this.spanCount, this.deltas.length, this.counts.length)
    return largest > HISTOGRAM_BUCKETS_MAX
  }

  /** Why the spans do not describe `buckets` buckets, or null. */
  spanProblem(buckets: number): string | null {
    let index = 0
    let spanned = 0
    for (let i = 0; i < this.spanCount; i++) {
      const offset = this.#spanOffset[i]! | 0
      if (i > 0 && offset < 0) return `span ${i} has the negative offset ${offset}`
      index += offset + this.#spanLength[i]!
      spanned += this.#spanLength[i]!
    }
    if (index > 0x7fff_ffff) return 'spans reach beyond bucket 2147483647'
    return spanned === buckets ? null : `spans of ${spanned} buckets, but ${buckets} buckets`
  }

  /** Where the last span ends, counted from bucket 0; -1 when one begins below. */
  spanEnd(): number {
    let index = 0
    for (let i = 0; i < this.spanCount; i++) {
      const offset = this.#spanOffset[i]! | 0
      if (offset < 0) return -1
      index += offset + this.#spanLength[i]!
    }
    return index
  }

  /** Index and content of each integer bucket that is not empty, one after the other. */
  integers(): number[] {
    const list: number[] = []
    let at = 0
    let index = 0
    let count = 0n
    for (let i = 0; i < this.spanCount; i++) {
      index += this.#spanOffset[i]! | 0
      for (let left = this.#spanLength[i]!; left > 0; left--, index++) {
        count += this.deltas.integers[at++]!
        if (count > 0n) list.push(index, Number(count))
      }
    }
    return list
  }

  /** What all integer buckets hold together; null when one is negative or all exceed int64. */
  total(): bigint | null {
    const { words, length } = this.deltas
    let bucket = 0
    let total = 0
    for (let i = 0; i < length; i++) {
      bucket += (words[i * 2 + 1]! | 0) * 2 ** 32 + words[i * 2]!
      // Doubles are exact so far, or the total would have grown beyond 2^53 already.
      if (bucket < 0) break
      total += bucket
      if (total > Number.MAX_SAFE_INTEGER) return this.#wideTotal()
    }
    return bucket < 0 ? null : BigInt(total)
  }

  #wideTotal(): bigint | null {
    let bucket = 0n
    let total = 0n
    for (let i = 0; i < this.deltas.length; i++) {
      bucket += this.deltas.integers[i]!
      total += bucket
      if (bucket < 0n || total > INT64_MAX) return null
    }
    return total
  }

  hasNegativeCount(): boolean {
    for (let i = 0; i < this.counts.length; i++) if (this.counts.doubles[i]! < 0) return true
    return false
  }

  /**
   * Lowers the resolution by `steps` schemas: each halves the number of buckets. Bucket i
   * ends at base^i, so i and what rounds up to the same multiple of 2^steps become one.
   */
  merge(steps: number, isFloat: boolean): void {
    if (isFloat) {
      const merged = this.#mergeSpans(steps, this.counts.length)
      const counts = new Float64Array(this.spannedBuckets())
      for (const [i, place] of merged.entries()) counts[place]! += this.counts.doubles[i]!
      this.counts.doubles.set(counts)
      this.counts.length = counts.length
    } else {
      const merged = this.#mergeSpans(steps, this.deltas.length)
      const buckets = new BigInt64Array(this.spannedBuckets())
      let bucket = 0n
      for (const [i, place] of merged.entries()) {
        bucket += this.deltas.integers[i]!
        buckets[place]! += bucket
      }
      this.deltas.length = buckets.length
      for (const [i, count] of buckets.entries()) {
        this.deltas.integers[i] = count - (i === 0 ? 0n : buckets[i - 1]!)
      }
    }
  }

  spannedBuckets(): number {
    let spanned = 0
    for (let i = 0; i < this.spanCount; i++) spanned += this.#spanLength[i]!
    return spanned
  }

  /** Rewrites the spans in place, and returns which new bucket each old one falls into. */
  #mergeSpans(steps: number, buckets: number): Uint32Array {
    const width = 2 ** steps
    const places = new Uint32Array(buckets)
    let at = 0
    let index = 0
    let place = -1
    let last = 0
    let spans = 0
    for (let i = 0; i < this.spanCount; i++) {
      index += this.#spanOffset[i]! | 0
      const end = index + this.#spanLength[i]!
      for (; index < end; index++) {
        const target = Math.ceil(index / width)
        if (spans === 0 || target > last + 1) {
          // At most one new span for each old one, which has been read: nothing is lost.
          this.#spanOffset[spans] = spans === 0 ? target : target - last - 1
          this.#spanLength[spans] = 1
          spans += 1
          place += 1
        } else if (target === last + 1) {
          this.#spanLength[spans - 1]! += 1
          place += 1
        }
        last = target
        places[at++] = place
      }
    }
    this.spanCount = spans
    return places
  }

  writeSpans(tag: number, writer: ProtobufWriter): void {
    for (let i = 0; i < this.spanCount; i++) {
      const offset = this.#spanOffset[i]! | 0
      const length = this.#spanLength[i]!
      writer.uint32(tag)
      const opened = writer.open()
      if (offset !== 0) {
        writer.uint32(0x08)
        writer.sint32(offset)
      }
      if (length !== 0) {
        writer.uint32(0x10)
        writer.uint32(length)
      }
      writer.close(opened)
    }
  }

  writeDeltas(tag: number, writer: ProtobufWriter): void {
    if (this.deltas.length === 0) return
    const { words, length } = this.deltas
    writer.uint32(tag)
    const opened = writer.open()
    for (let i = 0; i < length; i++) {
      const low = words[i * 2]!
      const high = words[i * 2 + 1]!
      const sign = high >> 31
      writer.varint64(((low << 1) ^ sign) >>> 0, (((high << 1) | (low >>> 31)) ^ sign) >>> 0)
    }
    writer.close(opened)
  }
}
