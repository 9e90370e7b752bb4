import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseConfig } from '../../src/config/config.ts'
import { Relabeler } from '../../src/relabel/relabeler.ts'
import { snappy } from '../../src/wire/snappy.ts'
import { blockOf } from '../forward/parts.ts'
import { KEY } from '../support/decoding.ts'
import { RW2_TYPE } from '../support/gateway.ts'
import { type Prometheus, startPrometheus } from '../support/prometheus.ts'
import { type Receiver, startReceiver } from '../support/receiver.ts'
import { bitsOf, decodeRw2, labelsOf, rw2Of } from '../support/remote-write.ts'

const RULE_SETS = 120
const SERIES = 60

const NAMES = ['__name__', 'job', 'instance', 'a', 'ab', 'b', 'ä b', '\uffee', '😀', 'id']
const VALUES = [
  ...'a b ab aB x;y host:9100 1 $1 😀 \uffee'.split(' '),
  ...['a\nb', '\n', ' '],
  // Letters whose other case is two letters, depends on their neighbours, or is in another plane.
  ...'Straße İstanbulı ΟΔΥΣΣΕΥΣ ŉǅᾳᾈᾀ ﬁΐ \u{10400}\u{10428}'.split(' '),
]
const REGEXES = [
  '',
  ...String.raw`(.*) . .+ a b a|ab (a)|(b) (a|ab)(b?) ([^:]+):(\d+) [^a]* (?P<first>.)(?P<rest>.*)
    (?<first>.) (.*);(.*) (?i)A.* \pL+ (?s).* a(.*) a)|(b (?m)^a$ [[:alpha:]]+ (.*?)(b*) (?-s).+
    __name__|job|i.* (?:i|j)(.+)`.split(/\s+/),
]
const TEMPLATES = `$1 \${1} $2$1 \${2}-$1 $1x \${1}x x $ $$ $$1 \${ \${1 $0 $01 $first \${first}x
  \${rest}$first $1ä \${10} $-1 \${} to_\${1} job \${1}1`.split(/\s+/)

const name = fc.constantFrom(...NAMES)
const source = { source_labels: fc.array(name, { maxLength: 3 }) }
const joined = { ...source, separator: fc.constantFrom(';', '', '@', ': ') }
const regex = fc.constantFrom(...REGEXES)
const template = fc.constantFrom(...TEMPLATES)
/** A rule with these keys, of which some may be missing. */
function of<T extends object>(
  action: string,
  keys: { [key in keyof T]: fc.Arbitrary<T[key]> },
  optional: (keyof T)[] = [],
) {
  const names = Object.keys(keys) as (keyof T)[]
  const requiredKeys = names.filter((key) => !optional.includes(key))
  return fc.record(keys, { requiredKeys }).map((rest) => ({ action, ...rest }))
}

const rule = fc.oneof(
  of(
    'replace',
    { ...joined, regex, target_label: fc.oneof(name, template), replacement: template },
    ['separator', 'regex', 'replacement', 'source_labels'],
  ),
  of('keep', { ...joined, regex }, ['separator']),
  of('drop', { ...joined, regex }, ['separator']),
  of('keepequal', { ...source, target_label: name }),
  of('dropequal', { ...source, target_label: name }),
  of('hashmod', {
    ...joined,
    target_label: name,
    modulus: fc.constantFrom(1, 2, 7, 1000, Number.MAX_SAFE_INTEGER),
  }),
  of('labelmap', { regex, replacement: template }, ['regex', 'replacement']),
  of('labeldrop', { regex }),
  of('labelkeep', { regex }),
  of('Lowercase', { ...joined, target_label: name }, ['separator']),
  of('UPPERCASE', { ...joined, target_label: name }, ['separator']),
)
const ruleSet = fc.array(rule, { minLength: 1, maxLength: 4 })

type Labels = { [name: string]: string }
const labelSet = fc.dictionary(name, fc.constantFrom(...VALUES), { noNullPrototype: true })

