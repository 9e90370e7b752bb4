import { expect, test } from 'vitest'
import { OutcomeCache } from '../../src/relabel/outcome-cache.ts'
import { KEY } from '../support/decoding.ts'

/** All in one place of the table, to be told apart by their last word alone. */
const identityOf = (i: number) => Int32Array.of(5, 0, 0, i)

test('with no more room what is known stays known, and then all is forgotten for what is new', () => {
  const cache = new OutcomeCache(KEY, 3)
  const known = () => [1, 2, 3, 4, 5, 6].filter((i) => cache.get(identityOf(i)) !== undefined)
  for (const [i, after] of [
    [1, [1]],
    [2, [1, 2]],
    [3, [1, 2, 3]],
    [4, [1, 2, 3]],
    [5, [1, 2, 3]],
    [6, [6]],
    [1, [1, 6]],
  ] as const) {
    cache.add(identityOf(i), i % 2 === 0 ? 'dropped' : 'as it is')
    expect(known()).toEqual(after)
  }
  expect(cache.get(identityOf(6))).toBe('dropped')
  expect(cache.get(identityOf(1))).toBe('as it is')
  expect(cache.size).toBe(2)
})

test('what is equal is kept once', () => {
  const cache = new OutcomeCache(KEY, 3)
  const rewritten = () => cache.shared([0, cache.textOf('a'), cache.textOf('b')])
  expect(rewritten()).toBe(rewritten())
  expect(cache.shared([0, cache.textOf('b'), cache.textOf('a')])).not.toBe(rewritten())
})
