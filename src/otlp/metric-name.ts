import type { TranslationStrategy } from './options.ts'

/** What a name's suffix depends on. */
export type NameKind = 'gauge' | 'counter' | 'other'

const UNITS = new Map(
  Object.entries({
    ...{ d: 'days', h: 'hours', min: 'minutes', s: 'seconds' },
    ...{ ms: 'milliseconds', us: 'microseconds', ns: 'nanoseconds' },
    ...{ By: 'bytes', KiBy: 'kibibytes', MiBy: 'mebibytes', GiBy: 'gibibytes', TiBy: 'tibibytes' },
    ...{ KBy: 'kilobytes', MBy: 'megabytes', GBy: 'gigabytes', TBy: 'terabytes' },
    ...{ m: 'meters', V: 'volts', A: 'amperes', J: 'joules', W: 'watts', g: 'grams' },
    ...{ Cel: 'celsius', Hz: 'hertz', '1': '', '%': 'percent' },
  }),
)

const PER_UNITS = new Map(
  Object.entries({
    ...{ s: 'second', m: 'minute', h: 'hour', d: 'day', w: 'week', mo: 'month', y: 'year' },
  }),
)

/**
 * The name under which Prometheus 3.5 stores an OTLP metric; it may come out empty.
 *
 * @see https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
 */
export function metricNameOf(
  name: string,
  unit: string,
  kind: NameKind,
  strategy: TranslationStrategy,
): string {
  switch (strategy) {
    case 'NoTranslation':
      return name
    case 'NoUTF8EscapingWithSuffixes':
      return [name, ...rawSuffixes(unit, kind)].join('_')
    case 'UnderscoreEscapingWithoutSuffixes':
      return notUnderscoresAlone(notFromDigit(tokensOf(name, /[^A-Za-z0-9:_]+/u).join('_')))
    case 'UnderscoreEscapingWithSuffixes':
      return notFromDigit(withSuffixes(tokensOf(name, /[^A-Za-z0-9:]+/u), unit, kind).join('_'))
  }
}

function tokensOf(name: string, separators: RegExp): string[] {
  return name.split(separators).filter((token) => token !== '')
}

function notFromDigit(name: string): string {
  return /^[0-9]/.test(name) ? `_${name}` : name
}

/** Which say nothing, and are no name to Prometheus. */
function notUnderscoresAlone(name: string): string {
  return /^_+$/.test(name) ? '' : name
}

/** As they are, whatever the name already ends with. */
function rawSuffixes(unit: string, kind: NameKind): string[] {
  const { main, per } = unitWords(unit)
  const suffixes = [main, per === '' ? '' : `per_${per}`]
  if (kind === 'counter') suffixes.push('total')
  if (kind === 'gauge' && unit === '1') suffixes.push('ratio')
  return suffixes.filter((suffix) => suffix !== '')
}

/** A word that is a token of the name is not said twice. */
function withSuffixes(tokens: readonly string[], unit: string, kind: NameKind): string[] {
  const words = unitWords(unit)
  let main = cleaned(words.main)
  let per = words.per === '' ? '' : cleaned(`per_${words.per}`)
  if (tokens.includes(main)) main = ''
  per = per === 'per_' ? '' : per.replace(/_$/, '')
  if (tokens.includes(per)) per = ''
  if (per !== '') main = main.replace(/_$/, '')

  let all = [...tokens, main, per].filter((token) => token !== '')
  if (kind === 'counter') all = [...all.filter((token) => token !== 'total'), 'total']
  if (kind === 'gauge' && unit === '1') {
    all = [...all.filter((token) => token !== 'ratio'), 'ratio']
  }
  return all
}

/** `By/s` is bytes and second; a half in braces is a note, and no unit. */
function unitWords(unit: string): { main: string; per: string } {
  const slash = unit.indexOf('/')
  const main = (slash < 0 ? unit : unit.slice(0, slash)).trim()
  const per = slash < 0 ? '' : unit.slice(slash + 1).trim()
  return {
    main: /[{}]/.test(main) ? '' : (UNITS.get(main) ?? main),
    per: /[{}]/.test(per) ? '' : (PER_UNITS.get(per) ?? per),
  }
}

function cleaned(unit: string): string {
  return unit.replace(/[^A-Za-z0-9:]+/gu, '_').replace(/^_/, '')
}
