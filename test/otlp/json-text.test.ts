import fc from 'fast-check'
import { expect, test } from 'vitest'
import { jsonTextOf } from '../../src/otlp/json-text.ts'

const textOf = (json: string) => {
  const read = jsonTextOf(Buffer.from(json))
  return 'text' in read ? read.text : read.problem
}

test('whatever the JSON, only its long integers come out in quotes', () =>
  fc.assert(
    fc.property(fc.jsonValue(), fc.nat(3), (value, blanks) => {
      const json = JSON.stringify(value, null, blanks)
      const isLong = (_key: string, each: unknown) =>
        typeof each === 'number' && /^-?\d{16,}$/.test(String(each)) ? String(each) : each
      expect(JSON.parse(textOf(json))).toEqual(JSON.parse(JSON.stringify(value, isLong)))
    }),
  ))

test.for([
  ['[1234567890123456]', '["1234567890123456"]'],
  ['[123456789012345]', '[123456789012345]'],
  ['[-1234567890123456,1.5e300]', '["-1234567890123456",1.5e300]'],
  ['[12345678901234567.5,1e1000000000000000]', '[12345678901234567.5,1e1000000000000000]'],
  ['{"1234567890123456":1}', '{"1234567890123456":1}'],
  [String.raw`{"\"1234567890123456":" \\",1234567890123456`, null],
  ['{"é\u{1F600}": 1234567890123456 }', '{"é\u{1F600}": "1234567890123456" }'],
  [String.raw`"1234567890123456\"1234567890123456`, null],
  ['', ''],
] as const)('%s', ([json, text]) => {
  if (text !== null) expect(textOf(json)).toBe(text)
  else expect(textOf(json)).toBe(json.replace(/,(\d+)$/, ',"$1"'))
})

test('what nests or counts without end is told before it is parsed', () => {
  expect(textOf('['.repeat(256) + ']'.repeat(256))).toHaveLength(512)
  expect(textOf('['.repeat(257))).toBe('the body is nested deeper than 256')
  expect(textOf('{"":'.repeat(257))).toBe('the body is nested deeper than 256')
  expect(textOf('0,'.repeat(2 ** 22 + 1))).toBe('the body has more than 4194304 values')
})

test.for(['"\\', '"', '\\"', '[', '{},', '-', '1', '"1234567890123456",', '1234567890123456,'])(
  'a body of nothing but %j takes time in proportion to its length',
  (piece) => {
    const timeOf = (bytes: number) => {
      const body = Buffer.from(piece.repeat(bytes / piece.length))
      const startMs = performance.now()
      jsonTextOf(body)
      return performance.now() - startMs
    }
    timeOf(1 << 16)
    // A quadratic one would take four thousand times as long; the machine may be busy.
    expect(timeOf(1 << 22)).toBeLessThan(1_000 + 500 * timeOf(1 << 16))
  },
)
