import { inBytes, labelOf, nameOf, type Pairs, plain, textOf } from './naive-otlp-text.ts'
import type { Message } from './otlp.ts'

/**
 * OTLP to series, read plainly off the rules and without a thought for speed: it shares nothing
 * with `src/otlp`. Takes messages as they were given to the encoder, without invalid points.
 */
export type NaiveOptions = {
  strategy?: string
  promote?: readonly string[]
  promoteAll?: boolean
  ignore?: readonly string[]
  keepIdentifying?: boolean
  asNative?: boolean
  scope?: boolean
}

export type NaiveSeries = {
  labels: [string, string][]
  type: number
  timestampMs: number
  startMs: number
  /** A number, or what matters of a native histogram. */
  value: number | 'stale' | NaiveHistogram
}

export type NaiveHistogram = {
  schema: number
  count: number
  sum: number
  zeroCount: number
  zeroThreshold: number
  bounds: number[]
  /** By native index, without the empty ones. */
  positive: [number, number][]
  negative: [number, number][]
}

const IDS = ['service.namespace', 'service.name', 'service.instance.id']

export function translateNaively(request: Message, options: NaiveOptions = {}): NaiveSeries[] {
  const all: NaiveSeries[] = []
  for (const from of request['resourceMetrics'] as Message[]) {
    const resource = ((from['resource'] as Message | undefined)?.['attributes'] ?? []) as Pairs
    let newestMs = 0
    for (const scopeMetrics of (from['scopeMetrics'] ?? []) as Message[]) {
      for (const metric of (scopeMetrics['metrics'] ?? []) as Message[]) {
        for (const series of metricSeries(metric, resource, scopeMetrics, options)) {
          newestMs = Math.max(newestMs, series.timestampMs)
          all.push(series)
        }
      }
    }
    const info = targetInfo(resource, options)
    if (info !== null && newestMs > 0) {
      all.push({ labels: info, type: 2, timestampMs: newestMs, startMs: 0, value: 1 })
    }
  }
  return all
}

function* metricSeries(
  metric: Message,
  resource: Pairs,
  scopeMetrics: Message,
  options: NaiveOptions,
): Generator<NaiveSeries> {
  const kind = ['gauge', 'sum', 'histogram', 'exponentialHistogram', 'summary'].find(
    (key) => metric[key] !== undefined,
  )!
  const data = metric[kind] as Message
  const isCounter = kind === 'sum' && data['isMonotonic'] === true
  const name = nameOf(
    String(metric['name'] ?? ''),
    String(metric['unit'] ?? ''),
    isCounter ? 'counter' : kind,
    options,
  )
  const type = isCounter ? 1 : kind === 'summary' ? 5 : /hist/i.test(kind) ? 3 : 2
  for (const point of (data['dataPoints'] ?? []) as Message[]) {
    const timestampMs = msOf(point['timeUnixNano'])
    const startMs = isCounter || type > 2 ? msOf(point['startTimeUnixNano'] ?? 0) : 0
    const isStale = (Number(point['flags'] ?? 0) & 1) === 1
    const of = (suffix: string, value: NaiveSeries['value'], extra?: [string, string]) => {
      const labels = pointLabels(point, resource, scopeMetrics, options)
      if (extra !== undefined || /_sum|_count/.test(suffix)) {
        labels.delete(kind === 'summary' ? 'quantile' : 'le')
      }
      if (kind === 'histogram' && typeof value === 'object') labels.delete('__name__')
      if (extra !== undefined) labels.set(...extra)
      labels.set('__name__', `${name}${suffix}`)
      const own = isStale && typeof value === 'number' ? 'stale' : value
      return { labels: sorted(labels), type, timestampMs, startMs, value: own }
    }
    if (kind === 'gauge' || kind === 'sum') yield of('', numberOf(point))
    else if (kind === 'summary') {
      yield of('_sum', Number(point['sum'] ?? 0))
      yield of('_count', Number(point['count'] ?? 0))
      for (const { quantile, value } of point['quantileValues'] as Record<string, number>[]) {
        yield of('', value!, ['quantile', plain(quantile!)])
      }
    } else if (kind === 'exponentialHistogram') yield of('', exponential(point))
    else if (options.asNative) yield of('', custom(point))
    else {
      const bounds = (point['explicitBounds'] ?? []) as number[]
      const counts = (point['bucketCounts'] ?? []) as number[]
      if (point['sum'] !== undefined) yield of('_sum', Number(point['sum']))
      yield of('_count', Number(point['count']))
      let below = 0
      for (const [i, bound] of bounds.entries()) {
        if (i >= counts.length) break
        below += counts[i]!
        yield of('_bucket', below, ['le', plain(bound)])
      }
      yield of('_bucket', Number(point['count']), ['le', '+Inf'])
    }
  }
}

