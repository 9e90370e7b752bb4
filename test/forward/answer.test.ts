import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type Answer,
  type AnswerContext,
  classify,
  parseRetryAfter,
} from '../../src/forward/answer.ts'
import type { Counts } from '../../src/model/counts.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)
const NOW_MS = Date.parse('Tue, 14 Nov 2023 22:13:20 GMT')
const SENT = { samples: 5, histograms: 2, exemplars: 1 }
const NOTHING = { samples: 0, histograms: 0, exemplars: 0 }

function response(status: number, written: Counts | null = null, text = ''): Answer {
  return { kind: 'response', status, written, retryAfter: null, text }
}

function context(protocol: 'rw1' | 'rw2', everWorked = true): AnswerContext {
  return { protocol, sent: SENT, nowMs: NOW_MS, everWorked }
}

const kindOf = (status: number, protocol: 'rw1' | 'rw2', written: Counts | null = null) =>
  classify(response(status, written), context(protocol)).kind

test.each([
  [200, 'delivered', 'fallback', 'delivered'],
  [204, 'delivered', 'fallback', 'delivered'],
  [301, 'paused', 'paused', 'paused'],
  [307, 'paused', 'paused', 'paused'],
  [400, 'rejected', 'rejected', 'partial'],
  [401, 'paused', 'paused', 'paused'],
  [403, 'paused', 'paused', 'paused'],
  [404, 'paused', 'paused', 'paused'],
  [405, 'paused', 'paused', 'paused'],
  [408, 'retry', 'retry', 'retry'],
  [409, 'rejected', 'rejected', 'partial'],
  [413, 'rejected', 'rejected', 'partial'],
  [415, 'fallback', 'fallback', 'fallback'],
  [418, 'paused', 'paused', 'paused'],
  [422, 'rejected', 'rejected', 'partial'],
  [429, 'retry', 'retry', 'retry'],
  [500, 'retry', 'retry', 'retry'],
  [503, 'retry', 'retry', 'retry'],
])('%i means %s to 1.0, %s to 2.0 and %s to 2.0 with Written headers', (status, one, two, told) => {
  expect(kindOf(status, 'rw1')).toBe(one)
  expect(kindOf(status, 'rw2')).toBe(two)
  expect(kindOf(status, 'rw2', SENT)).toBe(told)
})

test('what the Written headers say only counts for 2.0', () => {
  const counts = fc.record({ samples: fc.nat(9), histograms: fc.nat(9), exemplars: fc.nat(9) })
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 599 }), counts, (status, written) => {
      const told = classify(response(status, written), context('rw1'))
      expect(told).toEqual(classify(response(status), context('rw1')))
    }),
    { numRuns },
  )
})

test('no answer but a success, a fallback or a clear refusal ends the retrying', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 100, max: 599 }).filter((status) => status < 200 || status > 299),
      fc.constantFrom('rw1', 'rw2'),
      (status, protocol) => {
        const { kind } = classify(response(status), context(protocol))
        const isFinal = [400, 409, 413, 422].includes(status)
        expect(kind === 'retry' || kind === 'paused').toBe(!isFinal && status !== 415)
      },
    ),
    { numRuns },
  )
})

test('counts lower than sent are a loss of the difference, and higher ones of nothing', () => {
  const written = { samples: 3, histograms: 2, exemplars: 7 }
  expect(classify(response(204, written), context('rw2'))).toEqual({
    kind: 'delivered',
    lost: { samples: 2, histograms: 0, exemplars: 0 },
  })
  expect(classify(response(204, NOTHING), context('rw2'))).toEqual({
    kind: 'delivered',
    lost: SENT,
  })
})

test('a 400 without Written headers is a fallback only until 2.0 has worked', () => {
  expect(classify(response(400), context('rw2', false)).kind).toBe('fallback')
  expect(classify(response(400), context('rw2', true)).kind).toBe('rejected')
  expect(classify(response(413), context('rw2', false)).kind).toBe('rejected')
})

test("a reason carries the receiver's words, and not more than 1 KiB of them", () => {
  const verdict = classify(response(400, null, ' out of order\n'), context('rw1'))
  expect(verdict).toEqual({ kind: 'rejected', reason: 'HTTP 400: out of order' })
  const long = classify(response(400, null, 'x'.repeat(5000)), context('rw1'))
  expect('reason' in long && long.reason.length).toBe('HTTP 400: '.length + 1024)
})

test('only an attempt that may have reached the receiver leaves its outcome open', () => {
  const failed = (maybeStored: boolean): Answer => ({ kind: 'failed', reason: 'x', maybeStored })
  expect(classify(failed(true), context('rw1'))).toMatchObject({ kind: 'retry', maybeStored: true })
  expect(classify(failed(false), context('rw1'))).toMatchObject({ maybeStored: false })
  expect(classify(response(504), context('rw1'))).toMatchObject({ maybeStored: true })
  expect(classify(response(503), context('rw1'))).toMatchObject({ maybeStored: false })
})

test.each([
  [null, 0],
  ['', 0],
  ['0', 0],
  ['2', 2_000],
  [' 7 ', 7_000],
  ['-5', 0],
  ['1.5', 0],
  ['1e3', 0],
  ['abc', 0],
  ['86400', 300_000],
  ['99999999999999999999999', 300_000],
  ['Tue, 14 Nov 2023 22:13:23 GMT', 3_000],
  ['Tuesday, 14-Nov-23 22:13:23 GMT', 3_000],
  ['Tue Nov 14 22:13:23 2023', 3_000],
  ['Tue, 14 Nov 2023 22:13:17 GMT', 0],
  ['Wed, 15 Nov 2023 22:13:20 GMT', 300_000],
  ['Tue, 99 Nov 2023 22:13:20 GMT', 0],
  ['Tuesday', 0],
])('F22: Retry-After %j means %i ms', (text, ms) => {
  expect(parseRetryAfter(text, NOW_MS)).toBe(ms)
})

test('F22: whatever stands in Retry-After, the wait is a number from 0 to five minutes', () => {
  fc.assert(
    fc.property(fc.string(), fc.nat(2 ** 31), (text, nowMs) => {
      const ms = parseRetryAfter(text, nowMs)
      expect(ms >= 0 && ms <= 300_000).toBe(true)
    }),
    { numRuns },
  )
})
