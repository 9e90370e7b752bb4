import { type Batch, symbolText } from '../model/batch.ts'

/** How much of a label set a message shows. */
const LABELS_SHOWN = 8
const CHARACTERS_SHOWN = 60

/** A symbol for a message, cut if it is long. */
export function shownSymbol(batch: Batch, symbol: number): string {
  return symbolText(batch, symbol).slice(0, CHARACTERS_SHOWN)
}

/** The labels from `from` to the last one: `{"__name__"="up", "job"="node"}`, cut if it is long. */
export function describeLabels(batch: Batch, from: number): string {
  const shown: string[] = []
  const end = Math.min(batch.labelRefCount - 1, from + LABELS_SHOWN * 2)
  for (let i = from; i < end; i += 2) {
    const name = JSON.stringify(shownSymbol(batch, batch.labelRefs[i]!))
    shown.push(`${name}=${JSON.stringify(shownSymbol(batch, batch.labelRefs[i + 1]!))}`)
  }
  if (batch.labelRefCount - from > LABELS_SHOWN * 2) shown.push('…')
  return `{${shown.join(', ')}}`
}
