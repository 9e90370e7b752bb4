import { SeriesTable } from '../src/admit/series-table.ts'
import { DIGEST_WORDS } from '../src/model/batch.ts'
import { bench } from './harness.ts'

const SERIES = 1_000_000
const identities = new Uint32Array(SERIES * DIGEST_WORDS)
for (let i = 0; i < identities.length; i++) identities[i] = Math.imul(i + 1, 0x9e3779b1) ^ (i << 7)

const table = new SeriesTable(SERIES)
for (let i = 0; i < SERIES; i++) table.insert(identities, i * DIGEST_WORDS)

/** As a sender brings them: each row knows the one that comes after it. */
function findInOrder(): number {
  let row = -1
  for (let i = 0; i < SERIES; i++) row = table.findAfter(row, identities, i * DIGEST_WORDS)
  return row
}

/** As if every series came from another sender. */
function findAtRandom(): number {
  let sum = 0
  for (let i = 0, series = 0; i < SERIES; i++) {
    series = (series + 514_229) % SERIES
    sum += table.find(identities, series * DIGEST_WORDS)
  }
  return sum
}

function removeAndInsert(): number {
  for (let row = 0; row < 1000; row++) {
    table.remove(row)
    table.insert(identities, row * DIGEST_WORDS)
  }
  return table.live
}

await bench([
  { name: 'series-table/find in order', unit: 'series', unitsPerRun: SERIES, run: findInOrder },
  { name: 'series-table/find at random', unit: 'series', unitsPerRun: SERIES, run: findAtRandom },
  { name: 'series-table/remove, insert', unit: 'series', unitsPerRun: 1000, run: removeAndInsert },
])
