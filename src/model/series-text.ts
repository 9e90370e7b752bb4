import { type Batch, symbolText } from './batch.ts'

/** The labels of a series as a person writes them: `{__name__="up", job="node"}`. */
export function seriesText(batch: Batch, series: number): string {
  const labels: string[] = []
  const end = batch.seriesLabelEnd[series]!
  for (let i = batch.seriesLabelStart[series]!; i < end; i += 2) {
    const name = symbolText(batch, batch.labelRefs[i]!)
    labels.push(`${name}=${JSON.stringify(symbolText(batch, batch.labelRefs[i + 1]!))}`)
  }
  return `{${labels.join(', ')}}`
}
