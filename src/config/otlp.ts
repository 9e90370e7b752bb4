import { z } from 'zod'
import type { Section } from '../base/settings.ts'
import { setting } from '../base/settings.ts'
import { parseDurationMs } from '../base/units.ts'
import { type OtlpOptions, TRANSLATION_STRATEGIES } from '../otlp/options.ts'

function flag(byDefault: 'true' | 'false') {
  return setting('true or false', (text) =>
    text === 'true' || text === 'false' ? { is: text === 'true' } : null,
  ).prefault(byDefault)
}

/** Attribute keys; empty ones and repetitions are mistakes, as in Prometheus. */
function keys() {
  return z
    .array(setting('the key of an attribute', (text) => text.trim() || null))
    .superRefine((list, context) => {
      for (const [i, key] of list.entries()) {
        if (list.indexOf(key) === i) continue
        const message = `"${key}" stands there twice`
        context.addIssue({ code: 'custom', message, path: [i] })
      }
    })
    .prefault([])
}

/** As many as the series table may have. */
const DELTA_SERIES_MAX = 2 ** 30 - 1

const SHAPE = {
  translation_strategy: setting(
    TRANSLATION_STRATEGIES.join(', '),
    (text) => TRANSLATION_STRATEGIES.find((one) => one === text) ?? null,
  ).prefault('UnderscoreEscapingWithSuffixes'),
  promote_resource_attributes: keys(),
  promote_all_resource_attributes: flag('false'),
  ignore_resource_attributes: keys(),
  keep_identifying_resource_attributes: flag('false'),
  convert_histograms_to_nhcb: flag('false'),
  promote_scope_metadata: flag('false'),
  label_name_underscore_sanitization: flag('true'),
  label_name_preserve_multiple_underscores: flag('true'),
  keep_zero_threshold: flag('true'),
  delta: setting('reject or cumulative', (text) =>
    text === 'reject' || text === 'cumulative' ? text : null,
  ).prefault('reject'),
  delta_max_series: setting(`a whole number from 1 to ${DELTA_SERIES_MAX}`, (text) => {
    const count = /^\d{1,10}$/.test(text) ? Number(text) : 0
    return count >= 1 && count <= DELTA_SERIES_MAX ? count : null
  }).prefault('1000000'),
  delta_max_stale: setting('a duration from 1s up, such as 5m', (text) => {
    const seconds = Math.floor((parseDurationMs(text) ?? 0) / 1000)
    return seconds >= 1 ? seconds : null
  }).prefault('5m'),
}

/** The section `otlp`, with the keys that it has in `prometheus.yml`, and those of our own. */
export const OTLP = z.strictObject(SHAPE).superRefine((section, context) => {
  const { promote_all_resource_attributes: all } = section
  const refuse = (key: keyof typeof SHAPE, message: string) =>
    context.addIssue({ code: 'custom', message, path: [key] })
  if (all.is && section.promote_resource_attributes.length > 0) {
    refuse('promote_resource_attributes', 'cannot be set with promote_all_resource_attributes')
  }
  if (!all.is && section.ignore_resource_attributes.length > 0) {
    refuse('ignore_resource_attributes', 'needs promote_all_resource_attributes: true')
  }
})

export const OTLP_SECTION: Section = { known: Object.keys(SHAPE) }

export function otlpOf(section: z.infer<typeof OTLP>): OtlpOptions {
  const delta = {
    seriesMax: section.delta_max_series,
    staleSeconds: section.delta_max_stale,
  }
  return {
    translationStrategy: section.translation_strategy,
    promoteResourceAttributes: section.promote_resource_attributes,
    promoteAllResourceAttributes: section.promote_all_resource_attributes.is,
    ignoreResourceAttributes: section.ignore_resource_attributes,
    keepIdentifyingResourceAttributes: section.keep_identifying_resource_attributes.is,
    convertHistogramsToNhcb: section.convert_histograms_to_nhcb.is,
    promoteScopeMetadata: section.promote_scope_metadata.is,
    labelNameUnderscoreSanitization: section.label_name_underscore_sanitization.is,
    labelNamePreserveMultipleUnderscores: section.label_name_preserve_multiple_underscores.is,
    keepZeroThreshold: section.keep_zero_threshold.is,
    delta: section.delta === 'cumulative' ? delta : null,
  }
}
