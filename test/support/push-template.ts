import { assert } from '../../src/base/errors.ts'
import { snappy } from '../../src/wire/snappy.ts'
import { rw2Of, type SeriesLiteral } from './remote-write.ts'

/**
 * A Remote Write 2.0 request of which only the time changes, for tests that send it often: it is
 * encoded once. All its samples have the time `startMs`, which a request has plus `tick`.
 */
export function pushTemplate(
  series: readonly SeriesLiteral[],
  startMs: number,
): (tick: number) => Uint8Array {
  const raw = Buffer.from(rw2Of(series))
  const wanted = varint(startMs)
  const places: number[] = []
  for (let at = raw.indexOf(wanted); at !== -1; at = raw.indexOf(wanted, at + 1)) places.push(at)
  const samples = series.reduce((sum, one) => sum + (one.samples?.length ?? 0), 0)
  assert(places.length === samples, 'the time stands where samples are, and nowhere else')
  return (tick) => {
    const bytes = varint(startMs + tick)
    assert(bytes.length === wanted.length, 'times of one length')
    for (const at of places) raw.set(bytes, at)
    return snappy.compress(raw)
  }
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  for (let left = BigInt(value); left > 0n; left >>= 7n) {
    bytes.push(Number(left & 127n) | (left > 127n ? 128 : 0))
  }
  return Buffer.from(bytes)
}
