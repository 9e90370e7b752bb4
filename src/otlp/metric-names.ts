import { metricNameOf, type NameKind } from './metric-name.ts'
import type { OtlpOptions } from './options.ts'

/** Metrics have few names, and the same in each request; an attacker's are forgotten. */
const NAMES_MAX = 20_000

type Named = { unit: string; text: string }

/** Translates metric names, each once. */
export class MetricNames {
  readonly #options: OtlpOptions
  /** By kind and by the name as it was sent; of several units the last. */
  readonly #known = {
    counter: new Map<string, Named>(),
    gauge: new Map<string, Named>(),
    other: new Map<string, Named>(),
  }

  constructor(options: OtlpOptions) {
    this.#options = options
  }

  of(name: string, unit: string, kind: NameKind): string {
    const ofKind = this.#known[kind]
    const known = ofKind.get(name)
    if (known?.unit === unit) return known.text
    const text = metricNameOf(name, unit, kind, this.#options.translationStrategy)
    if (ofKind.size === NAMES_MAX) ofKind.clear()
    ofKind.set(name, { unit, text })
    return text
  }
}
