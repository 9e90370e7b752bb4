import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Batch, createBatch } from '../../src/model/batch.ts'
import { createOtlpDecoder } from '../../src/otlp/decoder.ts'
import { OTLP_DEFAULTS, type OtlpOptions } from '../../src/otlp/options.ts'
import { type DecodedSeries, examplesOf, identityOf, seriesOf } from '../support/decoded.ts'
import { KEY } from '../support/decoding.ts'
import { type NaiveOptions, type NaiveSeries, translateNaively } from '../support/naive-otlp.ts'
import { doubleOf, nativeOf } from '../support/native.ts'
import { encodeOtlp } from '../support/otlp.ts'
import { STALE_NAN } from '../support/remote-write.ts'
import { messageOf, metric, resource } from './drawn.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 300)
const batch = createBatch()

const VARIANTS: [string, Partial<OtlpOptions>, NaiveOptions][] = [
  ['by default', {}, {}],
  [
    'with raw names and all attributes promoted',
    { translationStrategy: 'NoUTF8EscapingWithSuffixes', promoteAllResourceAttributes: true },
    { strategy: 'NoUTF8EscapingWithSuffixes', promoteAll: true },
  ],
  [
    'without translation',
    {
      translationStrategy: 'NoTranslation',
      promoteResourceAttributes: ['a.b', 'service.name', 'le'],
      keepIdentifyingResourceAttributes: true,
      promoteScopeMetadata: true,
    },
    {
      strategy: 'NoTranslation',
      promote: ['a.b', 'service.name', 'le'],
      keepIdentifying: true,
      scope: true,
    },
  ],
  [
    'with native histograms',
    {
      promoteAllResourceAttributes: true,
      ignoreResourceAttributes: ['a', 'service.name'],
      convertHistogramsToNhcb: true,
    },
    { promoteAll: true, ignore: ['a', 'service.name'], asNative: true },
  ],
]

test.for(VARIANTS)(
  '%s, OTLP becomes what the rules say',
  { timeout: 60_000 },
  ([, options, naive]) => {
    const decode = createOtlpDecoder(KEY, { ...OTLP_DEFAULTS, ...options })
    const drawn = fc.tuple(fc.array(metric, { minLength: 1, maxLength: 4 }), resource, fc.nat(1e6))
    fc.assert(
      fc.property(drawn, ([metrics, from, number]) => {
        const message = messageOf(metrics, from, number, 1_700_000_000_000 + number)
        expect(decode(encodeOtlp(message), batch)).toBeNull()
        expect(examplesOf(batch)).toEqual({})
        const got = seriesOf(batch).map(comparable)
        const wanted = translateNaively(message, naive)
        const text = (all: NaiveSeries[]) => all.map((one) => shown(one)).sort()
        expect(text(got)).toEqual(text(wanted))
        expectIdentities(batch)
      }),
      { numRuns },
    )
  },
)

/** Equal labels have equal identities, and others have others. */
function expectIdentities(of: Batch): void {
  const byIdentity = new Map<string, string>()
  for (const [i, { labels }] of seriesOf(of).entries()) {
    const text = JSON.stringify(labels)
    const identity = identityOf(of, i)
    expect(byIdentity.get(identity) ?? text).toBe(text)
    byIdentity.set(identity, text)
  }
}

function shown({ value, ...rest }: NaiveSeries): string {
  const number = (one: number) => (Object.is(one, -0) ? '-0' : String(one))
  const text = (_: string, one: unknown) => (typeof one === 'number' ? number(one) : one)
  return JSON.stringify({ ...rest, value }, text)
}

function comparable({ labels, metadata, samples }: DecodedSeries): NaiveSeries {
  const [{ timestampMs, startMs, bits, histogram }] = samples as [(typeof samples)[0]]
  const value =
    bits === undefined ? nativeOf(histogram!) : bits === STALE_NAN ? 'stale' : doubleOf(bits)
  return { labels, type: metadata.type, timestampMs, startMs, value }
}
