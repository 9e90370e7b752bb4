import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addSymbol } from '../../src/decode/symbols.ts'
import { RAW_BYTES_MAX } from '../../src/kernel/layout.ts'
import { clearBatch, createBatch } from '../../src/model/batch.ts'
import { digestBytes } from '../../src/model/identity.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 100)
const ROOT = join(import.meta.dirname, '../..')

test('the kernel in the tree is what its source compiles to', { timeout: 60_000 }, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-kernel-'))
  try {
    const outFile = join(directory, 'kernel.wasm')
    const compiler = join(ROOT, 'node_modules/.bin/asc')
    const config = ['--config', 'src/kernel/asconfig.json']
    const args = [compiler, ...config, '--outFile', outFile]
    await promisify(execFile)(process.execPath, args, { cwd: ROOT })
    const committed = await readFile(join(ROOT, 'src/kernel/kernel.wasm'))
    expect(Buffer.compare(await readFile(outFile), committed)).toBe(0)
  } finally {
    await rm(directory, { recursive: true })
  }
})

test('the kernel digests a symbol as everybody else does', () => {
  const batch = createBatch()
  const expected = new Uint32Array(4)
  const word = fc.integer({ min: 0, max: 2 ** 32 - 1 })
  const keys = fc.tuple(word, word, word, word).map((words) => Uint32Array.from(words))
  fc.assert(
    fc.property(keys, fc.uint8Array({ maxLength: 40 }), fc.nat(8), (key, bytes, before) => {
      clearBatch(batch, Buffer.concat([new Uint8Array(before), bytes, Buffer.alloc(8, 0xff)]))
      batch.kernel.beginRequest(key)
      const symbol = addSymbol(batch, before, before + bytes.length)
      digestBytes(key, bytes, 0, bytes.length, expected, 0)
      const digest = batch.symbolDigest.slice(symbol * 4, symbol * 4 + 4)
      expect(digest).toEqual(expected)
    }),
    { numRuns: numRuns * 3 },
  )
})

test('a body that is larger than the memory for it is refused, and not cut', () => {
  const batch = createBatch()
  expect(() => clearBatch(batch, new Uint8Array(RAW_BYTES_MAX + 1))).toThrow(RangeError)
  expect(batch.kernel.decompress(new Uint8Array(1), 1, RAW_BYTES_MAX + 1)).toBeNull()
})
