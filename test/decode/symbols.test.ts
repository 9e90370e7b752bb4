import fc from 'fast-check'
import { expect, test } from 'vitest'
import { IS_FILLED, IS_UTF8, SymbolTable } from '../../src/decode/symbols.ts'
import { clearBatch, createBatch } from '../../src/model/batch.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)
const KEY = Uint32Array.of(1, 2, 3, 4)

/** Interns the strings of `parts` one after the other, and returns their symbols. */
function interned(parts: readonly Uint8Array[], table = new SymbolTable(KEY)) {
  const batch = createBatch()
  clearBatch(batch, Buffer.concat(parts))
  table.begin(batch)
  table.add(0, 0)
  let at = 0
  const symbols = parts.map((part) => {
    at += part.length
    return table.intern(at - part.length, at, 0)
  })
  return { batch, symbols, table }
}

const strings = fc.array(
  fc.oneof(
    fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 9 }).map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 9 }),
  ),
  { maxLength: 60 },
)

test('strings share a symbol when, and only when, they are equal', () => {
  const table = new SymbolTable(KEY)
  fc.assert(
    fc.property(strings, (parts) => {
      const { batch, symbols } = interned(parts, table)
      const places = new Map([['', 0]])
      const expected = parts.map((part) => {
        const text = Buffer.from(part).toString('hex')
        const place = places.get(text) ?? places.size
        places.set(text, place)
        return place
      })
      expect(symbols).toEqual(expected)
      expect(batch.symbolCount).toBe(places.size)
    }),
    { numRuns },
  )
})

test('a guess changes nothing, right or wrong', () => {
  fc.assert(
    fc.property(strings, fc.nat(), (parts, seed) => {
      const { batch, symbols, table } = interned(parts)
      let at = 0
      for (const [i, part] of parts.entries()) {
        at += part.length
        const guess = seed % batch.symbolCount
        expect(table.intern(at - part.length, at, guess)).toBe(symbols[i])
      }
    }),
    { numRuns },
  )
})

test('bytes are equal up to the first that differs, whatever numbers they would be', () => {
  const odd = fc.constantFrom(0, 0x80, 0x7f, 0xf0, 0xff, 1)
  fc.assert(
    fc.property(
      fc.array(odd, { minLength: 1, maxLength: 40 }),
      fc.nat(40),
      odd,
      (bytes, at, other) => {
        const changed = bytes.with(Math.min(at, bytes.length - 1), other)
        const both = Uint8Array.from([...bytes, ...changed])
        const batch = createBatch()
        clearBatch(batch, both)
        const table = new SymbolTable(Uint32Array.of(1, 2, 3, 4))
        table.begin(batch)
        const first = bytes.findIndex((byte, i) => byte !== changed[i])
        const equal = first < 0 ? bytes.length : first
        expect(table.commonBytes(0, bytes.length, bytes.length)).toBe(equal)
      },
    ),
    { numRuns },
  )
})

test('a symbol is text when the runtime decodes it, and knows the label of the name', () => {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const isText = (bytes: Uint8Array) => {
    try {
      decoder.decode(bytes)
      return true
    } catch {
      return false
    }
  }
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 6 }),
        fc.string().map((text) => Buffer.from(text)),
      ),
      (bytes) => {
        const { symbols, table } = interned([bytes])
        expect(table.traits[symbols[0]!]).toBe(
          (bytes.length > 0 ? IS_FILLED : 0) | (isText(bytes) ? IS_UTF8 : 0),
        )
      },
    ),
    { numRuns: numRuns * 3 },
  )
  const named = interned(
    ['__name__', '__name_', '__name__x', '__namE__'].map((text) => Buffer.from(text)),
  )
  const traits = named.symbols.map((symbol) => named.table.traits[symbol])
  expect(traits).toEqual([7, 5, 5, 5])
})

test('strings made to collide become symbols of their own, and do not slow the rest down', () => {
  // A difference in the topmost bit passes the multiplication as it is, appears once more
  // 15 bits below, and is taken back by the next word: 2^12 strings of one hash.
  const blocks = 12
  const colliding = Array.from({ length: 1 << blocks }, (_, choice) => {
    const bytes = Buffer.alloc(blocks * 8, 0x41)
    for (let block = 0; block < blocks; block++) {
      if (((choice >> block) & 1) === 0) continue
      bytes.writeUInt32LE(0xc1414141, block * 8)
      bytes.writeUInt32LE(0xc1404141, block * 8 + 4)
    }
    return bytes
  })

  const { batch, symbols } = interned([...colliding, ...colliding])
  const found = symbols.slice(1 << blocks).filter((symbol, i) => symbol === symbols[i])
  expect(found).toHaveLength(32)
  expect(batch.symbolCount).toBe(1 + 32 + 2 * ((1 << blocks) - 32))
  for (let i = 0; i < 1 << blocks; i++) {
    const digest = (symbol: number) => batch.symbolDigest.slice(symbol * 4, symbol * 4 + 4)
    expect(digest(symbols[i + (1 << blocks)]!)).toEqual(digest(symbols[i]!))
  }
})
