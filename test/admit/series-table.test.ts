import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SeriesTable } from '../../src/admit/series-table.ts'
import { identityOf } from '../support/rows.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)

const action = fc.record({
  kind: fc.constantFrom('insert', 'remove'),
  series: fc.nat(40),
})

test('finds exactly the series that a plain Map would hold', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 300 }), (actions) => {
      const table = new SeriesTable(24)
      const model = new Map<number, number>()
      for (const { kind, series } of actions) {
        const known = model.get(series)
        if (kind === 'remove') {
          if (known !== undefined) table.remove(known)
          model.delete(series)
        } else if (known === undefined) {
          const row = table.insert(identityOf(series), 0)
          expect(row === -1).toBe(model.size === 24)
          if (row >= 0) model.set(series, row)
        }
        expect(table.live).toBe(model.size)
        for (let other = 0; other <= 40; other++) {
          expect(table.find(identityOf(other), 0)).toBe(model.get(other) ?? -1)
        }
      }
      expect(new Set(model.values()).size).toBe(model.size)
    }),
    { numRuns },
  )
})

test('a row that is used again remembers nothing of the series before', () => {
  const table = new SeriesTable(1)
  const row = table.insert(identityOf(1), 0)
  table.newestMs[row] = 5
  table.newestBits[row * 2] = 6
  table.block[row] = 7
  table.exemplarMs[row] = 8
  table.intervalSeconds[row] = 9
  table.metadataEpoch[row] = 10
  table.remove(row)
  expect(table.insert(identityOf(2), 0)).toBe(row)
  expect(table.newestMs[row]).toBe(0)
  expect(table.newestBits[row * 2]).toBe(0)
  expect(table.block[row]).toBe(0)
  expect(table.exemplarMs[row]).toBe(0)
  expect(table.intervalSeconds[row]).toBe(0)
  expect(table.metadataEpoch[row]).toBe(0)
})

test('a series is forgotten after ten idle minutes, or ten of its intervals when those are longer', () => {
  const table = new SeriesTable(4)
  const quick = table.insert(identityOf(1), 0)
  const slow = table.insert(identityOf(2), 0)
  table.block[quick] = 3
  table.block[slow] = 4
  table.intervalSeconds[slow] = 120

  expect(table.sweep(4, 600)).toBe(0)
  expect(table.live).toBe(2)
  expect(table.sweep(4, 601)).toBe(3)
  expect(table.find(identityOf(1), 0)).toBe(-1)
  expect(table.sweep(4, 1200)).toBe(0)
  expect(table.sweep(4, 1201)).toBe(4)
  expect(table.live).toBe(0)
})

test('rows that are not used take no memory', () => {
  const before = process.memoryUsage().rss
  const tables = [1, 2, 3].map(() => new SeriesTable(5_000_000))
  for (const table of tables) table.insert(identityOf(1), 0)
  const reserved = 3 * 5_000_000 * 62
  expect(process.memoryUsage().rss - before).toBeLessThan(reserved / 4)
})
