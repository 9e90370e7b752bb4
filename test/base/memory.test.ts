import { expect, test } from 'vitest'
import { copyOf, release } from '../../src/base/memory.ts'

test('bytes that have their memory to themselves are empty after their release', () => {
  const bytes = new Uint8Array(1_000)
  release(bytes)
  expect(bytes.length).toBe(0)
  release(bytes)
})

test('bytes that share their memory are left alone', () => {
  const whole = new Uint8Array(8).fill(7)
  release(whole.subarray(0, 4))
  const pooled = Buffer.from('of a pool')
  release(pooled)
  expect(whole[0]).toBe(7)
  expect(pooled.toString()).toBe('of a pool')
})

test('a copy stays what it was when its source changes, of a Buffer too', () => {
  for (const source of [Buffer.from('abcd'), new Uint8Array(Buffer.from('abcd'))]) {
    const copy = copyOf(source, 1, 3)
    source.fill(0)
    expect(Buffer.from(copy).toString()).toBe('bc')
  }
})
