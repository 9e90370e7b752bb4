import * as layout from '../kernel/layout.ts'
import type { TimeSeriesDecoder } from './time-series.ts'

/**
 * Series as nearly all of them come: labels that differ little from those of the series
 * before, one float sample of today, perhaps metadata. The kernel reads them in one go and
 * from known places.
 *
 * Whatever looks otherwise is left to the general way, which also says what is wrong with it.
 */

/** Reads Remote Write 1.0 series from the reader on, up to the first that is not plain. */
export function readPlainSeries1(series: TimeSeriesDecoder): void {
  const { kernel } = series.batch
  shareLimits(series)
  series.reader.at = kernel.readPlainSeries1(series.reader.at, series.reader.limit)
  takeLabelBytes(series)
}

/** The same of Remote Write 2.0. */
export function readPlainSeries2(series: TimeSeriesDecoder): void {
  const { kernel } = series.batch
  shareLimits(series)
  series.reader.at = kernel.readPlainSeries2(series.reader.at, series.reader.limit)
  takeLabelBytes(series)
}

/** Reads the symbols of Remote Write 2.0 from the reader on. Returns whether it saw a series. */
export function readPlainSymbols(series: TimeSeriesDecoder): boolean {
  const { kernel } = series.batch
  shareLimits(series)
  series.reader.at = kernel.readSymbols2(series.reader.at, series.reader.limit)
  return kernel.registers[layout.AT_HAS_SERIES] === 1
}

function shareLimits({ batch, labels, limits }: TimeSeriesDecoder): void {
  const { registers } = batch.kernel
  registers[layout.AT_LABEL_BYTES] = labels.expandedBytes
  registers[layout.AT_LABEL_BYTES_MAX] = limits.labelBytes
  registers[layout.AT_ELEMENTS_MAX] = limits.elements
  registers[layout.AT_SYMBOLS_MAX] = limits.symbols
  registers[layout.AT_HAS_SERIES] = 0
}

function takeLabelBytes({ batch, labels }: TimeSeriesDecoder): void {
  labels.expandedBytes = batch.kernel.registers[layout.AT_LABEL_BYTES]!
}
