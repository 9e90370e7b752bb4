import { type Batch, clearBatch } from '../model/batch.ts'
import type { DigestKey } from '../model/identity.ts'
import type { ProtobufReader } from '../wire/protobuf-reader.ts'
import { readInlineLabel } from './inline-labels.ts'
import { REQUEST_LIMITS, type RequestLimits } from './limits.ts'
import { readPlainSeries1 } from './plain-series.ts'
import { addSymbol, internSymbol, isText } from './symbols.ts'
import { TimeSeriesDecoder } from './time-series.ts'

/**
 * Decodes `prometheus.WriteRequest`: Remote Write 1.0 with the metadata, exemplars and
 * histograms that its senders have added to it.
 *
 * The result works as that of `createRemoteWrite2Decoder`. Each string of the request
 * becomes a symbol once, however often it is written out; metadata fills the batch's
 * families. A series of labels alone is passed over: this version does not forbid it.
 *
 * @see https://prometheus.io/docs/specs/prw/remote_write_spec/
 */
export function createRemoteWrite1Decoder(
  key: DigestKey,
  limits: RequestLimits = REQUEST_LIMITS,
): (body: Uint8Array, batch: Batch) => string | null {
  const series = new TimeSeriesDecoder(key, limits, readInlineLabel)
  const { reader } = series

  return (body, batch) => {
    clearBatch(batch, body)
    series.beginRequest(batch)
    addSymbol(batch, 0, 0)
    while (reader.hasMore()) {
      readPlainSeries1(series)
      if (!reader.hasMore()) break
      const tag = reader.uint32()
      if (tag === 0x0a) readTimeSeries(series)
      else if (tag === 0x1a) readFamily(series)
      else {
        if (tag === 0x22 || tag === 0x2a) batch.misnamedFields += 1
        reader.skip(tag)
      }
      if (batch.symbolCount > limits.symbols) reader.fail(`more than ${limits.symbols} symbols`)
    }
    if (reader.malformed !== null) clearBatch(batch, body)
    return reader.malformed
  }
}

function readTimeSeries(series: TimeSeriesDecoder): void {
  const { reader } = series
  series.begin()
  const outer = reader.enter()
  while (reader.hasMore()) {
    const tag = reader.uint32()
    switch (tag) {
      case 0x12:
        series.readSample(false)
        break
      case 0x1a:
        series.deferExemplar()
        break
      case 0x22:
        series.deferHistogram()
        break
      default:
        if (!series.readLabels(series, tag)) reader.skip(tag)
    }
  }
  series.finish(true)
  reader.leave(outer)
}

function readFamily({ batch, limits, reader }: TimeSeriesDecoder): void {
  let type = 0
  let name = 0
  let help = 0
  let unit = 0
  const outer = reader.enter()
  while (reader.hasMore()) {
    const tag = reader.uint32()
    if (tag === 0x08) type = reader.uint32()
    else if (tag === 0x12) name = readString(batch, reader)
    else if (tag === 0x22) help = readString(batch, reader)
    else if (tag === 0x2a) unit = readString(batch, reader)
    else reader.skip(tag)
  }
  reader.leave(outer)
  // Metadata helps people: what cannot be read is left out, and never refused.
  if (name === 0) return
  const family = batch.familyCount++
  if (family === limits.elements) reader.fail(`more than ${limits.elements} metric families`)
  batch.familyNameRef[family] = name
  batch.familyType[family] = type <= 7 ? type : 0
  batch.familyHelpRef[family] = help
  batch.familyUnitRef[family] = unit
}

/** The symbol of a string, 0 when it is not valid UTF-8. */
function readString(batch: Batch, reader: ProtobufReader): number {
  const length = reader.skipBytes()
  const symbol = internSymbol(batch, reader.at - length, reader.at, 0)
  return isText(batch, symbol) ? symbol : 0
}
