import { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import { readBody } from '../../src/receive/body.ts'
import { SlowBodies } from '../../src/receive/slow-bodies.ts'

/** A request that a test feeds. */
function bodyOf(announced: number | null): { request: IncomingMessage; feed(bytes: number): void } {
  const headers = announced === null ? { 'transfer-encoding': 'chunked' } : lengthOf(announced)
  const request = Object.assign(new EventEmitter(), {
    headers,
    complete: false,
    destroyed: false,
    pause: () => {},
  }) as unknown as IncomingMessage
  void readBody(request, { limitBytes: 1 << 25, grow: () => true })
  return { request, feed: (bytes) => request.emit('data', Buffer.alloc(bytes)) }
}

function lengthOf(bytes: number) {
  return { 'content-length': String(bytes) }
}

/** After how many seconds a body is cut off that comes so fast, or null. */
function cutAfter(announced: number | null, bytesPerSecond: number): number | null {
  const slow = new SlowBodies(60_000)
  expect(slow.lookMs).toBe(1_000)
  const { request, feed } = bodyOf(announced)
  for (let second = 1; second <= 60; second++) {
    feed(bytesPerSecond)
    if (slow.isTooSlow(request, false)) return second
  }
  return null
}

test.for([
  ['a byte a second', 1_000, 1, 11],
  ['nothing of 32 MiB', 1 << 25, 0, 11],
  ['what takes two minutes', 1_200_000, 10_000, 11],
  ['what is just in time', 600_000, 10_000, null],
  ['a small one that crawls', 20_000, 334, null],
  ['chunks, a byte a second', null, 1, 11],
  ['chunks, a kilobyte a second', null, 1_000, null],
] as const)('F40: of a body that sends %s, it is known after %s', ([, announced, rate, after]) => {
  expect(cutAfter(announced, rate)).toBe(after)
})

test('F40: while others are turned away, one that is behind is cut off at the second look', () => {
  const slow = new SlowBodies(60_000)
  const [behind, inTime] = [bodyOf(60_000), bodyOf(60_000)]
  for (const second of [1, 2]) {
    behind.feed(400)
    inTime.feed(1_000)
    expect(slow.isTooSlow(behind.request, true)).toBe(second === 2)
    expect(slow.isTooSlow(inTime.request, true)).toBe(false)
  }
})

test('F40: one that stops after a good start is found out before the deadline', () => {
  const slow = new SlowBodies(60_000)
  const { request, feed } = bodyOf(60_000)
  feed(30_000)
  let second = 1
  while (!slow.isTooSlow(request, false)) second += 1
  expect(second).toBe(32)
})

test('F40: a request whose body is whole, or which nobody reads, is not slow', () => {
  const slow = new SlowBodies(60_000)
  const whole = bodyOf(1_000).request
  whole.complete = true
  const unread = Object.assign(new EventEmitter(), { headers: {} }) as unknown as IncomingMessage
  for (let second = 0; second < 60; second++) {
    expect([slow.isTooSlow(whole, true), slow.isTooSlow(unread, true)]).toEqual([false, false])
  }
})
