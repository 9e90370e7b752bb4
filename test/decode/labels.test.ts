import { expect, test } from 'vitest'
import { examplesOf, identityOf, rejectedOf, seriesOf } from '../support/decoded.ts'
import { decoded, NO_METADATA, oneSample, raw, withSample } from '../support/decoding.ts'
import { bitsOf, rw2Of } from '../support/remote-write.ts'

test('G1, G2: labels come out sorted, in whatever order they came', () => {
  const batch = decoded(
    rw2Of([
      withSample([
        ['z', '1'],
        ['__name__', 'up'],
        ['A', '2'],
        ['a', '3'],
      ]),
    ]),
  )
  expect(seriesOf(batch)).toEqual([
    {
      labels: [
        ['A', '2'],
        ['__name__', 'up'],
        ['a', '3'],
        ['z', '1'],
      ],
      metadata: NO_METADATA,
      samples: [{ bits: bitsOf(1), timestampMs: 1000, startMs: 0 }],
      exemplars: [],
    },
  ])
  expect(batch.rejections.isEmpty).toBe(true)
})

test('a hundred labels in reverse order are sorted too, and a double one is found', () => {
  const names = Array.from({ length: 100 }, (_, i) => `n${String(999 - i)}`)
  const pairs = names.map((name): [string, string] => [name, 'x'])
  const batch = decoded(rw2Of([withSample([...pairs, ['__name__', 'up']])]))
  expect(seriesOf(batch)[0]!.labels.map(([name]) => name)).toEqual([
    '__name__',
    ...names.toReversed(),
  ])

  const double = decoded(rw2Of([withSample([...pairs, ['__name__', 'up'], ['n950', 'y']])]))
  expect(rejectedOf(double)).toEqual({ 'label-duplicate': 1 })
})

test('G25: a symbol that stands twice in the table makes one identity', () => {
  const symbols = ['', '__name__', 'up', 'up', '__name__']
  const series = [
    [1, 2],
    [4, 3],
  ].map((labelsRefs) => ({ labelsRefs, samples: oneSample }))
  const batch = decoded(raw(symbols, ...series))
  expect(batch.seriesCount).toBe(2)
  expect(identityOf(batch, 1)).toBe(identityOf(batch, 0))
  const double = decoded(raw(symbols, { labelsRefs: [1, 2, 4, 3], samples: oneSample }))
  expect(rejectedOf(double)).toEqual({ 'label-duplicate': 1 })
})

test('G26, G27, G28, G30: what is wrong with a label set is named, and the rest goes on', () => {
  const batch = decoded(
    rw2Of([
      withSample({ job: 'node' }),
      withSample({ __name__: '', job: 'node' }),
      withSample([
        ['__name__', 'up'],
        ['a', '1'],
        ['a', '1'],
      ]),
      withSample({ __name__: 'up', '': 'x' }),
      withSample({ __name__: 'up' }),
    ]),
  )
  expect(batch.seriesCount).toBe(1)
  expect(rejectedOf(batch)).toEqual({ 'name-missing': 2, 'label-duplicate': 1, 'label-invalid': 1 })
  expect(batch.rejections.counts.samples).toBe(4)
  const examples = examplesOf(batch)
  expect(examples['name-missing']).toContain('"job"="node"')
  expect(examples['label-duplicate']).toContain('"a"')
  expect(examples['label-invalid']).toContain('empty name')
})

test('G29: a label without a value is the same as no label', () => {
  const batch = decoded(
    rw2Of([
      withSample({ __name__: 'up', env: '', job: 'a' }),
      withSample({ __name__: 'up', job: 'a' }),
    ]),
  )
  expect(seriesOf(batch)[0]!.labels).toEqual([
    ['__name__', 'up'],
    ['job', 'a'],
  ])
  expect(identityOf(batch, 0)).toBe(identityOf(batch, 1))
})

test('G31: a label that is not UTF-8 costs its series', () => {
  for (const bytes of ['fffe', 'c0af', 'eda080', 'f4908080', 'e282', '80']) {
    const body = Buffer.from(
      rw2Of([withSample({ __name__: 'up', a: 'x'.repeat(bytes.length / 2) })]),
    )
    const place = body.indexOf('x'.repeat(bytes.length / 2))
    body.set(Buffer.from(bytes, 'hex'), place)
    const batch = decoded(body)
    expect([batch.seriesCount, rejectedOf(batch)]).toEqual([0, { 'label-invalid': 1 }])
  }
})

test('G32: any UTF-8 makes a name, and any control character a value', () => {
  const labels = { __name__: 'resource cpu usage', 'job.name': 'a\n\0\u001b', '☃': '\u{1F600}' }
  const [series] = seriesOf(decoded(rw2Of([withSample(labels)])))
  expect(Object.fromEntries(series!.labels)).toEqual(labels)
})

test('G33: names are ordered by their UTF-8 bytes, not by UTF-16 units', () => {
  const labels: [string, string][] = [
    ['\u{1F600}', '1'],
    ['__name__', 'up'],
    ['\uFFFD', '2'],
  ]
  const [series] = seriesOf(decoded(rw2Of([withSample(labels)])))
  expect(series!.labels.map(([name]) => name)).toEqual(['__name__', '\uFFFD', '\u{1F600}'])
  expect(['\uFFFD', '\u{1F600}'].toSorted()).toEqual(['\u{1F600}', '\uFFFD'])
})

test('a series of more than 1024 labels is refused, and the next one is not', () => {
  const pairs = Array.from({ length: 1024 }, (_, i): [string, string] => [`n${i}`, 'x'])
  const batch = decoded(
    rw2Of([
      withSample([['__name__', 'up'], ...pairs]),
      withSample([['__name__', 'up'], ...pairs.slice(1)]),
    ]),
  )
  expect([batch.seriesCount, rejectedOf(batch)]).toEqual([1, { 'label-invalid': 1 }])
  expect(examplesOf(batch)['label-invalid']).toContain('more than 1024 labels')
})
