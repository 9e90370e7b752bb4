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

/** Takes what Prometheus 3.5 would take of a request, and answers as it would. */
export function store(
  series: Map<string, StoredSeries>,
  request: ReceivedRequest,
  oooWindowMs: number,
): Answered {
  const written = { samples: 0, histograms: 0, exemplars: 0 }
  const problems: string[] = []
  const undo: (() => void)[] = []

  for (const { labels, samples, exemplars } of request.series) {
    if (!labels.some(([name]) => name === '__name__')) {
      // 1.0 passes over such a series in silence.
      if (request.protocol === 'rw2') problems.push('invalid metric name or labels')
      continue
    }
    const stored = series.get(keyOf(labels)) ?? { labels, samples: [], exemplars: [] }
    for (const sample of samples) {
      const problem = append(stored.samples, sample, oooWindowMs, undo)
      if (problem !== null) problems.push(`${problem} for series ${keyOf(labels)}`)
      else if (sample.histogram === undefined) written.samples += 1
      else written.histograms += 1
    }
    if (stored.samples.length === 0) continue
    series.set(keyOf(labels), stored)
    stored.exemplars.push(...exemplars)
    undo.push(() => stored.exemplars.splice(stored.exemplars.length - exemplars.length))
    written.exemplars += exemplars.length
  }

  const isGood = problems.length === 0
  if (!isGood && request.protocol === 'rw1') {
    for (const step of undo.reverse()) step()
    for (const [key, { samples }] of series) if (samples.length === 0) series.delete(key)
  }
  return {
    status: isGood ? 204 : 400,
    headers: request.protocol === 'rw1' ? {} : writtenHeaders(written),
    body: problems.join('\n'),
  }
}

/** Null when the sample was taken, or is there already. */
function append(
  samples: StoredSample[],
  sample: StoredSample,
  oooWindowMs: number,
  undo: (() => void)[],
): string | null {
  const newest =
    oooWindowMs === 0
      ? (samples.at(-1)?.timestampMs ?? -Infinity)
      : samples.reduce((ms, { timestampMs }) => Math.max(ms, timestampMs), -Infinity)
  const { timestampMs } = sample
  if (timestampMs < newest && timestampMs < newest - oooWindowMs) return 'out of order sample'
  const isNew = timestampMs > newest
  const known = isNew ? undefined : samples.findLast((one) => one.timestampMs === timestampMs)
  if (known !== undefined) {
    return identityOf(known) === identityOf(sample) ? null : 'duplicate sample for timestamp'
  }
  if (timestampMs < newest && oooWindowMs === 0) return 'out of order sample'
  samples.push(sample)
  undo.push(() => samples.pop())
  return null
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
