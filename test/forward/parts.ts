import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../../src/base/clock.ts'
import type { Protocol } from '../../src/forward/answer.ts'
import type { Delivery, Event } from '../../src/forward/delivery.ts'
import { Destination } from '../../src/forward/destination.ts'
import { createPost } from '../../src/forward/post.ts'
import type { Refused } from '../../src/forward/refused.ts'
import { type Batch, clearBatch } from '../../src/model/batch.ts'
import type { Block } from '../../src/model/block.ts'
import { snappy } from '../../src/wire/snappy.ts'
import { type Receiver, type ScriptedResponse, startReceiver } from '../support/receiver.ts'
import { keyOf } from '../support/receiver-store.ts'
import {
  type Bits,
  bitsOf,
  decodeRw2,
  encodeHistogram,
  rw2Of,
  type SeriesLiteral,
} from '../support/remote-write.ts'

export type FakeClock = Clock & { sleeps: number[] }

/** Sleeping takes no time, and moves the clock on. */
export function fakeClock(startMs = 1_700_000_000_000): FakeClock {
  let passedMs = 0
  const sleeps: number[] = []
  return {
    sleeps,
    nowMs: () => startMs + passedMs,
    monotonicMs: () => passedMs,
    sleep: async (ms, signal) => {
      signal?.throwIfAborted()
      sleeps.push(ms)
      const untilMs = passedMs + ms
      await setImmediate()
      passedMs = Math.max(passedMs, untilMs)
    },
  }
}

export function blockOf(series: readonly SeriesLiteral[], number = 1): Block {
  const raw = rw2Of(series)
  const count = (of: (one: SeriesLiteral) => readonly unknown[] | undefined) =>
    series.reduce((sum, one) => sum + (of(one)?.length ?? 0), 0)
  return {
    number,
    fence: 0,
    cluster: 'prod-eu-1',
    counts: {
      samples: count(({ samples }) => samples),
      histograms: count(({ histograms }) => histograms),
      exemplars: count(({ exemplars }) => exemplars),
    },
    minTimestampMs: 0,
    maxTimestampMs: 0,
    receivedMs: 0,
    rawBytes: raw.length,
    samplesBefore: 0,
    bytesBefore: 0,
    message: snappy.compress(raw),
  }
}

/** `count` series of one sample each. */
export function manySeries(count: number, timestamp = 1000, name = 'up'): SeriesLiteral[] {
  return Array.from({ length: count }, (_, i) => ({
    labels: { __name__: name, instance: String(i) },
    samples: [{ value: i, timestamp }],
  }))
}

export function destinationOf(
  url: string,
  clock: Clock = fakeClock(),
  post = createPost({ url, version: '0.1.0', timeoutMs: 5_000 }),
  protocol: Protocol = 'rw2',
) {
  const events: Event[] = []
  const onEvent = (event: Event) => events.push(event)
  const kept: Refused[] = []
  const decode = fillBatch
  const destination = new Destination({
    name: 'central',
    protocol,
    post,
    clock,
    random: () => 0.5,
    onEvent,
    decode,
    keep: async (refused) => void kept.push(refused),
  })
  const deliver = (block: Block) => destination.deliver(block, new AbortController().signal)
  return { destination, post, events, kept, deliver }
}

export const NOTHING = { samples: 0, histograms: 0, exemplars: 0 }
export const samples = (count: number) => ({ ...NOTHING, samples: count })

export function delivered(count: number, refused = 0): Delivery {
  return { forwarded: samples(count), refused: samples(refused), unsupported: NOTHING }
}

/** Answers the first requests by script and the rest as Prometheus would. */
export function script(receiver: Receiver, ...answers: ScriptedResponse[]): void {
  receiver.respond = ({ index }) => answers[index]
}

export const protocolsOf = ({ requests }: Receiver) => requests.map(({ protocol }) => protocol)

export type Scene = ReturnType<typeof destinationOf> & {
  receiver: Receiver
  clock: FakeClock
}

