import fc from 'fast-check'
import { expect, test } from 'vitest'
import { negotiate, parseMediaType } from '../../src/receive/negotiate.ts'

const RW2 = 'io.prometheus.write.v2.Request'
const numRuns = Number(process.env['FC_RUNS'] ?? 100)

const status415 = { status: 415 }
const rw1 = { protocol: 'rw1' }
const rw2 = { protocol: 'rw2' }

test.for([
  ['application/x-protobuf', rw1],
  ['application/x-protobuf;proto=prometheus.WriteRequest', rw1],
  [`application/x-protobuf;proto=${RW2}`, rw2],
  [`application/x-protobuf; proto=${RW2}`, rw2],
  [`APPLICATION/X-Protobuf ;\tPROTO=${RW2}`, rw2],
  [`application/x-protobuf;proto="${RW2}"`, rw2],
  ['application/x-protobuf;proto="io.prometheus.write.\\v2.Request"', rw2],
  [`application/x-protobuf;charset=utf-8;proto=${RW2};q=1`, rw2],
  [`application/x-protobuf;note="a;proto=prometheus.WriteRequest";proto=${RW2}`, rw2],
  ['application/x-protobuf;', rw1],
  ['application/x-protobuf; charset=utf-8', rw1],
  ['  application/x-protobuf  ', rw1],
  ['', rw1],
  [`application/x-protobuf;proto=${RW2.toLowerCase()}`, status415],
  [`application/x-protobuf;proto= ${RW2}`, status415],
  [`application/x-protobuf;proto ="${RW2}"`, status415],
  ['application/x-protobuf;proto=', status415],
  ['application/x-protobuf;proto=""', status415],
  ['application/x-protobuf;proto', status415],
  ['application/x-protobuf;proto=foo.Bar', status415],
  ['application/x-protobuf;proto=toString', status415],
  [`application/x-protobuf;proto=${RW2};proto=prometheus.WriteRequest`, status415],
  [`application/x-protobuf;proto="${RW2}`, status415],
  [`application/x-protobuf proto=${RW2}`, status415],
  ['application/x-protobufs', status415],
  ['x-protobuf', status415],
  ['application/', status415],
  ['application/json', status415],
  ['application/x-protobuf, application/x-protobuf', status415],
] as const)('the Content-Type "%s" is %o', ([contentType, expected]) => {
  expect(negotiate('POST', { 'content-type': [contentType] })).toMatchObject(expected)
})

test.for([
  ['snappy', rw1],
  ['Snappy', rw1],
  [' SNAPPY ', rw1],
  ['', rw1],
  ['gzip', status415],
  ['deflate', status415],
  ['zstd', status415],
  ['identity', status415],
  ['snappy, snappy', status415],
  ['snappy, gzip', status415],
] as const)('the Content-Encoding "%s" is %o', ([encoding, expected]) => {
  expect(negotiate('POST', { 'content-encoding': [encoding] })).toMatchObject(expected)
})

test('without headers a POST is Remote Write 1.0 in snappy', () => {
  expect(negotiate('POST', {})).toEqual(rw1)
})

test('a header that comes twice is refused, also when both say the same', () => {
  const type = `application/x-protobuf;proto=${RW2}`
  expect(negotiate('POST', { 'content-type': [type, type] })).toMatchObject(status415)
  expect(negotiate('POST', { 'content-encoding': ['snappy', 'snappy'] })).toMatchObject(status415)
})

test.for(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'post', undefined])(
  'the method %s is 405, whatever the headers say',
  (method) => {
    const wrong = negotiate(method, { 'content-type': ['application/json'] })
    expect(wrong).toMatchObject({ status: 405, reason: expect.stringContaining('POST') })
  },
)

test('version headers decide nothing', () => {
  const headers = { 'x-prometheus-remote-write-version': ['0.1.0'] }
  const type = { 'content-type': [`application/x-protobuf;proto=${RW2}`] }
  expect(negotiate('POST', { ...headers, ...type })).toEqual(rw2)
})

const blank = fc.constantFrom('', ' ', '\t', '  ')
const mixedCase = (text: string) =>
  fc
    .array(fc.boolean(), { minLength: text.length, maxLength: text.length })
    .map((isUpper) =>
      [...text].map((c, i) => (isUpper[i] ? c.toUpperCase() : c.toLowerCase())).join(''),
    )
const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,8}$/)
const quotedText = fc.string({ unit: 'grapheme-ascii', maxLength: 12 })
const quoted = (text: string) => `"${text.replace(/["\\]/g, '\\$&')}"`
const other = fc
  .tuple(
    token.filter((name) => name.toLowerCase() !== 'proto'),
    fc.oneof(
      token.map((value) => ({ value, text: value })),
      quotedText.map((value) => ({ value, text: quoted(value) })),
    ),
  )
  .map(([name, { value, text }]) => ({ name, value, text }))

test('case, blanks, quotes and other parameters change nothing of what a Content-Type says', () => {
  fc.assert(
    fc.property(
      mixedCase('application/x-protobuf'),
      mixedCase('proto'),
      fc.constantFrom(RW2, quoted(RW2)),
      fc.array(other, { maxLength: 3 }),
      fc.nat(3),
      blank,
      blank,
      (type, name, value, others, place, before, after) => {
        const parameters = others
          .map(({ name, text }) => `${name}=${text}`)
          .toSpliced(place, 0, `${name}=${value}`)
        const text = [type, ...parameters].join(`${before};${after}`)
        expect(negotiate('POST', { 'content-type': [text] })).toEqual(rw2)
      },
    ),
    { numRuns },
  )
})

test('a media type is read back as it was written, escapes undone', () => {
  fc.assert(
    fc.property(token, token, fc.array(other, { maxLength: 4 }), (type, subtype, others) => {
      const text = [`${type}/${subtype}`, ...others.map((one) => `${one.name}=${one.text}`)].join(
        '; ',
      )
      expect(parseMediaType(text)).toEqual({
        type: `${type}/${subtype}`.toLowerCase(),
        parameters: others.map(({ name, value }) => [name.toLowerCase(), value]),
      })
    }),
    { numRuns },
  )
})

test('any text at all is read or refused, and a refusal says why', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const negotiated = negotiate('POST', { 'content-type': [text] })
      if (text.trim() === '') expect(negotiated).toEqual(rw1)
      else expect(negotiated).toMatchObject({ status: 415, reason: expect.stringMatching(/./) })
    }),
    { numRuns },
  )
})
