import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  BLOCK,
  INTERVAL_SECONDS,
  ROW_DOUBLES,
  ROW_WORDS,
  SeriesTable,
} from '../../src/admit/series-table.ts'
import { identityOf } from '../support/rows.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)

/** As identities are: every word of its own. */
const spreadIdentityOf = (series: number) =>
  Uint32Array.of(series, 1, 2, Math.imul(series, 0x9e37_79b1) >>> 8)

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

test('finds all that it holds while it grows, whatever goes and comes meanwhile', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(4_000), { minLength: 1, maxLength: 200 }), (removals) => {
      const table = new SeriesTable(5_000)
      const model = new Map<number, number>()
      for (let series = 0; series < 4_000; series++) {
        model.set(series, table.insert(spreadIdentityOf(series), 0))
        // Some of them go at once, some late, and their rows are used again.
        const gone = removals[series % removals.length]!
        const row = model.get(gone)
        if (row === undefined || series % 3 === 0) continue
        table.remove(row)
        model.delete(gone)
        if (series % 50 !== 0) continue
        for (let other = 0; other <= series; other++) {
          const found = table.find(spreadIdentityOf(other), 0)
          expect([other, found]).toEqual([other, model.get(other) ?? -1])
        }
      }
      for (const [series, row] of model) {
        expect(table.find(spreadIdentityOf(series), 0)).toBe(row)
      }
      expect(table.live).toBe(model.size)
    }),
    { numRuns: Math.ceil(numRuns / 20) },
  )
})

test('a row that is used again remembers nothing of the series before', () => {
  const table = new SeriesTable(1)
  const row = table.insert(identityOf(1), 0)
  for (let i = 4; i < ROW_WORDS; i++) table.words[row * ROW_WORDS + i] = i
  table.remove(row)
  expect(table.findAfter(-1, identityOf(1), 0)).toBe(-1)
  expect(table.insert(identityOf(2), 0)).toBe(row)
  expect([...table.words.subarray(4, ROW_WORDS)]).toEqual(Array(ROW_WORDS - 4).fill(0))
})

test('which series came before changes nothing but the time that it takes', () => {
  const lookup = fc.record({ before: fc.integer({ min: -1, max: 63 }), series: fc.nat(40) })
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(40)), fc.array(lookup), (inserted, lookups) => {
      const table = new SeriesTable(64)
      for (const one of inserted) table.insert(identityOf(one), 0)
      for (const { before, series } of lookups) {
        const identity = identityOf(series)
        expect(table.findAfter(before, identity, 0)).toBe(table.find(identity, 0))
      }
    }),
    { numRuns },
  )
})

test('each row leads to the one that came after it, whatever rows new series were given', () => {
  fc.assert(
    fc.property(fc.array(fc.uniqueArray(fc.nat(40), { minLength: 1 })), (pushes) => {
      const table = new SeriesTable(64)
      for (const series of pushes) {
        let before = -1
        const rows = series.map((one) => {
          const known = table.findAfter(before, identityOf(one), 0)
          before = known < 0 ? table.insert(identityOf(one), 0, before) : known
          return before
        })
        const led = rows.slice(0, -1).map((row) => row + 1 + table.skips[row]!)
        expect(led).toEqual(rows.slice(1))
        // Every other one is gone, and its row free for another.
        for (const row of rows.filter((_, i) => i % 2 === 0)) table.remove(row)
      }
    }),
    { numRuns },
  )
})

test('a series is forgotten after ten idle minutes, or ten of its intervals when those are longer', () => {
  const table = new SeriesTable(4)
  const quick = table.insert(identityOf(1), 0)
  const slow = table.insert(identityOf(2), 0)
  table.doubles[quick * ROW_DOUBLES + BLOCK] = 3
  table.doubles[slow * ROW_DOUBLES + BLOCK] = 4
  table.words[slow * ROW_WORDS + INTERVAL_SECONDS] = 120

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
  const reserved = 3 * 5_000_000 * 64
  expect(process.memoryUsage().rss - before).toBeLessThan(reserved / 4)
})
