import { Admission } from '../src/admit/admission.ts'
import { createRemoteWrite1Decoder } from '../src/decode/remote-write-1.ts'
import { createBatch } from '../src/model/batch.ts'
import { BlockBuilder } from '../src/persist/block-builder.ts'
import { snappy } from '../src/wire/snappy.ts'
import { bench } from './harness.ts'
import { Load, PUSH_SAMPLES } from './load.ts'

const KEY = Uint32Array.of(1, 2, 3, 4)
const NOW_MS = 1_700_000_000_000
const load = new Load({ protocol: 'rw1', series: PUSH_SAMPLES, startMs: NOW_MS })
const batch = createBatch()
createRemoteWrite1Decoder(KEY)(snappy.decompress(load.body(0, 0))!.slice(), batch)
const admission = new Admission({ seriesMax: 10_000, outOfOrderWindowMs: 0, lastBlock: 0 })
const { seriesCount: toSeries, sampleCount: toSample } = batch
const slice = { fromSeries: 0, toSeries, fromSample: 0, toSample }
const judgement = admission.judge(batch, slice, 1, NOW_MS, 0)
const builder = new BlockBuilder(KEY, () => undefined)

/** One push into one block: what 1.0 costs on its way to 2.0. */
function build(): number {
  builder.begin(1, 'default', NOW_MS)
  builder.add(batch, slice, judgement)
  return builder.seal(0, 0).message.length
}

await bench([
  { name: 'block-builder/add and seal', unit: 'sample', unitsPerRun: PUSH_SAMPLES, run: build },
])
