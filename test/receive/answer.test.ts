import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Outcome } from '../../src/model/outcome.ts'
import {
  answerOutcome,
  answerTooLarge,
  overload,
  REASON_BYTES_MAX,
  refusal,
  retryAfterSeconds,
} from '../../src/receive/answer.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)
const written = { samples: 1, histograms: 2, exemplars: 3 }
const TEXT = { 'Content-Type': 'text/plain; charset=utf-8' }
const RETRY = { 'Retry-After': 6 }

const table: [Outcome, number, number[], { [name: string]: string | number }, string][] = [
  [{ kind: 'accepted', written }, 204, [1, 2, 3], {}, ''],
  [
    { kind: 'partial', written, rejectedPoints: 0, reason: 'one late' },
    400,
    [1, 2, 3],
    TEXT,
    'one late\n',
  ],
  [{ kind: 'malformed', reason: 'no snappy' }, 400, [0, 0, 0], TEXT, 'no snappy\n'],
  [{ kind: 'backlogged', reason: 'full' }, 503, [0, 0, 0], { ...TEXT, ...RETRY }, 'full\n'],
]

test.for(table)(
  '%o is answered %i, by 2.0 with its counts',
  ([outcome, status, counts, ...rest]) => {
    const [headers, body] = rest
    const [samples, histograms, exemplars] = counts
    expect(answerOutcome(outcome, 'rw2', 0.5)).toEqual({
      status,
      headers: {
        'X-Prometheus-Remote-Write-Samples-Written': samples,
        'X-Prometheus-Remote-Write-Histograms-Written': histograms,
        'X-Prometheus-Remote-Write-Exemplars-Written': exemplars,
        ...headers,
      },
      body,
    })
    // A 1.0 sender would take the counts for its own.
    expect(answerOutcome(outcome, 'rw1', 0.5)).toEqual({ status, headers, body })
  },
)

test('a body over the limit is 413 with zeros, and the text names the limit', () => {
  const answer = answerTooLarge(1000, 'rw2')
  expect(answer).toMatchObject({ status: 413, body: expect.stringContaining('1000 bytes') })
  expect(answer.headers).toMatchObject({ 'X-Prometheus-Remote-Write-Samples-Written': 0 })
  expect(answer.headers).not.toHaveProperty('Retry-After')
  expect(answerTooLarge(1000, 'rw1').headers).toEqual(TEXT)
})

test('an overload says when to come back, in whole seconds spread over half to one and a half', () => {
  const seconds = (random: number) => overload('busy', 'rw1', random).headers['Retry-After']
  const all = Array.from({ length: 100 }, (_, i) => seconds(i / 100))
  expect(new Set(all)).toEqual(new Set([3, 4, 5, 6, 7, 8, 9]))
  expect(retryAfterSeconds(0)).toBe(3)
  expect(retryAfterSeconds(1 - Number.EPSILON)).toBe(9)
})

test.for([
  [1, 1, 2],
  [2, 1, 3],
  [10, 5, 15],
  [50, 25, 60],
  [60, 30, 60],
] as const)('F51: who may find room in %i s comes back after %i to %i', ([wait, least, most]) => {
  const all = Array.from({ length: 1_000 }, (_, i) => retryAfterSeconds(i / 1_000, wait))
  const expected = Array.from({ length: most - least + 1 }, (_, i) => least + i)
  expect(new Set(all)).toEqual(new Set(expected))
  // None of them is preferred: nobody meets more of the others than he must.
  for (const seconds of expected) {
    const share = all.filter((one) => one === seconds).length / all.length
    expect(share).toBeCloseTo(1 / expected.length, 1)
  }
})

test('whatever a sender sent, the text is whole UTF-8 of bounded length with no controls', () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.string({
      unit: fc.constantFrom('\u0000', '\u001b', '\u0085', '\r', '\n', '\u{1F525}', 'é'),
    }),
    // Lone halves of surrogate pairs.
    fc.array(fc.integer({ min: 0, max: 0xffff })).map((codes) => String.fromCharCode(...codes)),
  )
  fc.assert(
    fc.property(hostile, fc.constantFrom(1, 500, 5_000), (piece, times) => {
      const { body } = refusal(400, piece.repeat(times))
      const bytes = Buffer.from(body)
      expect(bytes.length).toBeLessThanOrEqual(REASON_BYTES_MAX)
      expect(new TextDecoder('utf-8', { fatal: true }).decode(bytes)).toBe(body)
      expect(body.isWellFormed()).toBe(true)
      expect(body.at(-1)).toBe('\n')
      expect(body).not.toMatch(/[^\P{Cc}\n]/u)
    }),
    { numRuns },
  )
})

test('a short text is told as it is, and its control characters can be recognised', () => {
  expect(refusal(400, 'label "é\u{1F525}"\nis bad').body).toBe('label "é\u{1F525}"\nis bad\n')
  expect(refusal(400, 'a\u001b[31m\u0000\r\tb\u0085').body).toBe(
    'a\\x1b[31m\\x00\\x0d\\x09b\\x85\n',
  )
})
