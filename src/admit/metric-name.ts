import { type Batch, symbolText } from '../model/batch.ts'

const NAME_LABEL = Buffer.from('__name__')

/** The value of `__name__`; every series that a decoder lets through has one. */
export function metricName(batch: Batch, series: number): string {
  const { bytes, labelRefs, symbolStart, symbolEnd } = batch
  for (let i = batch.seriesLabelStart[series]!; i < batch.seriesLabelEnd[series]!; i += 2) {
    const name = labelRefs[i]!
    const length = symbolEnd[name]! - symbolStart[name]!
    if (length !== NAME_LABEL.length) continue
    const label = bytes.subarray(symbolStart[name]!, symbolEnd[name]!)
    if (NAME_LABEL.equals(label)) return symbolText(batch, labelRefs[i + 1]!)
  }
  return ''
}
