import { expect, test } from 'vitest'
import { snappy } from '../../src/wire/snappy.ts'
import { RW2_TYPE, withGateway } from '../support/gateway.ts'
import { rw2Of, type SeriesLiteral } from '../support/remote-write.ts'

const timestamp = Date.now()

function manySeries(count: number, rest: Partial<SeriesLiteral> = {}): SeriesLiteral[] {
  return Array.from({ length: count }, (_, i) => ({
    labels: { __name__: 'up', instance: `host-${i}` },
    samples: [{ value: i, timestamp }],
    ...rest,
  }))
}

const bodyOf = (series: SeriesLiteral[]) => snappy.compress(rw2Of(series))

test('a plain 2.0 push that is kept as a whole goes out byte for byte as it came', () =>
  withGateway(async ({ post, receiver }) => {
    const body = bodyOf(manySeries(1_000))
    expect(await post(body, { 'Content-Type': RW2_TYPE })).toMatchObject({ status: 204 })
    await expect.poll(() => receiver.requests).toHaveLength(1)
    expect(receiver.requests[0]!.body).toEqual(Buffer.from(body))
    expect(receiver.series.size).toBe(1_000)
  }))

test.for([
  ['has a sample that came before', [...manySeries(1_000), manySeries(1)[0]!]],
  ['has a start timestamp', manySeries(1_000, { createdTimestamp: timestamp - 1 })],
  ['has an exemplar', manySeries(1_000, { exemplars: [{ value: 1, timestamp }] })],
  [
    'has labels out of order',
    manySeries(1_000, {
      labels: [
        ['b', '1'],
        ['__name__', 'up'],
      ],
    }),
  ],
] as const)('a push is written anew when it %s', ([, series]) =>
  withGateway(async ({ post, receiver }) => {
    const body = bodyOf([...series])
    expect(await post(body, { 'Content-Type': RW2_TYPE })).toMatchObject({ status: 204 })
    await expect.poll(() => receiver.requests).toHaveLength(1)
    expect(receiver.requests[0]!.body).not.toEqual(Buffer.from(body))
  }),
)

test('a push with a field that is not known goes out without it', () =>
  withGateway(async ({ post, receiver }) => {
    const known = rw2Of(manySeries(1_000))
    const body = snappy.compress(Buffer.concat([known, Uint8Array.of(0x7a, 1, 65)]))
    expect(await post(body, { 'Content-Type': RW2_TYPE })).toMatchObject({ status: 204 })
    await expect.poll(() => receiver.requests).toHaveLength(1)
    const forwarded = Buffer.from(snappy.decompress(receiver.requests[0]!.body)!)
    expect(forwarded.includes(Buffer.of(0x7a, 1, 65))).toBe(false)
    expect(receiver.series.size).toBe(1_000)
  }))
