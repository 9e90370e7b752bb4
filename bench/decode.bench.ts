import { createRemoteWrite1Decoder } from '../src/decode/remote-write-1.ts'
import { createRemoteWrite2Decoder } from '../src/decode/remote-write-2.ts'
import { createBatch } from '../src/model/batch.ts'
import { snappy } from '../src/wire/snappy.ts'
import { bench, type Case } from './harness.ts'
import { Load, PUSH_SAMPLES } from './load.ts'

/** Several, so that branches are not learnt by heart. */
const PUSHES = 20
const KEY = Uint32Array.of(1, 2, 3, 4)

function decoding(protocol: 'rw1' | 'rw2'): Case {
  const create = protocol === 'rw1' ? createRemoteWrite1Decoder : createRemoteWrite2Decoder
  const decode = create(KEY)
  const batch = createBatch()
  const series = PUSHES * PUSH_SAMPLES
  const load = new Load({ protocol, series, startMs: 1_700_000_000_000 })
  const messages = Array.from({ length: PUSHES }, (_, push) =>
    snappy.decompress(load.body(push, 0))!.slice(),
  )
  const run = (): number => {
    let samples = 0
    for (const message of messages) {
      const malformed = decode(message, batch)
      if (malformed !== null) throw new Error(malformed)
      samples += batch.sampleCount
    }
    return samples
  }
  return { name: `decode/${protocol}`, unit: 'sample', unitsPerRun: series, run }
}

await bench([decoding('rw1'), decoding('rw2')])
