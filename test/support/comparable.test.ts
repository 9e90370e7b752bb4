import { expect, test } from 'vitest'
import { comparable } from './comparable.ts'
import { encodeHistogram } from './remote-write.ts'

const bitsOf = (spans: { offset: number; length: number }[], deltas: number[], sum = 1n) =>
  `histogram ${Buffer.from(
    encodeHistogram({ schema: 3, sum, positiveSpans: spans, positiveDeltas: deltas }),
  ).toString('hex')}`

test('empty buckets make no difference, and everything else does', () => {
  const short = bitsOf([{ offset: 4, length: 2 }], [3, -1])
  const long = bitsOf(
    [
      { offset: 2, length: 4 },
      { offset: 1, length: 1 },
    ],
    [0, 0, 3, -1, -2],
  )
  expect(long).not.toBe(short)
  expect(comparable(long)).toBe(comparable(short))
  const others = [
    bitsOf([{ offset: 5, length: 2 }], [3, -1]),
    bitsOf([{ offset: 4, length: 2 }], [3, -2]),
    bitsOf([{ offset: 4, length: 2 }], [3, -1], 2n),
  ]
  for (const other of others) expect(comparable(other)).not.toBe(comparable(short))
  expect(comparable('7ff8000000000002')).toBe('7ff8000000000002')
})
