import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addressText, parseAddress, parseDurationMs, parseSize } from '../../src/base/units.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)

test('an address is read as it is written, with names, IPv4, IPv6 and no host', () => {
  const host = fc.oneof(fc.constant(''), fc.domain(), fc.ipV4(), fc.ipV6())
  fc.assert(
    fc.property(host, fc.nat(65_535), (name, port) => {
      expect(parseAddress(addressText({ host: name, port }))).toEqual({ host: name, port })
    }),
    { numRuns },
  )
})

test.for([
  ['0', 0],
  ['5ms', 5],
  ['30s', 30_000],
  ['1h30m', 5_400_000],
  ['1d', 86_400_000],
  ['2w', 14 * 86_400_000],
  ['1y', 365 * 86_400_000],
] as const)('%s lasts %i ms', ([text, ms]) => {
  expect(parseDurationMs(text)).toBe(ms)
})

test.for(['', '30', 's', '1.5h', '30m1h', '-1s', '1 s', '1H', '99999999999y'])(
  '"%s" is no duration',
  (text) => {
    expect(parseDurationMs(text)).toBeNull()
  },
)

test.for([
  ['0', 0],
  ['17', 17],
  ['1KB', 1_000],
  ['1KiB', 1_024],
  ['1.5 GiB', 1_610_612_736],
  ['20TB', 20e12],
] as const)('%s is %i bytes', ([text, bytes]) => {
  expect(parseSize(text)).toBe(bytes)
})

test.for(['', 'GiB', '1 XB', '-1', '1e3', '1gib', '9999999TiB'])('"%s" is no size', (text) => {
  expect(parseSize(text)).toBeNull()
})

test.for(['', '9201', 'host', 'host:', 'host:65536', 'a b:1', '::1:9201', 'http://x:1'])(
  '"%s" is no address',
  (text) => {
    expect(parseAddress(text)).toBeNull()
  },
)
