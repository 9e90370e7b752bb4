import type { TextSymbols } from './text-symbols.ts'

/** What the points of a metric have in common. */
export type Metric = {
  /** Its name, translated. */
  text: string
  /** Symbol of the same, and of its description and unit. */
  name: number
  help: number
  unit: number
  /** As in Remote Write 2.0's Metadata. */
  type: number
  hasExemplars: boolean
  /** Whether a start time means that it counts from there. */
  hasStart: boolean
  /** Whether its values are differences, which somebody has to add up. */
  isDelta: boolean
  /** Symbols of the name with a suffix, 0 until somebody asks. */
  suffixed: { sum: number; count: number; bucket: number }
  /** Its number among those whose points the kernel reads, -1 if it is none. */
  number: number
  /** Why none of its points can be taken, or null. */
  problem: { reason: 'temporality' | 'name-missing' | 'label-invalid'; text: string } | null
}

/** The symbol of a metric's name with `_sum`, `_count` or `_bucket`. */
export function suffixed(
  { text, suffixed: known }: Metric,
  suffix: keyof Metric['suffixed'],
  texts: TextSymbols,
): number {
  if (known[suffix] === 0) known[suffix] = texts.of(`${text}_${suffix}`)
  return known[suffix]
}

export const COUNTER = 1
export const GAUGE = 2
export const HISTOGRAM = 3
export const SUMMARY = 5