test('a Prometheus makes the same of the same labels by the same rules', {
  timeout: 120_000,
}, async () => {
  const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31)
  const ruleSets = fc.sample(ruleSet, { seed, numRuns: RULE_SETS })
  const series = fc.sample(labelSet, { seed, numRuns: SERIES }).map(
    (labels, i): Labels =>
      // Told apart, and named as a receiver wants it.
      sorted({ ...labels, __name__: labels['__name__'] ?? 'up', id: `${i}` }),
  )
  const theirs = await relabelledByPrometheus(ruleSets, series)
  const kept = theirs.flat().filter((labels) => labels !== null).length
  for (const [i, rules] of ruleSets.entries()) {
    const ours = relabelled(rules, series)
    for (const [j, labels] of series.entries()) {
      const what = `seed ${seed}: ${JSON.stringify({ labels, rules })}`
      expect(ours[j], what).toEqual(theirs[i]![j])
    }
  }
  // Neither everything nor nothing was dropped, so there was something to compare.
  expect(kept).toBeGreaterThan(SERIES)
  expect(kept).toBeLessThan(SERIES * RULE_SETS)
})

/** Sorted by the bytes of the names, as everybody sends them. */
function sorted(labels: Labels): Labels {
  const pairs = Object.entries(labels)
  const byName = pairs.toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  return Object.fromEntries(byName)
}

/** A series says by its value which one it was, whatever has become of its labels. */
function literals(series: readonly Labels[], timestamp: number) {
  return series.map((labels, i) => ({
    labels: Object.entries(labels),
    samples: [{ value: i + 1, timestamp }],
  }))
}

const NUMBERS = new Map(Array.from({ length: SERIES }, (_, i) => [bitsOf(i + 1), i]))

/** By series, what is left of its labels; null where it was dropped. */
type Results = ([name: string, value: string][] | null)[]

function relabelled(rules: readonly object[], series: readonly Labels[]): Results {
  const results: Results = series.map(() => null)
  const destination = { url: 'http://localhost/', write_relabel_configs: rules }
  const text = JSON.stringify({ remote_write: [destination] })
  const { relabelRules } = parseConfig(text, 'sluice.yaml').config.remoteWrite[0]!
  const { block } = new Relabeler(relabelRules, KEY).apply(blockOf(literals(series, 1000)))!
  if (block === null) return results
  const message = decodeRw2(snappy.decompress(block.message)!)
  for (const one of message.timeseries) {
    results[NUMBERS.get(bitsOf(one.samples[0]!.value))!] = labelsOf(message, one)
  }
  return results
}

async function relabelledByPrometheus(
  ruleSets: readonly (readonly object[])[],
  series: readonly Labels[],
): Promise<Results[]> {
  const receiver = await startReceiver({ respond: () => ({ status: 204 }) })
  const message = 'prometheus.WriteRequest'
  const remoteWrite = ruleSets.map((relabel, i) => {
    return { url: `${receiver.url}?rules=${i}`, message, relabel } as const
  })
  try {
    const prometheus = await startPrometheus({ remoteWrite })
    try {
      // What was written before its queues have started is not sent.
      const raw = rw2Of(literals(series, Date.now() + 60_000))
      const answer = await fetch(`${prometheus.url}/api/v1/write`, {
        method: 'POST',
        headers: { 'Content-Type': RW2_TYPE, 'Content-Encoding': 'snappy' },
        body: snappy.compress(raw).slice(),
      })
      expect([answer.status, await answer.text()]).toEqual([204, ''])
      const missing = async () => ruleSets.length * SERIES - (await seen(receiver, prometheus))
      await expect.poll(missing, { timeout: 60_000, interval: 500 }).toBe(0)
      return ruleSets.map((_, i) => resultsOf(receiver, i))
    } finally {
      await prometheus.stop()
    }
  } finally {
    await receiver.close()
  }
}

/** Samples that were either sent or dropped by a rule. */
async function seen({ requests }: Receiver, prometheus: Prometheus): Promise<number> {
  const sent = requests.reduce((sum, { series }) => sum + series.length, 0)
  const metric = /^prometheus_remote_storage_samples_dropped_total\{.*"dropped_series".*\} (\d+)$/gm
  const page = await prometheus.metrics()
  return [...page.matchAll(metric)].reduce((sum, [, dropped]) => sum + Number(dropped), sent)
}

function resultsOf({ requests }: Receiver, rules: number): Results {
  const results: Results = Array.from({ length: SERIES }, () => null)
  for (const { path, series } of requests) {
    if (!path.endsWith(`?rules=${rules}`)) continue
    for (const { labels, samples } of series) {
      // Prometheus sends a series without any label, which nobody takes; here it is dropped.
      if (labels.length > 0) results[NUMBERS.get(samples[0]!.bits)!] = labels
    }
  }
  return results
}
