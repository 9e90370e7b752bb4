import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bisect, type Guilt } from '../../src/forward/bisect.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)

/** Some of up to 300 items, at least one of them. */
const culprits = fc
  .integer({ min: 1, max: 300 })
  .chain((to) => fc.tuple(fc.constant(to), fc.uniqueArray(fc.nat(to - 1), { minLength: 1 })))

/** A receiver that takes a part as a whole or not at all. */
async function walk(to: number, bad: ReadonlySet<number>, requestsMax: number) {
  const taken: number[] = []
  let requests = 0
  const send = async (from: number, end: number) => {
    requests += 1
    const items = Array.from({ length: end - from }, (_, i) => from + i)
    const culprit = items.find((item) => bad.has(item))
    if (culprit !== undefined) return { kind: 'rejected', reason: `bad ${culprit}` } as const
    taken.push(...items)
    return { kind: 'delivered' } as const
  }
  const guilty = await bisect({ from: 0, to, reason: 'whole', send, requestsMax })
  return { guilty, taken, requests }
}

function itemsOf(guilty: Guilt[]): number[] {
  return guilty.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i))
}

test('finds exactly the guilty items, each with its own reason', async () => {
  await fc.assert(
    fc.asyncProperty(culprits, async ([to, items]) => {
      const { guilty } = await walk(to, new Set(items), Number.POSITIVE_INFINITY)
      expect(itemsOf(guilty)).toEqual(items.toSorted((a, b) => a - b))
      // Of a single item nothing was sent again, so the reason is that of the whole.
      if (to > 1) for (const { from, reason } of guilty) expect(reason).toBe(`bad ${from}`)
    }),
    { numRuns },
  )
})

test('every other item is taken once, and in order', async () => {
  await fc.assert(
    fc.asyncProperty(culprits, async ([to, items]) => {
      const { taken } = await walk(to, new Set(items), Number.POSITIVE_INFINITY)
      const good = Array.from({ length: to }, (_, i) => i).filter((item) => !items.includes(item))
      expect(taken).toEqual(good)
    }),
    { numRuns },
  )
})

test('with too few requests the rest is given up together, and nothing is missing', async () => {
  await fc.assert(
    fc.asyncProperty(culprits, fc.nat(20), async ([to, items], requestsMax) => {
      const { guilty, taken, requests } = await walk(to, new Set(items), requestsMax)
      expect(requests).toBeLessThanOrEqual(requestsMax)
      const all = [...taken, ...itemsOf(guilty)].toSorted((a, b) => a - b)
      expect(all).toEqual(Array.from({ length: to }, (_, i) => i))
    }),
    { numRuns },
  )
})

test('one bad item among n takes at most two requests per halving', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 2, max: 5000 }), fc.nat(), async (to, seed) => {
      const { requests } = await walk(to, new Set([seed % to]), Number.POSITIVE_INFINITY)
      expect(requests).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(to)))
    }),
    { numRuns },
  )
})