/** Samples that a receiver has taken more than once, in requests that it answered 204. */
export function takenTwice({ requests }: Receiver): string[] {
  const taken = requests.filter(({ status }) => status === 204).flatMap(({ series }) => series)
  const ids = taken.flatMap(({ labels, samples: own }) =>
    own.map(({ timestampMs }) => `${keyOf(labels)}@${timestampMs}`),
  )
  return ids.filter((id, i) => ids.indexOf(id) < i)
}

/** A destination, its receiver and, unless another is given, a clock that sleeps in no time. */
export async function scene(
  play: (scene: Scene) => Promise<void>,
  realClock?: Clock,
): Promise<void> {
  const receiver = await startReceiver()
  const clock = realClock === undefined ? fakeClock() : { ...realClock, sleeps: [] }
  const parts = destinationOf(receiver.url, clock)
  try {
    await play({ ...parts, receiver, clock })
  } finally {
    await parts.post.close()
    await receiver.close()
  }
}

/** A batch from a 2.0 message, by protobufjs. Digests stay 0: forwarding needs none. */
export function fillBatch(raw: Uint8Array, batch: Batch): string | null {
  const message = decodeRw2(raw)
  const symbols = message.symbols.map((symbol) => Buffer.from(symbol))
  clearBatch(batch, Buffer.concat(symbols))
  let at = 0
  for (const symbol of symbols) {
    batch.symbolStart[batch.symbolCount] = at
    at += symbol.length
    batch.symbolEnd[batch.symbolCount++] = at
  }
  for (const one of message.timeseries) {
    const series = batch.seriesCount++
    const labels = appendRefs(batch, one.labelsRefs)
    batch.seriesLabelStart[series] = labels.start
    batch.seriesLabelEnd[series] = labels.end
    for (const { value, timestamp } of one.samples) {
      appendSample(batch, series, Number(timestamp), bitsOf(value), new Uint8Array(0))
    }
    for (const { timestamp, startTimestamp: _, ...content } of one.histograms) {
      appendSample(batch, series, Number(timestamp), 0n, encodeHistogram(content))
    }
    for (const { labelsRefs, value, timestamp } of one.exemplars) {
      appendExemplar(batch, series, Number(timestamp), value, labelsRefs)
    }
  }
  return null
}

function appendRefs(batch: Batch, refs: number[]): { start: number; end: number } {
  const start = batch.labelRefCount
  const end = start + refs.length
  batch.labelRefs.set(refs, start)
  batch.labelRefCount = end
  return { start, end }
}

function appendSample(
  batch: Batch,
  series: number,
  timestampMs: number,
  bits: bigint,
  histogram: Uint8Array,
): void {
  const i = batch.sampleCount++
  batch.sampleSeries[i] = series
  batch.sampleTimestampMs[i] = timestampMs
  setBits(batch.sampleBits, i, bits)
  const start = batch.histogramByteCount
  const end = start + histogram.length
  batch.histogramBytes.set(histogram, start)
  batch.histogramByteCount = end
  batch.sampleHistogramStart[i] = histogram.length === 0 ? 0 : start
  batch.sampleHistogramEnd[i] = histogram.length === 0 ? 0 : end
}

function appendExemplar(
  batch: Batch,
  series: number,
  timestampMs: number,
  value: Bits,
  refs: number[],
): void {
  const i = batch.exemplarCount++
  batch.exemplarSeries[i] = series
  batch.exemplarTimestampMs[i] = timestampMs
  setBits(batch.exemplarBits, i, bitsOf(value))
  const labels = appendRefs(batch, refs)
  batch.exemplarLabelStart[i] = labels.start
  batch.exemplarLabelEnd[i] = labels.end
}

function setBits(column: Uint32Array, i: number, bits: bigint): void {
  column[2 * i] = Number(bits & 0xffff_ffffn)
  column[2 * i + 1] = Number(bits >> 32n)
}
