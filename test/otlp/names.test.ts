import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { decimalOf } from '../../src/otlp/decimal.ts'
import { labelNameOf } from '../../src/otlp/label-name.ts'
import { metricNameOf, type NameKind } from '../../src/otlp/metric-name.ts'
import { OTLP_DEFAULTS, type TranslationStrategy } from '../../src/otlp/options.ts'
import { msOf } from '../../src/otlp/time.ts'

const NAMES: [name: string, unit: string, kind: NameKind, translated: string][] = [
  ['http.server.request.duration', 's', 'other', 'http_server_request_duration_seconds'],
  ['system.io', 'By', 'counter', 'system_io_bytes_total'],
  ['network_transmitted_bytes_total', 'By', 'counter', 'network_transmitted_bytes_total'],
  ['total.requests', '', 'counter', 'requests_total'],
  ['bytes.sent.count', 'By', 'gauge', 'bytes_sent_count'],
  ['hw.fan.speed_ratio', '1', 'gauge', 'hw_fan_speed_ratio'],
  ['hit.ratio.now', '1', 'gauge', 'hit_now_ratio'],
  ['queue', '1', 'other', 'queue'],
  ['jobs', '1', 'counter', 'jobs_total'],
  ['requests_per_second', '1/s', 'gauge', 'requests_per_second_per_second'],
  ['rate', '{req}/s', 'gauge', 'rate_per_second'],
  ['speed', 'm/s', 'gauge', 'speed_meters_per_second'],
  ['io', 'By/min', 'gauge', 'io_bytes_per_min'],
  ['disk.usage', 'kBy', 'gauge', 'disk_usage_kBy'],
  ['temp', 'By{x}', 'gauge', 'temp'],
  ['broken.metric.speed', 'km/°', 'gauge', 'broken_metric_speed_km'],
  ['5xx.count', '', 'counter', '_5xx_count_total'],
  ['a..b__c', '', 'gauge', 'a_b_c'],
  [':foo::bar', '', 'gauge', ':foo::bar'],
  ['温度', '', 'gauge', ''],
]

test.for(NAMES)('%s in %s, a %s, is called %s', ([name, unit, kind, translated]) => {
  expect(metricNameOf(name, unit, kind, 'UnderscoreEscapingWithSuffixes')).toBe(translated)
})

test('the other strategies keep more of a name', () => {
  const unescaped = (name: string, unit: string, kind: NameKind) =>
    metricNameOf(name, unit, kind, 'NoUTF8EscapingWithSuffixes')
  expect(unescaped('système.io', 'By/s', 'counter')).toBe('système.io_bytes_per_second_total')
  expect(unescaped('x_total', '', 'counter')).toBe('x_total_total')
  expect(unescaped('hit.ratio', '1', 'gauge')).toBe('hit.ratio_ratio')
  expect(metricNameOf('a.b', 'By', 'counter', 'NoTranslation')).toBe('a.b')
  const escaped = (name: string) =>
    metricNameOf(name, 'By', 'counter', 'UnderscoreEscapingWithoutSuffixes')
  expect(escaped('a..b__c')).toBe('a_b__c')
  expect(escaped('1.a')).toBe('_1_a')
})

const LABELS: [key: string, name: string][] = [
  ['http.method', 'http_method'],
  ['a..b', 'a__b'],
  ['a:b', 'a_b'],
  ['1st', 'key_1st'],
  ['_x', 'key_x'],
  ['.foo', 'key_foo'],
  ['-a', 'key_a'],
  ['__x', '__x'],
  ['ä', 'key_'],
  ['😀a', 'key_a'],
  ['__', '__'],
]

test.for(LABELS)('G97: the attribute %s becomes the label %s', ([key, name]) => {
  expect(labelNameOf(key, OTLP_DEFAULTS)).toBe(name)
})

test('label names can be left alone, collapsed, or begin with an underscore', () => {
  const raw = { ...OTLP_DEFAULTS, translationStrategy: 'NoTranslation' as const }
  expect(labelNameOf('http.method', raw)).toBe('http.method')
  const collapsing = { ...OTLP_DEFAULTS, labelNamePreserveMultipleUnderscores: false }
  expect(labelNameOf('a..b', collapsing)).toBe('a_b')
  expect(labelNameOf('__a..b__', collapsing)).toBe('__a__b__')
  const plain = { ...OTLP_DEFAULTS, labelNameUnderscoreSanitization: false }
  expect(labelNameOf('_x', plain)).toBe('_x')
})

/**
 * What Prometheus' own library answers (otlptranslator 1.0.0) to names that were drawn at random;
 * null is an error. Lines are `[strategy, kind, name, unit, answer]` or `["label", key, answer]`.
 */
const ANSWERS = readFileSync(new URL('prometheus-names.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as string[])

test('Prometheus gives metrics the same names', () => {
  const metrics = ANSWERS.filter(([strategy]) => strategy !== 'label')
  expect(metrics.length).toBeGreaterThan(600)
  for (const [strategy, kind, name, unit, answer] of metrics) {
    const own = metricNameOf(name!, unit!, kind as NameKind, strategy as TranslationStrategy)
    expect([name, unit, kind, own]).toEqual([name, unit, kind, answer ?? ''])
  }
})

test('Prometheus gives labels the same names, but for those that it refuses since 3.6', () => {
  const labels = ANSWERS.filter(([what, , answer]) => what === 'label' && answer !== null)
  expect(labels.length).toBeGreaterThan(100)
  for (const [, key, answer] of labels) {
    expect([key, labelNameOf(key!, OTLP_DEFAULTS)]).toEqual([key, answer])
  }
})

test('a name of underscores alone is none, where suffixes are left out', () => {
  expect(metricNameOf('_.温', '', 'gauge', 'UnderscoreEscapingWithoutSuffixes')).toBe('')
})

test('bounds are decimals without an exponent', () => {
  const texts = [1, 0.5, 2.5, 1e21, 1.5e22, 1e-7, -1.25e-9, 1e300, 0, -1 / 0, 1 / 0].map(decimalOf)
  expect(texts.slice(0, 4)).toEqual(['1', '0.5', '2.5', '1000000000000000000000'])
  expect(texts.slice(4, 7)).toEqual(['15000000000000000000000', '0.0000001', '-0.00000000125'])
  expect(texts[7]).toBe(`1${'0'.repeat(300)}`)
  expect(texts.slice(8)).toEqual(['0', '-Inf', '+Inf'])
})

test('nanoseconds become the millisecond that they are in, to the last one', () => {
  const split = (nanos: bigint) => msOf(Number(nanos & 0xffff_ffffn), Number(nanos >> 32n))
  for (const ms of [0n, 1n, 1_700_000_000_000n, 1_795_531_695_048n, 9_223_372_036_854n]) {
    const nanos = ms * 1_000_000n
    expect(split(nanos)).toBe(Number(ms))
    expect(split(nanos + 999_999n)).toBe(Number(ms))
    if (ms > 0n) expect(split(nanos - 1n)).toBe(Number(ms) - 1)
  }
})