function numberOf(point: Message): number {
  return Number(point['asDouble'] ?? point['asInt'] ?? 0)
}

function custom(point: Message): NaiveHistogram {
  const counts = point['bucketCounts'] as number[]
  return {
    schema: -53,
    count: Number(point['count']),
    sum: Number(point['sum'] ?? 0),
    zeroCount: 0,
    zeroThreshold: 0,
    bounds: point['explicitBounds'] as number[],
    positive: counts.map((count, i): [number, number] => [i, count]).filter(([, n]) => n > 0),
    negative: [],
  }
}

function exponential(point: Message): NaiveHistogram {
  const scale = Number(point['scale'] ?? 0)
  const side = (key: string): [number, number][] => {
    const { offset = 0, bucketCounts = [] } = (point[key] ?? {}) as {
      offset?: number
      bucketCounts?: number[]
    }
    const merged = new Map<number, number>()
    for (const [i, count] of bucketCounts.entries()) {
      const index = Math.floor((offset + i) / 2 ** Math.max(0, scale - 8)) + 1
      if (count > 0) merged.set(index, (merged.get(index) ?? 0) + count)
    }
    return [...merged].sort(([one], [other]) => one - other)
  }
  return {
    schema: Math.min(8, scale),
    count: Number(point['count']),
    sum: Number(point['sum'] ?? 0),
    zeroCount: Number(point['zeroCount'] ?? 0),
    zeroThreshold: Number(point['zeroThreshold'] ?? 0) || 1e-128,
    bounds: [],
    positive: side('positive'),
    negative: side('negative'),
  }
}

function pointLabels(
  point: Message,
  resource: Pairs,
  scopeMetrics: Message,
  options: NaiveOptions,
): Map<string, string> {
  const labels = merged((point['attributes'] ?? []) as Pairs, options)
  const promoted = resource.filter(({ key }) =>
    options.promoteAll ? !options.ignore?.includes(key) : options.promote?.includes(key),
  )
  for (const { key, value } of promoted.sort((a, b) => inBytes(a.key, b.key))) {
    const name = labelOf(key, options)
    if (!labels.has(name)) labels.set(name, textOf(value))
  }
  target(labels, resource)
  const scope = scopeMetrics['scope'] as { name?: string; version?: string; attributes?: Pairs }
  if (options.scope && scope?.name) {
    for (const { key, value } of scope.attributes ?? []) {
      if (['name', 'version', 'schema_url'].includes(key)) continue
      labels.set(labelOf(`otel_scope_${key}`, options), textOf(value))
    }
    labels.set('otel_scope_name', scope.name)
    labels.set('otel_scope_version', scope.version ?? '')
    labels.set('otel_scope_schema_url', String(scopeMetrics['schemaUrl'] ?? ''))
  }
  return labels
}

function target(labels: Map<string, string>, resource: Pairs): void {
  const of = (key: string) => resource.find((one) => one.key === key)
  const [namespace, name, instance] = IDS.map((key) => of(key))
  if (name !== undefined) {
    const own = textOf(name.value)
    labels.set('job', namespace === undefined ? own : `${textOf(namespace.value)}/${own}`)
  }
  if (instance !== undefined) labels.set('instance', textOf(instance.value))
}

function targetInfo(resource: Pairs, options: NaiveOptions): [string, string][] | null {
  const others = resource.filter(({ key }) => !IDS.includes(key))
  const labels = merged(options.keepIdentifying ? resource : others, options)
  target(labels, resource)
  if (others.length === 0 || (!labels.has('job') && !labels.has('instance'))) return null
  labels.set('__name__', 'target_info')
  return sorted(labels)
}

function merged(pairs: Pairs, options: NaiveOptions): Map<string, string> {
  const labels = new Map<string, string>()
  for (const { key, value } of pairs.toSorted((a, b) => inBytes(a.key, b.key))) {
    const name = labelOf(key, options)
    const before = labels.get(name)
    labels.set(name, before === undefined ? textOf(value) : `${before};${textOf(value)}`)
  }
  return labels
}

function sorted(labels: Map<string, string>): [string, string][] {
  return [...labels].filter(([, value]) => value !== '').sort(([a], [b]) => inBytes(a, b))
}

function msOf(nanos: unknown): number {
  return Number(BigInt(String(nanos)) / 1_000_000n)
}
