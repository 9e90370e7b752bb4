import { type Batch, clearBatch } from '../model/batch.ts'
import type { DigestKey } from '../model/identity.ts'
import type { LabelSource } from './exemplar.ts'
import { REQUEST_LIMITS, type RequestLimits } from './limits.ts'
import { readPlainSeries2, readPlainSymbols } from './plain-series.ts'
import { addSymbol } from './symbols.ts'
import { TimeSeriesDecoder } from './time-series.ts'

const SYMBOLS = 0x22
const TIMESERIES = 0x2a

/**
 * Decodes `io.prometheus.write.v2.Request`, release candidates 3 and 4 alike.
 *
 * The result takes a decompressed body and fills `batch` with what is valid of it; what is
 * not is counted in `batch.rejections`, element by element, so that accepted and refused
 * add up to what was sent. It returns null, or why the request is malformed as a whole; then
 * the batch is empty. It never throws, whatever the bytes.
 *
 * @see https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/
 */
export function createRemoteWrite2Decoder(
  key: DigestKey,
  limits: RequestLimits = REQUEST_LIMITS,
): (body: Uint8Array, batch: Batch) => string | null {
  const series = new TimeSeriesDecoder(key, limits, readReferences)

  return (body, batch) => {
    clearBatch(batch, body)
    series.beginRequest(batch)
    batch.isPlain = true
    const malformed = readSymbols(series) ?? readRequest(series)
    if (malformed !== null) clearBatch(batch, body)
    if (!batch.rejections.isEmpty) batch.isPlain = false
    return malformed
  }
}

/** Fields may come in any order, so all symbols are read before the first series. */
function readSymbols(series: TimeSeriesDecoder): string | null {
  const { batch, limits, reader } = series
  let hasSeries = false
  while (reader.hasMore()) {
    if (readPlainSymbols(series)) hasSeries = true
    if (!reader.hasMore()) break
    const tag = reader.uint32()
    if (tag === SYMBOLS) {
      const length = reader.skipBytes()
      if (batch.symbolCount === limits.symbols) reader.fail(`more than ${limits.symbols} symbols`)
      else addSymbol(batch, reader.at - length, reader.at)
    } else {
      hasSeries ||= tag === TIMESERIES
      reader.skip(tag)
    }
  }
  if (reader.malformed !== null) return reader.malformed

  if (!hasSeries) {
    // An empty request is a valid one, and a batch has its symbol 0 whatever was sent.
    batch.symbolCount = 0
    addSymbol(batch, 0, 0)
    return null
  }
  if (batch.symbolCount === 0) return 'there are series, but no symbol table'
  return batch.symbolEnd[0] === batch.symbolStart[0] ? null : 'the first symbol is not empty'
}

function readRequest(series: TimeSeriesDecoder): string | null {
  const { batch, reader } = series
  reader.reset(batch.bytes)
  while (reader.hasMore()) {
    readPlainSeries2(series)
    if (!reader.hasMore()) break
    const tag = reader.uint32()
    if (tag === TIMESERIES) readTimeSeries(series)
    else {
      if (tag !== SYMBOLS) batch.isPlain = false
      reader.skip(tag)
    }
  }
  return reader.malformed
}

function readTimeSeries(series: TimeSeriesDecoder): void {
  const { reader } = series
  series.begin()
  const outer = reader.enter()
  while (reader.hasMore()) {
    const tag = reader.uint32()
    switch (tag) {
      case 0x12:
        series.readSample(true)
        break
      case 0x1a:
        series.deferHistogram()
        break
      case 0x22:
        series.deferExemplar()
        break
      case 0x2a:
        readMetadata(series)
        break
      case 0x30:
        series.createdMs = reader.int64()
        series.batch.isPlain = false
        break
      default:
        if (!readReferences(series, tag)) {
          series.batch.isPlain = false
          reader.skip(tag)
        }
    }
  }
  series.finish(false)
  reader.leave(outer)
}

/** References, packed as they should be or one field each. */
function readReferences({ labels, reader }: LabelSource, tag: number): boolean {
  if (tag === 0x0a) {
    const outer = reader.enter()
    labels.pushAll(reader)
    reader.leave(outer)
    return true
  }
  if (tag === 0x08) labels.push(reader.uint32())
  return tag === 0x08
}

function readMetadata(series: TimeSeriesDecoder): void {
  const { reader } = series
  const outer = reader.enter()
  while (reader.hasMore()) {
    const tag = reader.uint32()
    if (tag === 0x08) series.metadataType = reader.uint32()
    else if (tag === 0x18) series.helpRef = reader.uint32()
    else if (tag === 0x20) series.unitRef = reader.uint32()
    else {
      series.batch.isPlain = false
      reader.skip(tag)
    }
  }
  reader.leave(outer)
}
