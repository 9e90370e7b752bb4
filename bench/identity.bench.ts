import { DIGEST_WORDS } from '../src/model/batch.ts'
import { addLabel, createIdentitySum, digestBytes } from '../src/model/identity.ts'
import { bench } from './harness.ts'

const SYMBOLS = 1_000
const LABELS = 12
const key = Uint32Array.of(1, 2, 3, 4)
const texts = Array.from({ length: SYMBOLS }, (_, i) => Buffer.from(`node_cpu_seconds_total_${i}`))
const digests = new Uint32Array(SYMBOLS * DIGEST_WORDS)
const sum = createIdentitySum()

function digestAll(): number {
  for (let i = 0; i < SYMBOLS; i++) {
    digestBytes(key, texts[i]!, 0, texts[i]!.length, digests, i * DIGEST_WORDS)
  }
  return digests.at(-1)!
}

function sumUp(): number {
  for (let symbol = 0; symbol + LABELS < SYMBOLS; symbol++) {
    sum.fill(0)
    for (let i = 0; i < LABELS; i++) addLabel(sum, digests, symbol, symbol + i)
  }
  return sum[3]!
}

await bench([
  { name: 'identity/digest', unit: 'symbol', unitsPerRun: SYMBOLS, run: digestAll },
  { name: 'identity/sum', unit: 'label', unitsPerRun: (SYMBOLS - LABELS) * LABELS, run: sumUp },
])
