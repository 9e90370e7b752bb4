import { expect, test } from 'vitest'
import type { Clock } from '../../src/base/clock.ts'
import { createLogger } from '../../src/base/log.ts'

function logging({ isTTY = false } = {}) {
  const lines: string[] = []
  const time = { ms: 0 }
  const clock: Clock = {
    nowMs: () => time.ms,
    monotonicMs: () => time.ms,
    sleep: async () => {},
  }
  const destination = { write: (line: string) => lines.push(line), isTTY }
  const log = createLogger({ level: 'info', destination, clock })
  return { log, lines, time, events: () => lines.map((line) => JSON.parse(line)) }
}

test('an event is one line of JSON with its level, its time and its fields', () => {
  const { log, lines, events } = logging()
  log.warn('cannot send', { destination: 'central', tries: 2 })
  expect(lines).toHaveLength(1)
  expect(lines[0]!.endsWith('\n')).toBe(true)
  expect(events()).toEqual([
    {
      level: 'warn',
      time: '1970-01-01T00:00:00.000Z',
      destination: 'central',
      tries: 2,
      message: 'cannot send',
    },
  ])
})

test('the same event is written every ten seconds, and says how many were left out', () => {
  const { log, time, events } = logging()
  for (time.ms = 0; time.ms < 20_001; time.ms += 1_000) log.info('again')
  log.info('another')
  expect(events().map(({ message, suppressed }) => [message, suppressed])).toEqual([
    ['again', undefined],
    ['again', 9],
    ['again', 9],
    ['another', undefined],
  ])
})

test('a child throttles on its own, so that one destination does not hide another', () => {
  const { log, events } = logging()
  for (const destination of ['one', 'other']) log.child({ destination }).warn('slow')
  expect(events().map(({ destination }) => destination)).toEqual(['one', 'other'])
})

test('no secret is written, wherever it lies', () => {
  const { log, lines } = logging()
  log.error('failed', {
    password: 'secret',
    request: { authorization: 'secret', headers: { cookie: 'secret' } },
    url: 'http://user:secret@central/write',
    error: Object.assign(new Error('at http://me:secret@central'), { token: 'secret' }),
  })
  expect(lines.join()).not.toContain('secret')
  expect(lines.join()).toContain('//[hidden]@central')
})

test('an error is written with its code, its cause and where it came from', () => {
  const { log, events } = logging()
  const cause = new Error('disk is full')
  log.error('stopped', { error: Object.assign(new Error('no', { cause }), { code: 'ENOSPC' }) })
  expect(events()[0]).toMatchObject({
    error: { code: 'ENOSPC', message: 'no', cause: 'disk is full' },
  })
})

test('on a terminal an event is for people, and cannot steer the terminal', () => {
  const { log, lines } = logging({ isTTY: true })
  log.info('refused', { reason: 'red \u001b[31m text' })
  expect(lines).toEqual(['00:00:00.000 INFO  refused  reason="red \\u001b[31m text"\n'])
})
