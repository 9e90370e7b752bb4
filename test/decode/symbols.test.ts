import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addSymbol, internSymbol } from '../../src/decode/symbols.ts'
import { IS_FILLED, IS_UTF8 } from '../../src/kernel/layout.ts'
import { clearBatch, createBatch } from '../../src/model/batch.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)
const KEY = Uint32Array.of(1, 2, 3, 4)

/** Interns the strings of `parts` one after the other, and returns their symbols. */
function interned(parts: readonly Uint8Array[], batch = createBatch()) {
  clearBatch(batch, Buffer.concat(parts))
  batch.kernel.beginRequest(KEY)
  addSymbol(batch, 0, 0)
  let at = 0
  const symbols = parts.map((part) => {
    at += part.length
    return internSymbol(batch, at - part.length, at, 0)
  })
  return { batch, symbols }
}

const strings = fc.array(
  fc.oneof(
    fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 9 }).map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 9 }),
  ),
  { maxLength: 60 },
)

test('strings share a symbol when, and only when, they are equal', () => {
  const reused = createBatch()
  fc.assert(
    fc.property(strings, (parts) => {
      const { batch, symbols } = interned(parts, reused)
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
      const { batch, symbols } = interned(parts)
      let at = 0
      for (const [i, part] of parts.entries()) {
        at += part.length
        const guess = seed % batch.symbolCount
        expect(internSymbol(batch, at - part.length, at, guess)).toBe(symbols[i])
      }
    }),
    { numRuns },
  )
})

test('a symbol is text when the runtime decodes it, and knows the label of the name', () => {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const reused = createBatch()
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
        const { batch, symbols } = interned([bytes], reused)
        expect(batch.symbolTraits[symbols[0]!]).toBe(
          (bytes.length > 0 ? IS_FILLED : 0) | (isText(bytes) ? IS_UTF8 : 0),
        )
      },
    ),
    { numRuns: numRuns * 3 },
  )
  const named = interned(
    ['__name__', '__name_', '__name__x', '__namE__'].map((text) => Buffer.from(text)),
  )
  const traits = named.symbols.map((symbol) => named.batch.symbolTraits[symbol])
  expect(traits).toEqual([7, 5, 5, 5])
})

test('strings made to collide become symbols of their own, and do not slow the rest down', () => {
  // Whatever the first word of a block makes of the state, the second one takes it back.
  const blocks = 12
  const mixed = (word: bigint) => {
    const product = BigInt.asUintN(64, word * 0x9e37_79b9_7f4a_7c15n)
    return product ^ (product >> 29n)
  }
  const colliding = Array.from({ length: 1 << blocks }, (_, choice) => {
    const bytes = Buffer.alloc(blocks * 16)
    let state = BigInt(bytes.length)
    for (let block = 0; block < blocks; block++) {
      const first = BigInt((choice >> block) & 1)
      const second = mixed(state ^ first)
      bytes.writeBigUInt64LE(first, block * 16)
      bytes.writeBigUInt64LE(second, block * 16 + 8)
      state = mixed(0n)
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
