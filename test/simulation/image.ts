import { expect } from 'vitest'
import { RECORD_MARKER } from '../../src/persist/record.ts'
import { firstLsnOf } from '../../src/persist/segment.ts'
import type { SeriesLiteral } from '../support/remote-write.ts'
import { DATA, type SimulatedProcess } from './process.ts'
import { idsOf, type SampleId } from './receiver.ts'
import { Simulation, type SimulationOptions } from './simulation.ts'

/** What a gateway has on disk, and what was acknowledged: one block for each push. */
export type Image = {
  files: Map<string, Uint8Array>
  pushes: SampleId[][]
  options: SimulationOptions
}

export type ImageOptions = Partial<SimulationOptions> & {
  pushes?: number
  /** Whether all of it is at the receiver, and the cursor says so. */
  isDelivered?: boolean
}

/** A store that was killed with a backlog, or after it was delivered. */
export async function imageOf({
  pushes = 6,
  isDelivered = false,
  ...more
}: ImageOptions = {}): Promise<Image> {
  const options = { seed: 1, ...more }
  const simulation = new Simulation(options)
  simulation.receiver.mode = isDelivered ? 'well' : 'down'
  simulation.start()
  await simulation.started()
  const image: Image = { files: new Map(), pushes: [], options }
  for (let i = 0; i < pushes; i++) image.pushes.push(await pushOne(simulation, i))
  if (isDelivered) await simulation.drain()
  simulation.end('kill')
  image.files = simulation.disk.files()
  // The zeros that fill the last block of each say nothing, and would hide what is cut off.
  for (const path of segmentsOf(image)) {
    const bytes = image.files.get(path)!
    image.files.set(path, bytes.slice(0, recordsIn(bytes).at(-1)!.to))
  }
  return image
}

/** One push, which becomes a block of its own. */
export async function pushOne(simulation: Simulation, i: number): Promise<SampleId[]> {
  await simulation.clock.pass(1_000)
  const samples = [{ value: i, timestamp: simulation.clock.world.nowMs() }]
  const series: SeriesLiteral[] = ['a', 'b', 'c'].map((name) => ({
    labels: { __name__: name },
    samples,
  }))
  const pushed = simulation.push(series)
  await simulation.clock.pass(100)
  expect(await pushed).toBe(true)
  const literal = series.map(({ labels }) => ({
    labels: Object.entries(labels) as [string, string][],
    samples: samples.map(({ value, timestamp }) => ({
      timestampMs: timestamp,
      bits: new BigUint64Array(Float64Array.of(value).buffer)[0]!,
    })),
    exemplars: [],
  }))
  return idsOf(literal)
}

/** A later gateway over these files, with a receiver that has nothing yet and is well. */
export async function revived({ files, options, pushes }: Image): Promise<Revived> {
  const simulation = new Simulation(options)
  await simulation.clock.pass(60_000)
  for (const [path, bytes] of files) simulation.disk.plant(path, bytes)
  const process = await simulation.drain()
  const arrived = pushes.map((ids) => ids.every((id) => simulation.receiver.ids.has(id)))
  return { simulation, process, arrived }
}

export type Revived = {
  simulation: Simulation
  process: SimulatedProcess
  /** Which of the pushes have arrived as a whole. */
  arrived: boolean[]
}

/** Paths of the segments of the log, in order. */
export function segmentsOf({ files }: Pick<Image, 'files'>): string[] {
  const inLog = `${DATA}/log/`
  const isSegment = (path: string) =>
    path.startsWith(inLog) && firstLsnOf(path.slice(inLog.length)) !== undefined
  return [...files.keys()].filter(isSegment).sort()
}

/** Where the records of a segment begin and end, by their headers. */
export function recordsIn(bytes: Uint8Array): { from: number; to: number; lsn: number }[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const records: { from: number; to: number; lsn: number }[] = []
  for (let from = 64; from + 32 <= bytes.length && bytes[from] === RECORD_MARKER[0]; ) {
    const to = from + 32 + view.getUint32(from + 4, true)
    records.push({ from, to, lsn: Number(view.getBigUint64(from + 16, true)) })
    from = to
  }
  return records
}

/** The same files with one of them changed; without `change` it is gone. */
export function changed(
  image: Image,
  path: string,
  change?: (bytes: Uint8Array) => Uint8Array,
): Image {
  const files = new Map(image.files)
  const bytes = files.get(path)!
  files.delete(path)
  if (change !== undefined) files.set(path, change(bytes.slice()))
  return { ...image, files }
}

/** Balance and ledger agree that so many samples are lost, and whatever comes now arrives. */
export async function expectSettled(revival: Revived, lostSamples: number): Promise<void> {
  const { simulation } = revival
  const process = simulation.process!
  const [balance] = process.balance().destinations
  expect(balance).toMatchObject({ damaged: lostSamples, waiting: 0, difference: 0 })
  const losses = await simulation.clock.until(process.losses())
  expect(losses.reduce((sum, { samples }) => sum + samples, 0)).toBe(lostSamples)
  for (const id of await pushOne(simulation, 1_000)) {
    const isThere = () => simulation.receiver.ids.has(id)
    expect(await simulation.clock.passUntil(isThere, 60_000)).toBe(true)
  }
  expect(process.balance()).toMatchObject({ difference: 0, destinations: [{ difference: 0 }] })
}
