import type { LabelSource } from './exemplar.ts'
import { internSymbol } from './symbols.ts'

const LABEL = 0x0a

/** Reads one Label message of Remote Write 1.0, if that is what the tag announces. */
export function readInlineLabel({ batch, labels, reader }: LabelSource, tag: number): boolean {
  if (tag !== LABEL) return false
  let nameAt = 0
  let nameLength = 0
  let valueAt = 0
  let valueLength = 0
  const outer = reader.enter()
  while (reader.hasMore()) {
    const field = reader.uint32()
    if (field === 0x0a) {
      nameLength = reader.skipBytes()
      nameAt = reader.at - nameLength
    } else if (field === 0x12) {
      valueLength = reader.skipBytes()
      valueAt = reader.at - valueLength
    } else reader.skip(field)
  }
  reader.leave(outer)
  if (reader.malformed !== null) return true
  labels.push(internSymbol(batch, nameAt, nameAt + nameLength, 0))
  labels.push(internSymbol(batch, valueAt, valueAt + valueLength, 0))
  return true
}
