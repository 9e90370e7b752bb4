import { forgetLabels } from './label-set'
import { forgetAttributes } from './point-attributes'
import { forgetSymbols } from './symbols'

/** What Node calls of the kernel; see `../kernel.ts`. */
export { readMetrics, readPointsOf } from './metric'
export { readPlainSeries1 } from './plain-series-1'
export { readPlainSeries2, readSymbols2 } from './plain-series-2'
export { writePlainSeries } from './plain-writer'
export { placeOfShape } from './point-shape'
export { decompress } from './snappy'
export { compress } from './snappy-compress'
export { addSymbol, intern } from './symbols'

export function beginRequest(): void {
  forgetSymbols()
  forgetLabels()
  forgetAttributes()
}
