import { forgetLabels } from './label-set'
import { forgetSymbols } from './symbols'

/** What Node calls of the kernel; see `../kernel.ts`. */
export { readPlainSeries1 } from './plain-series-1'
export { readPlainSeries2, readSymbols2 } from './plain-series-2'
export { writePlainSeries } from './plain-writer'
export { decompress } from './snappy'
export { compress } from './snappy-compress'
export { addSymbol, intern } from './symbols'

export function beginRequest(): void {
  forgetSymbols()
  forgetLabels()
}
