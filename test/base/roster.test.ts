import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Roster, type Seat } from '../../src/base/roster.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)

/** Each is the place of one who leaves; where nobody has that place, somebody comes. */
const steps = fc.array(fc.nat(8), { maxLength: 60 })

test('a roster has those who came and did not leave, in whatever order they left', () => {
  fc.assert(
    fc.property(steps, (places) => {
      const roster = new Roster<number>()
      const present = new Map<number, Seat<number>>()
      for (const [step, place] of places.entries()) {
        const leaving = [...present.keys()][place]
        if (leaving === undefined) present.set(step, roster.add(step))
        else {
          roster.remove(present.get(leaving)!)
          present.delete(leaving)
        }
        const members = roster.seats.map(({ member }) => member)
        expect(members.toSorted((one, other) => one - other)).toEqual([...present.keys()])
        expect(roster.size).toBe(present.size)
      }
    }),
    { numRuns },
  )
})

test('who left before, alone or with all, takes nobody with him', () => {
  const roster = new Roster<string>()
  const first = roster.add('first')
  roster.add('second')
  roster.remove(first)
  roster.remove(first)
  expect(roster.seats.map(({ member }) => member)).toEqual(['second'])

  const [second] = roster.seats
  roster.clear()
  roster.add('third')
  roster.remove(second!)
  expect(roster.seats.map(({ member }) => member)).toEqual(['third'])
})
