import { metricNameOf, type NameKind } from './metric-name.ts'
import type { OtlpOptions } from './options.ts'

/** Metrics have few names, and the same in each request; an attacker's are forgotten. */
const NAMES_MAX = 20_000

/** Translates metric names, each once. */
export class MetricNames {
  readonly #options: OtlpOptions
  readonly #known = new Map<string, string>()

  constructor(options: OtlpOptions) {
    this.#options = options
  }

  of(name: string, unit: string, kind: NameKind): string {
    const key = `${kind} ${unit}\0${name}`
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const translated = metricNameOf(name, unit, kind, this.#options.translationStrategy)
    if (this.#known.size === NAMES_MAX) this.#known.clear()
    this.#known.set(key, translated)
    return translated
  }
}
