/** Labels as JSON, in sorted pairs of name and value: the same text for the same series only. */
export type SeriesKey = string

export type Labels = { [name: string]: string }
export type Exemplar = { labels: Labels; value: string; timestamp: number }

/** One element of a vector: float or native histogram. */
export type Instant = { metric: Labels; value?: [number, string]; histogram?: [number, object] }
/** One element of a matrix. */
export type Range = { metric: Labels; values?: [number, string][]; histograms?: unknown[] }

/** What tests ask of a Prometheus over its HTTP API. Times are Unix milliseconds. */
export type PrometheusApi = {
  /** The answer to a GET below `/api/v1/`, without the envelope. */
  api<T>(path: string): Promise<T>
  /** The result of an expression that is a vector; now, when no time is given. */
  query(expression: string, atMs?: number): Promise<Instant[]>
  queryRange(expression: string, startMs: number, endMs: number, stepMs: number): Promise<Range[]>
  series(match: string, startMs: number, endMs: number): Promise<Labels[]>
  /**
   * Every float of the series that match, both ends included, as it is shown: stale markers
   * and native histograms are missing. `read` has them, and the bits.
   */
  rawSamples(
    match: string,
    startMs: number,
    endMs: number,
  ): Promise<Map<SeriesKey, { timestampMs: number; value: string }[]>>
  /** By metric, and only of targets that this server scrapes itself: not what it received. */
  metadata(): Promise<{ [metric: string]: { type: string; help: string; unit: string }[] }>
  exemplars(
    expression: string,
    startMs: number,
    endMs: number,
  ): Promise<{ seriesLabels: Labels; exemplars: Exemplar[] }[]>
  /** The server's own metrics, in the text format. */
  metrics(): Promise<string>
}

export function prometheusApi(url: string): PrometheusApi {
  const api = async <T>(path: string): Promise<T> => {
    const answer = await fetch(`${url}/api/v1/${path}`)
    const { status, data, error } = (await answer.json()) as Record<string, unknown>
    if (status !== 'success') throw new Error(`${path}: ${error}`)
    return data as T
  }
  const get = <T>(path: string, parameters: Record<string, string | number>): Promise<T> => {
    const texts = new URLSearchParams()
    for (const [name, value] of Object.entries(parameters)) texts.set(name, String(value))
    return api<T>(`${path}?${texts}`)
  }
  const result = async <T>(path: string, parameters: Record<string, string | number>) =>
    (await get<{ result: T }>(path, parameters)).result
  const span = (startMs: number, endMs: number) => ({ start: startMs / 1000, end: endMs / 1000 })

  return {
    api,
    query: (query, atMs = Date.now()) => result('query', { query, time: atMs / 1000 }),
    queryRange: (query, startMs, endMs, stepMs) =>
      result('query_range', { query, ...span(startMs, endMs), step: stepMs / 1000 }),
    series: (match, startMs, endMs) => get('series', { 'match[]': match, ...span(startMs, endMs) }),
    rawSamples: async (match, startMs, endMs) => {
      // A range leaves out its own start, hence one millisecond more.
      const query = `${match}[${endMs - startMs + 1}ms]`
      const matrix = await result<Range[]>('query', { query, time: endMs / 1000 })
      return new Map(
        matrix.map(({ metric, values = [] }) => [seriesKey(metric), values.map(sample)]),
      )
    },
    metadata: () => api('metadata'),
    exemplars: (query, startMs, endMs) =>
      get('query_exemplars', { query, ...span(startMs, endMs) }),
    metrics: async () => (await fetch(`${url}/metrics`)).text(),
  }
}

export function seriesKey(labels: Labels): SeriesKey {
  const pairs = Object.entries(labels)
  return JSON.stringify(pairs.sort(([a], [b]) => (a < b ? -1 : 1)))
}

function sample([seconds, value]: [number, string]): { timestampMs: number; value: string } {
  return { timestampMs: Math.round(seconds * 1000), value }
}
