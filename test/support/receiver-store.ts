import type { IncomingHttpHeaders } from 'node:http'
import type { HistogramMessage } from './remote-write.ts'

export type ReceivedRequest = {
  /** 0 for the first. */
  index: number
  /** Monotonic. */
  timeMs: number
  method: string
  path: string
  headers: IncomingHttpHeaders
  protocol: 'rw1' | 'rw2'
  /** As it came, still compressed. */
  body: Uint8Array
  series: ReceivedSeries[]
  /** The status that was sent; undefined while there is none. */
  status: number | undefined
}

export type ReceivedSeries = {
  labels: [name: string, value: string][]
  samples: StoredSample[]
  exemplars: { labels: [string, string][]; timestampMs: number; bits: bigint }[]
}

export type StoredSample = {
  timestampMs: number
  /** The value's 64 bits; of a histogram, those of its sum. */
  bits: bigint
  histogram?: HistogramMessage
}

export type StoredSeries = {
  labels: [name: string, value: string][]
  samples: StoredSample[]
  exemplars: ReceivedSeries['exemplars']
}

/** What a series is found by, whatever the order of its labels. */
export function keyOf(labels: { [name: string]: string } | [string, string][]): string {
  const pairs = Array.isArray(labels) ? labels : Object.entries(labels)
  return JSON.stringify(
    pairs.toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
  )
}

export type Answered = { status: number; headers: { [name: string]: string }; body: string }

/** How far ahead of the clock a sample may be. */
const AHEAD_MS_MAX = 10 * 60_000
/** How far behind the newest of all samples one may be, where none may be out of order. */
const BEHIND_MS_MAX = 60 * 60_000

/**
 * Takes what Prometheus 3.5 would take of a request, and answers as it would. As there, each
 * sample is judged by what was stored before the request, and what then turns out to be in the
 * wrong order within it vanishes without a word.
 */
export function store(
  series: Map<string, StoredSeries>,
  request: Pick<ReceivedRequest, 'protocol' | 'series'>,
  oooWindowMs: number,
): Answered {
  const written = { samples: 0, histograms: 0, exemplars: 0 }
  const problems: string[] = []
  const taken: { stored: StoredSeries; sample: StoredSample }[] = []
  const limits = limitsOf(series, oooWindowMs)

  for (const { labels, samples, exemplars } of request.series) {
    if (!labels.some(([name]) => name === '__name__')) {
      // 1.0 passes over such a series in silence.
      if (request.protocol === 'rw2') problems.push('invalid metric name or labels')
      continue
    }
    const key = keyOf(labels)
    const stored = series.get(key) ?? { labels, samples: [], exemplars: [] }
    let isTaken = stored.samples.length > 0
    for (const sample of samples) {
      const problem = problemOf(stored.samples, sample, limits)
      if (problem !== null) {
        problems.push(`${problem} for series ${key}`)
        continue
      }
      isTaken = true
      taken.push({ stored, sample })
      if (sample.histogram === undefined) written.samples += 1
      else written.histograms += 1
    }
    if (isTaken) written.exemplars += exemplars.length
  }

  const isGood = problems.length === 0
  if (isGood || request.protocol === 'rw2') keep(series, taken, limits, request)
  return {
    status: isGood ? 204 : 400,
    headers: request.protocol === 'rw1' ? {} : writtenHeaders(written),
    body: problems.join('\n'),
  }
}

type Limits = { newestMs: number; oooWindowMs: number }

function limitsOf(series: Map<string, StoredSeries>, oooWindowMs: number): Limits {
  let newestMs = -Infinity
  for (const { samples } of series.values()) {
    newestMs = Math.max(newestMs, newestOf(samples, oooWindowMs))
  }
  return { newestMs, oooWindowMs }
}

function keep(
  series: Map<string, StoredSeries>,
  taken: { stored: StoredSeries; sample: StoredSample }[],
  limits: Limits,
  request: Pick<ReceivedRequest, 'series'>,
): void {
  for (const { stored, sample } of taken) {
    const key = keyOf(stored.labels)
    // A series that stands in the request twice is one.
    const own = series.get(key) ?? stored
    series.set(key, own)
    if (problemOf(own.samples, sample, limits) === null) insert(own.samples, sample, limits)
  }
  for (const { labels, exemplars } of request.series) {
    series.get(keyOf(labels))?.exemplars.push(...exemplars)
  }
}

/** Where samples may be out of order, those lie behind the newest one. */
function newestOf(samples: StoredSample[], oooWindowMs: number): number {
  if (oooWindowMs === 0) return samples.at(-1)?.timestampMs ?? -Infinity
  return samples.reduce((ms, { timestampMs }) => Math.max(ms, timestampMs), -Infinity)
}

/** Samples that came late. */
const late = new WeakSet<StoredSample>()

function insert(samples: StoredSample[], sample: StoredSample, { oooWindowMs }: Limits): void {
  const newestMs = newestOf(samples, oooWindowMs)
  const { timestampMs } = sample
  if (timestampMs < newestMs) late.add(sample)
  const at =
    timestampMs > newestMs ? -1 : samples.findIndex((one) => one.timestampMs === timestampMs)
  if (at === -1) samples.push(sample)
  // Prometheus keeps both in different places, and shows the one that came late.
  else if (late.has(sample) && !late.has(samples[at]!)) samples[at] = sample
}

/** Null when the sample may be stored, or is there already. */
function problemOf(
  samples: StoredSample[],
  sample: StoredSample,
  { newestMs, oooWindowMs }: Limits,
): string | null {
  const { timestampMs } = sample
  if (timestampMs > Date.now() + AHEAD_MS_MAX) return 'out of bounds'
  const newestHere = newestOf(samples, oooWindowMs)
  const isBehind = timestampMs < newestMs - BEHIND_MS_MAX
  if (!isBehind && timestampMs > newestHere) return null
  if (!isBehind && timestampMs === newestHere) {
    const known = samples.find((one) => one.timestampMs === timestampMs)!
    return identityOf(known) === identityOf(sample) ? null : 'duplicate sample for timestamp'
  }
  if (oooWindowMs > 0) return timestampMs >= newestMs - oooWindowMs ? null : 'too old sample'
  return isBehind ? 'out of bounds' : 'out of order sample'
}

function identityOf({ bits, histogram }: StoredSample): string {
  const words = (_: string, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value)
  return JSON.stringify([bits, histogram], words)
}

/** The three headers by which a 2.0 receiver says what it wrote. */
export function writtenHeaders(written: {
  samples?: number
  histograms?: number
  exemplars?: number
}): { [name: string]: string } {
  const { samples = 0, histograms = 0, exemplars = 0 } = written
  return {
    'X-Prometheus-Remote-Write-Samples-Written': String(samples),
    'X-Prometheus-Remote-Write-Histograms-Written': String(histograms),
    'X-Prometheus-Remote-Write-Exemplars-Written': String(exemplars),
  }
}
