/**
 * The way of a push through one thread, stage by stage, without HTTP and disk:
 * `node bench/path.bench.ts rw1|rw2 [series] [rounds] [encode]`. Prints nanoseconds per sample,
 * the first decile of all pushes, which a busy machine disturbs least.
 */
import { Admission } from '../src/admit/admission.ts'
import { createRemoteWrite1Decoder } from '../src/decode/remote-write-1.ts'
import { createRemoteWrite2Decoder } from '../src/decode/remote-write-2.ts'
import { createBatch } from '../src/model/batch.ts'
import { createDigestKey } from '../src/model/identity.ts'
import { BlockBuilder } from '../src/persist/block-builder.ts'
import { decompressInto } from '../src/wire/snappy.ts'
import { Load } from './load.ts'

const [protocol = 'rw2', seriesText = '100000', roundsText = '8', encode] = process.argv.slice(2)
const series = Number(seriesText)
const rounds = Number(roundsText)
const WARM_UP_ROUNDS = 2

const load = new Load({
  protocol: protocol === 'rw1' ? 'rw1' : 'rw2',
  series,
  startMs: Date.now() - 3_600_000,
})
const key = createDigestKey()
const decode = protocol === 'rw1' ? createRemoteWrite1Decoder(key) : createRemoteWrite2Decoder(key)
const batch = createBatch()
const builder = new BlockBuilder(key, () => undefined)
const admission = new Admission({
  seriesMax: Math.max(1_000, series * 1.2),
  outOfOrderWindowMs: 0,
  lastBlock: 0,
})

const laps = new Map<string, number[]>()
let lapStart = 0n
let isWarm = false

function lap(stage: string): void {
  const now = process.hrtime.bigint()
  if (isWarm) {
    const list = laps.get(stage) ?? []
    list.push(Number(now - lapStart) / load.pushSamples)
    laps.set(stage, list)
  }
  lapStart = process.hrtime.bigint()
}

let block = 0
for (let round = 0; round < rounds; round++) {
  isWarm = round >= WARM_UP_ROUNDS
  for (let push = 0; push < load.pushesPerRound; push++) pass(load.body(push, round), round)
}

function pass(body: Uint8Array, round: number): void {
  block += 1
  lapStart = process.hrtime.bigint()
  const raw = decompressInto(batch.kernel, body)!
  lap('decompress')
  const problem = decode(raw, batch)
  admission.metadata.learn(batch)
  if (problem !== null) throw new Error(problem)
  lap('decode')
  const { seriesCount: toSeries, sampleCount: toSample } = batch
  const slice = { fromSeries: 0, toSeries, fromSample: 0, toSample }
  const judgement = admission.judge(batch, slice, block, Date.now(), round * 15)
  if (judgement.kept.samples !== load.pushSamples) throw new Error('a sample was not kept')
  lap('judge')
  builder.begin(block, 'default', 0)
  if (batch.isPlain && encode === undefined) builder.adopt(batch, judgement, body)
  else builder.add(batch, slice, judgement)
  lap('build')
  builder.seal(0, 0)
  lap('seal')
  admission.forget(block)
}

const firstDecile = (list: number[]) =>
  list.toSorted((a, b) => a - b)[Math.floor(list.length / 10)]!
let sum = 0
for (const [stage, list] of laps) {
  const ns = firstDecile(list)
  sum += ns
  console.log(`${stage.padEnd(12)} ${ns.toFixed(0).padStart(6)} ns/sample`)
}
console.log(`${protocol.padEnd(12)} ${sum.toFixed(0).padStart(6)} ns/sample, ${series} series`)
