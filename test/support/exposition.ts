import protobuf from 'protobufjs'

const root = protobuf.loadSync(new URL('./exposition.proto', import.meta.url).pathname)
const FAMILY = root.lookupType('test.MetricFamily')
const { COUNTER, GAUGE, HISTOGRAM } = root.lookupEnum('test.MetricType').values

/** Metrics of one name, as an exporter shows them at one scrape. */
export type Family = { name: string; help?: string; unit?: string } & (
  | { type: 'counter' | 'gauge'; points: NumberPoint[] }
  | { type: 'histogram'; points: HistogramPoint[] }
  | { type: 'native histogram'; points: NativePoint[] }
)

type Labels = { readonly [name: string]: string }
export type Exemplar = { labels: Labels; value: number }
export type NumberPoint = { labels?: Labels; value: number; exemplar?: Exemplar }
export type HistogramPoint = {
  labels?: Labels
  sum: number
  /** Cumulative; the last one's bound is infinite. */
  buckets: { bound: number; count: number; exemplar?: Exemplar }[]
}
export type NativePoint = {
  labels?: Labels
  sum: number
  schema: number
  zeroCount: number
  /** Index of the first positive bucket. */
  offset: number
  /** Observations per positive bucket; Prometheus leaves out empty ones when it scrapes. */
  counts: number[]
}

/** OpenMetrics text, which has no form for native histograms: they are left out. */
export function textOf(families: readonly Family[]): string {
  const lines: string[] = []
  for (const family of families) {
    const { name, type, unit, help } = family
    if (type === 'native histogram') continue
    lines.push(`# TYPE ${name} ${type}`)
    if (unit !== undefined) lines.push(`# UNIT ${name} ${unit}`)
    if (help !== undefined) lines.push(`# HELP ${name} ${escaped(help)}`)
    if (type === 'histogram') {
      for (const point of family.points) lines.push(...histogramLines(name, point))
    } else {
      const series = type === 'counter' ? `${name}_total` : name
      for (const point of family.points) lines.push(line(series, point))
    }
  }
  return `${[...lines, '# EOF'].join('\n')}\n`
}

function histogramLines(name: string, { labels = {}, sum, buckets }: HistogramPoint): string[] {
  const inBuckets = buckets.map(({ bound, count: value, exemplar }) =>
    line(`${name}_bucket`, {
      labels: { ...labels, le: numberText(bound) },
      value,
      ...(exemplar && { exemplar }),
    }),
  )
  const count = line(`${name}_count`, { labels, value: buckets.at(-1)?.count ?? 0 })
  return [...inBuckets, line(`${name}_sum`, { labels, value: sum }), count]
}

function line(name: string, { labels = {}, value, exemplar }: NumberPoint): string {
  const series = `${name}${labelText(labels)} ${numberText(value)}`
  if (exemplar === undefined) return series
  return `${series} # ${labelText(exemplar.labels)} ${numberText(exemplar.value)}`
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return `{${pairs.join(',')}}`
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (Number.isFinite(value)) return Object.is(value, -0) ? '-0' : String(value)
  return value > 0 ? '+Inf' : '-Inf'
}

/** The delimited protobuf format: each family behind its length. */
export function protobufOf(families: readonly Family[]): Uint8Array<ArrayBuffer> {
  return Buffer.concat(
    families.map((family) => {
      const { name, help, unit } = family
      // In this format a counter is named as its series are.
      const fullName = family.type === 'counter' ? `${name}_total` : name
      const message = { name: fullName, help, unit, ...metricsOf(family) }
      return FAMILY.encodeDelimited(FAMILY.create(message)).finish()
    }),
  )
}

function metricsOf(family: Family): object {
  switch (family.type) {
    case 'counter':
      return { type: COUNTER, metric: family.points.map((each) => numberOf('counter', each)) }
    case 'gauge':
      return { type: GAUGE, metric: family.points.map((each) => numberOf('gauge', each)) }
    case 'histogram':
      return { type: HISTOGRAM, metric: family.points.map(histogramOf) }
    case 'native histogram':
      return { type: HISTOGRAM, metric: family.points.map(nativeOf) }
  }
}

function numberOf(kind: 'counter' | 'gauge', { labels, value, exemplar }: NumberPoint): object {
  return { label: pairsOf(labels), [kind]: { value, exemplar: exemplarOf(exemplar) } }
}

function histogramOf({ labels, sum, buckets }: HistogramPoint): object {
  const bucket = buckets.map(({ bound, count, exemplar }) => ({
    cumulativeCount: count,
    upperBound: bound,
    exemplar: exemplarOf(exemplar),
  }))
  const sampleCount = buckets.at(-1)?.count ?? 0
  return { label: pairsOf(labels), histogram: { sampleCount, sampleSum: sum, bucket } }
}

function nativeOf({ labels, sum, schema, zeroCount, offset, counts }: NativePoint): object {
  return {
    label: pairsOf(labels),
    histogram: {
      sampleCount: counts.reduce((total, count) => total + count, zeroCount),
      sampleSum: sum,
      schema,
      // Wide enough that Prometheus does not take the histogram for an empty classic one.
      zeroThreshold: 1e-9,
      zeroCount,
      positiveSpan: [{ offset, length: counts.length }],
      positiveDelta: counts.map((count, i) => count - (counts[i - 1] ?? 0)),
    },
  }
}

function exemplarOf(exemplar: Exemplar | undefined): object | undefined {
  return exemplar && { label: pairsOf(exemplar.labels), value: exemplar.value }
}

function pairsOf(labels: Labels = {}): { name: string; value: string }[] {
  return Object.entries(labels).map(([name, value]) => ({ name, value }))
}
