import { expect, test } from 'vitest'
import { createPushDigest } from '../../src/admit/push-digest.ts'

const digest = createPushDigest(Uint32Array.of(1, 2, 3, 4))

test('the same bytes by another protocol or from another cluster are another push', () => {
  const body = Buffer.from('body')
  const digests = [digest('rw1', 'a', body), digest('rw2', 'a', body), digest('rw2', 'b', body)]
  expect(new Set(digests.map((one) => one.join())).size).toBe(3)
})

test('one bit more or less, one byte more, or another key, and it is another push', () => {
  const body = Buffer.alloc(40, 7)
  const digests = [
    digest('rw2', 'a', body),
    digest('rw2', 'a', Buffer.concat([body, Buffer.of(0)])),
    digest('rw2', 'a', Buffer.concat([body.subarray(1), Buffer.of(6)])),
    createPushDigest(Uint32Array.of(1, 2, 3, 5))('rw2', 'a', body),
  ]
  expect(new Set(digests.map((one) => one.join())).size).toBe(4)
})
