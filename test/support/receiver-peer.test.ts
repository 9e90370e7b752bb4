import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { snappy } from '../../src/wire/snappy.ts'
import { type Prometheus, startPrometheus } from './prometheus.ts'
import { type Receiver, startReceiver } from './receiver.ts'
import { rw1Of, rw2Of, type SeriesLiteral, STALE_NAN } from './remote-write.ts'

/** The fake receiver is worth as much as it is like a real one: the same requests to both. */

const nowMs = Date.now() - 60_000
const MINUTE_MS = 60_000

type Protocol = 'rw1' | 'rw2'
type Sample = [offsetMs: number, value: number | bigint]

/** Series by name, each with its samples in the order in which they are sent. */
type Step = { [name: string]: Sample[] }

async function push(url: string, protocol: Protocol, series: SeriesLiteral[]) {
  const raw = protocol === 'rw1' ? rw1Of(series) : rw2Of(series)
  const proto = protocol === 'rw1' ? '' : ';proto=io.prometheus.write.v2.Request'
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': `application/x-protobuf${proto}`, 'Content-Encoding': 'snappy' },
    body: Buffer.from(snappy.compress(raw)),
  })
  await response.text()
  const written = ['samples', 'histograms', 'exemplars'].map((what) =>
    response.headers.get(`x-prometheus-remote-write-${what}-written`),
  )
  return { status: response.status, written }
}

function literalsOf(step: Step, suffix: string): SeriesLiteral[] {
  return Object.entries(step).map(([name, samples]) => ({
    // What stands after a dot is no part of the name: the series comes twice.
    labels: { __name__: `${name.split('.')[0]}_${suffix}`, job: 'x' },
    samples: samples.map(([offsetMs, value]) => ({ value, timestamp: nowMs + offsetMs })),
  }))
}

const SCRIPTS: { [what: string]: Step[] } = {
  'what is new': [{ a: [[0, 1]], b: [[0, 2]] }, { a: [[10, 3]] }],
  'the newest again, as it was': [
    { a: [[0, 1]], b: [[0, STALE_NAN]] },
    { a: [[0, 1]], b: [[0, STALE_NAN]] },
  ],
  'the newest again with another value': [{ a: [[0, 1]] }, { a: [[0, 2]] }],
  'zeros of two signs': [{ a: [[0, 0]] }, { a: [[0, -0]] }],
  'an older one': [{ a: [[1000, 1]] }, { a: [[0, 1]] }],
  'an older one, known already': [{ a: [[0, 1]] }, { a: [[1000, 2]] }, { a: [[0, 1]] }],
  'an older one of another value': [{ a: [[0, 1]] }, { a: [[1000, 2]] }, { a: [[0, 9]] }],
  'an older one of two other values': [
    { a: [[0, 1]] },
    { a: [[1000, 2]] },
    { a: [[0, 8]] },
    { a: [[0, 9]] },
  ],
  'an older one between two': [
    { a: [[0, 1]] },
    { a: [[1000, 2]] },
    { a: [[500, 3]] },
    { a: [[500, 4]] },
  ],
  'one older among good ones': [{ b: [[1000, 1]] }, { a: [[0, 1]], b: [[0, 2]], c: [[0, 3]] }],
  'two of them': [
    { b: [[1000, 1]], c: [[1000, 1]] },
    { a: [[0, 1]], b: [[0, 2]], c: [[0, 3]] },
  ],
  'several of a series, in order': [
    {
      a: [
        [0, 1],
        [1, 2],
        [2, 3],
      ],
    },
  ],
  'several of a series, not in order': [
    {
      a: [
        [2, 3],
        [0, 1],
        [1, 2],
      ],
      b: [[0, 1]],
    },
  ],
  'one of a series twice in a request': [
    {
      a: [
        [0, 1],
        [0, 1],
      ],
    },
  ],
  'one of a series twice with two values': [
    {
      a: [
        [0, 1],
        [0, 2],
      ],
    },
  ],
  'a series that stands twice in a request': [{ a: [[0, 1]], 'a.2': [[10, 2]] }],
  'a series that stands twice, the later first': [{ a: [[10, 1]], 'a.2': [[0, 2]] }],
  'nine minutes ahead': [{ a: [[10 * MINUTE_MS, 1]], b: [[0, 1]] }],
  'twelve minutes ahead': [{ a: [[13 * MINUTE_MS, 1]], b: [[0, 1]] }],
  'twenty minutes late': [{ a: [[0, 1]] }, { a: [[-20 * MINUTE_MS, 1]], b: [[0, 1]] }],
  'fifty minutes late': [{ a: [[0, 1]] }, { a: [[-50 * MINUTE_MS, 1]], b: [[0, 1]] }],
}

for (const window of ['0m', '30m']) {
  describe(`with an out-of-order window of ${window}`, () => {
    let prometheus: Prometheus
    let receiver: Receiver
    beforeAll(async () => {
      prometheus = await startPrometheus(window === '0m' ? {} : { outOfOrderTimeWindow: window })
      receiver = await startReceiver({ oooWindowMs: Number.parseInt(window, 10) * MINUTE_MS })
    }, 30_000)
    afterAll(async () => {
      await prometheus.stop()
      await receiver.close()
    })

    let n = 0
    for (const protocol of ['rw1', 'rw2'] as const) {
      test.each(Object.entries(SCRIPTS))(`${protocol}: %s`, async (_, steps) => {
        n += 1
        const suffix = `${n}_${protocol}`
        const answers: object[][] = [[], []]
        for (const step of steps) {
          const series = literalsOf(step, suffix)
          answers[0]!.push(await push(`${prometheus.url}/api/v1/write`, protocol, series))
          answers[1]!.push(await push(receiver.url, protocol, series))
        }
        expect(answers[1], 'answers, those of Prometheus first').toEqual(answers[0])
        const stored = await prometheus.read(
          new RegExp(`._${suffix}`),
          nowMs - 2 * 60 * MINUTE_MS,
          nowMs + 60 * MINUTE_MS,
        )
        expect(storedIn(receiver, suffix)).toEqual(floatsOf(stored))
      })
    }
  })
}

function storedIn({ series }: Receiver, suffix: string): { [series: string]: unknown } {
  const own = [...series.values()].filter(({ labels }) =>
    labels.some(([, value]) => value.endsWith(`_${suffix}`)),
  )
  return Object.fromEntries(
    own.map(({ labels, samples }) => [
      JSON.stringify(labels),
      samples
        .map(({ timestampMs, bits }) => [timestampMs - nowMs, bits])
        .toSorted(([a], [b]) => Number(a) - Number(b)),
    ]),
  )
}

function floatsOf(stored: Awaited<ReturnType<Prometheus['read']>>): { [series: string]: unknown } {
  return Object.fromEntries(
    Array.from(stored, ([labels, { samples }]) => [
      labels,
      Array.from(samples, ([timestampMs, bits]) => [timestampMs - nowMs, BigInt(`0x${bits}`)]),
    ]),
  )
}
