/** How metric and label names come out; the names are those of Prometheus' configuration. */
export const TRANSLATION_STRATEGIES = [
  'UnderscoreEscapingWithSuffixes',
  'UnderscoreEscapingWithoutSuffixes',
  'NoUTF8EscapingWithSuffixes',
  'NoTranslation',
] as const
export type TranslationStrategy = (typeof TRANSLATION_STRATEGIES)[number]

/** How differences become sums. */
export type DeltaOptions = {
  /** So many are kept; a native histogram counts as one for every four of its buckets, too. */
  readonly seriesMax: number
  /** One to which nothing was added for so long begins anew. */
  readonly staleSeconds: number
}

/** The section `otlp` of the configuration, as Prometheus has it; `delta` is our own. */
export type OtlpOptions = {
  readonly translationStrategy: TranslationStrategy
  /** Resource attributes that become labels of each series, by their original keys. */
  readonly promoteResourceAttributes: readonly string[]
  readonly promoteAllResourceAttributes: boolean
  /** Not promoted with all the others. */
  readonly ignoreResourceAttributes: readonly string[]
  /** Whether `target_info` also has what `job` and `instance` are made of. */
  readonly keepIdentifyingResourceAttributes: boolean
  /** Classic histograms become native ones with custom buckets. */
  readonly convertHistogramsToNhcb: boolean
  readonly promoteScopeMetadata: boolean
  /** `_x` becomes `key_x`. */
  readonly labelNameUnderscoreSanitization: boolean
  /** `a..b` becomes `a__b`, and not `a_b`. */
  readonly labelNamePreserveMultipleUnderscores: boolean
  /** Whether the zero bucket of a native histogram is as wide as its sender says. */
  readonly keepZeroThreshold: boolean
  /** Null: points of delta temporality are refused. */
  readonly delta: DeltaOptions | null
}

export const OTLP_DEFAULTS: OtlpOptions = {
  translationStrategy: 'UnderscoreEscapingWithSuffixes',
  promoteResourceAttributes: [],
  promoteAllResourceAttributes: false,
  ignoreResourceAttributes: [],
  keepIdentifyingResourceAttributes: false,
  convertHistogramsToNhcb: false,
  promoteScopeMetadata: false,
  labelNameUnderscoreSanitization: true,
  labelNamePreserveMultipleUnderscores: true,
  keepZeroThreshold: true,
  delta: null,
}

export function escapesNames({ translationStrategy }: OtlpOptions): boolean {
  return translationStrategy.startsWith('UnderscoreEscaping')
}
