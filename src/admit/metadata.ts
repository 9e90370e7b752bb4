import { copyOf } from '../base/memory.ts'
import { FAMILIES_MAX } from '../kernel/layout.ts'
import { type Batch, symbolText } from '../model/batch.ts'

/** What a metric family is, as its senders describe it. */
export type FamilyMetadata = {
  /** 0 unspecified to 7 stateset, as in Remote Write 2.0. */
  type: number
  help: Uint8Array
  unit: Uint8Array
}

/** Series of one family carry these; the family's name does not, save for a counter's `_total`. */
const SERIES_SUFFIX = /_(?:bucket|sum|count|total|created|info)$/

/**
 * Metadata by family name. Remote Write 1.0 sends it in requests of its own, once a
 * minute; Remote Write 2.0 wants it on every series. What is remembered here is attached
 * to series that bring none.
 *
 * Families have numbers from 1, which are never used again, so a series may keep its
 * family's number for as long as `epoch` does not change.
 */
export class MetadataMemory {
  /** Changes whenever a family appears or is described anew. */
  epoch = 0
  /** Of names and descriptions. */
  bytes = 0
  readonly #families: (FamilyMetadata | undefined)[] = [undefined]
  readonly #numberOf = new Map<string, number>()

  /** Takes over the metadata of families that `batch` brings; what is known changes nothing. */
  learn(batch: Batch): void {
    for (let i = 0; i < batch.familyCount; i++) {
      const name = symbolText(batch, batch.familyNameRef[i]!)
      const family: FamilyMetadata = {
        type: batch.familyType[i]!,
        help: symbolBytes(batch, batch.familyHelpRef[i]!),
        unit: symbolBytes(batch, batch.familyUnitRef[i]!),
      }
      const number = this.#numberOf.get(name)
      if (number === undefined) this.#add(name, family)
      else if (!isSame(this.#families[number]!, family)) {
        this.bytes += bytesOf(family) - bytesOf(this.#families[number]!)
        this.#families[number] = family
        this.epoch += 1
      }
    }
  }

  /** The family that a series of this metric name belongs to, or 0. */
  numberFor(metricName: string): number {
    return (
      this.#numberOf.get(metricName) ??
      this.#numberOf.get(metricName.replace(SERIES_SUFFIX, '')) ??
      0
    )
  }

  /** A family by its number; undefined for 0. */
  family(number: number): FamilyMetadata | undefined {
    return this.#families[number]
  }

  #add(name: string, family: FamilyMetadata): void {
    // Nobody is listened to any longer: memory stays bounded.
    if (this.#families.length >= FAMILIES_MAX) return
    this.#numberOf.set(name, this.#families.length)
    this.#families.push(family)
    this.bytes += name.length + bytesOf(family)
    this.epoch += 1
  }
}

/** A copy: the batch is lent. */
function symbolBytes(batch: Batch, ref: number): Uint8Array {
  return copyOf(batch.bytes, batch.symbolStart[ref]!, batch.symbolEnd[ref]!)
}

function bytesOf({ help, unit }: FamilyMetadata): number {
  return help.length + unit.length
}

function isSame(a: FamilyMetadata, b: FamilyMetadata): boolean {
  return (
    a.type === b.type &&
    Buffer.compare(a.help, b.help) === 0 &&
    Buffer.compare(a.unit, b.unit) === 0
  )
}
