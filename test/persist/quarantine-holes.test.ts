import { expect, test } from 'vitest'
import { QuarantineHoles } from '../../src/persist/quarantine-holes.ts'

/** Of block `id`, with so many samples after so many. */
const entry = (id: number, samples: number, samplesBefore: number) => ({
  ...{ id, block: id, samples, samplesBefore },
  lost: { samples, histograms: 0, exemplars: 0 },
})

test('what was missing before a hole and was no entry is not counted to it', () => {
  const holes = new QuarantineHoles(1)
  // Nobody knows what 1 and 2 were; 4 was an entry, and it was taken out.
  holes.entry(3, entry(3, 5, 10), 10)
  holes.entry(5, entry(5, 1, 17), 17)
  holes.removed(6, [4])
  expect(holes.ids()).toEqual([4])
  expect(holes.open()).toEqual([])
})

test('an entry that is missing is told once, by the next one or by its seal', () => {
  const [one, two, three] = [entry(1, 1, 0), entry(2, 2, 1), entry(3, 4, 3)]
  const all = new QuarantineHoles(1)
  all.entry(1, one, one.samplesBefore)
  // Three at the same time: their seals stand behind all of them.
  all.entry(3, three, three.samplesBefore)
  for (const [i, sealed] of [one, two, three].entries()) all.sealed(4 + i, sealed)
  expect(all.open()).toEqual([{ samples: 2, fromBlock: 1, toBlock: 3 }])

  const noFirst = new QuarantineHoles(1)
  noFirst.entry(2, two, two.samplesBefore)
  noFirst.entry(3, three, three.samplesBefore)
  for (const [i, sealed] of [one, two, three].entries()) noFirst.sealed(4 + i, sealed)
  expect(noFirst.open()).toEqual([{ samples: 1, fromBlock: 1, toBlock: 1 }])

  const noLast = new QuarantineHoles(1)
  noLast.entry(1, one, one.samplesBefore)
  for (const [i, sealed] of [one, two, three].entries()) noLast.sealed(4 + i, sealed)
  expect(noLast.open()).toEqual([
    { samples: 2, fromBlock: 2, toBlock: 2 },
    { samples: 4, fromBlock: 3, toBlock: 3 },
  ])
  expect(noLast.samples).toBe(7)
})
