import { gunzipSync } from 'node:zlib'
import { createBatch } from '../src/model/batch.ts'
import { createOtlpDecoder } from '../src/otlp/decoder.ts'
import { otlpOfJson } from '../src/otlp/json.ts'
import { OTLP_DEFAULTS } from '../src/otlp/options.ts'
import { bench, type Case } from './harness.ts'
import { OtlpLoad, POINTS_PER_PUSH } from './otlp-load.ts'

/** Several, so that branches are not learnt by heart. */
const PUSHES = 20
const KEY = Uint32Array.of(1, 2, 3, 4)

function decoding(): Case {
  const decode = createOtlpDecoder(KEY, { ...OTLP_DEFAULTS, promoteAllResourceAttributes: true })
  const batch = createBatch()
  const load = new OtlpLoad({ protocol: 'otlp', series: 100_000, startMs: 1_700_000_000_000 })
  const messages = Array.from({ length: PUSHES }, (_, push) => gunzipSync(load.body(push, 0)))
  const run = (): number => {
    let samples = 0
    for (const message of messages) {
      const malformed = decode(message, batch)
      if (malformed !== null) throw new Error(malformed)
      samples += batch.sampleCount
    }
    return samples
  }
  return { name: 'otlp/decode', unit: 'point', unitsPerRun: PUSHES * POINTS_PER_PUSH, run }
}

function rewriting(): Case {
  const points = 1_000
  const dataPoints = Array.from({ length: points }, (_, i) => ({
    timeUnixNano: '1700000000000000000',
    asDouble: i / 7,
    attributes: [
      { key: 'http.method', value: { stringValue: 'GET' } },
      { key: 'number', value: { intValue: `${i}` } },
    ],
  }))
  const metrics = [{ name: 'g', gauge: { dataPoints } }]
  const json = Buffer.from(JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }))
  const run = (): number => {
    const read = otlpOfJson(json)
    if ('problem' in read) throw new Error(read.problem)
    return read.bytes.length
  }
  return { name: 'otlp/json', unit: 'point', unitsPerRun: points, run }
}

await bench([decoding(), rewriting()])
