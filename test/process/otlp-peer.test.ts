import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Drawn, messageOf, metric } from '../otlp/drawn.ts'
import { withGateway } from '../support/gateway.ts'
import { labelOf } from '../support/naive-otlp-text.ts'
import { encodeOtlp } from '../support/otlp.ts'
import { type Receiver, startReceiver } from '../support/receiver.ts'
import { startVmagent } from '../support/vmagent.ts'

/** The first use on a machine fetches it. */
const FETCH = { timeout: 300_000 }
const SEED = Number(process.env['FC_SEED'] ?? Date.now())
const PER_REQUEST = 40

const [UP_DOWN, EXPONENTIAL] = [1, 4]
const MINUS_ZERO = 2n ** 63n
const METRICS = fc.sample(metric.filter(isCompared), { numRuns: 400, seed: SEED % 2 ** 31 })

/**
 * Where vmagent follows other rules than Prometheus: exponential histograms become buckets of
 * its own; attributes of one name are not joined, maps become labels, and neither empty values
 * nor `le` of an attribute go; names begin with digits and keep letters that are not ASCII, colons
 * are replaced, and so are parts of units that are not in the table; a sum that goes up and down
 * is a ratio when its unit is 1; and of -0 the sign is lost.
 */
function isCompared({ kind, name, unit, points }: Drawn): boolean {
  if (kind === EXPONENTIAL || /^[:5ä]/.test(name) || !/^(?:[a-zA-Z1]*|By\/s|m\/s)$/.test(unit)) {
    return false
  }
  if (kind === UP_DOWN && unit === '1') return false
  return points.every(({ attributes }) => {
    const names = Object.keys(attributes).map((key) => labelOf(key, {}))
    const isPlain = Object.values(attributes).every((value) => typeof value === 'string' && value)
    return isPlain && new Set(names).size === names.length && !/le|quantile|__/.test(names.join())
  })
}

/** Labels and all samples of each series, to the last bit. */
function shown({ series }: Receiver): string[] {
  const texts = Array.from(series.values(), ({ labels, samples }) => {
    const values = samples.map(({ bits, timestampMs }) => {
      return `${bits === MINUS_ZERO ? 0n : bits}@${timestampMs}`
    })
    return `${labels.map(String).toSorted()} ${values}`
  })
  return texts.filter((text) => !text.includes('target_info')).toSorted()
}

test(`vmagent makes the same of plain metrics (seed ${SEED})`, FETCH, async () => {
  const theirs = await startReceiver()
  const vmagent = await startVmagent(theirs.url)
  try {
    await withGateway(async ({ gateway, receiver: ours }) => {
      const ourUrl = `http://127.0.0.1:${gateway.otlpHttpPort}/v1/metrics`
      const headers = { 'Content-Type': 'application/x-protobuf' }
      const now = Date.now() - 60_000
      for (let i = 0; i < METRICS.length; i += PER_REQUEST) {
        const message = messageOf(METRICS.slice(i, i + PER_REQUEST), {}, i, now + i)
        const body = Buffer.from(encodeOtlp(message))
        for (const url of [vmagent.otlpUrl, ourUrl]) {
          expect((await fetch(url, { method: 'POST', headers, body })).status).toBe(200)
        }
      }
      await expect.poll(() => theirs.series.size, { timeout: 20_000 }).toBeGreaterThan(500)
      const difference = () => {
        const [one, other] = [shown(ours), shown(theirs)]
        return {
          ours: one.filter((text) => !other.includes(text)),
          theirs: other.filter((text) => !one.includes(text)),
        }
      }
      await expect.poll(difference, { timeout: 20_000 }).toEqual({ ours: [], theirs: [] })
    })
  } finally {
    await vmagent.stop()
    await theirs.close()
  }
})
