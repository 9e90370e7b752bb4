import { Kernel } from '../src/kernel/kernel.ts'
import { ProtobufReader } from '../src/wire/protobuf-reader.ts'
import { ProtobufWriter } from '../src/wire/protobuf-writer.ts'
import { decompressInto, snappy } from '../src/wire/snappy.ts'
import { bench } from './harness.ts'
import { Load, PUSH_SAMPLES } from './load.ts'

const load = new Load({ protocol: 'rw2', series: PUSH_SAMPLES, startMs: 1_700_000_000_000 })
const body = load.body(0, 0)
const raw = snappy.decompress(body)!.slice()
const kernel = new Kernel()
const reader = new ProtobufReader()
const writer = new ProtobufWriter(1024 * 1024)

/** Passes over every field of the outer message. */
function read(): number {
  let fields = 0
  reader.reset(raw)
  while (reader.hasMore()) {
    reader.skip(reader.uint32())
    fields += 1
  }
  return fields
}

/** Samples as they stand in a series: a nested message with a double and a varint. */
function write(): number {
  writer.clear()
  for (let i = 0; i < PUSH_SAMPLES; i++) {
    writer.uint32(0x12)
    const sample = writer.open()
    writer.uint32(0x09)
    writer.fixed64(i, 0x40590000)
    writer.uint32(0x10)
    writer.int64(1_700_000_000_000 + i)
    writer.close(sample)
  }
  return writer.written().length
}

await bench([
  { name: 'wire/protobuf read', unit: 'field', unitsPerRun: read(), run: read },
  { name: 'wire/protobuf write', unit: 'sample', unitsPerRun: PUSH_SAMPLES, run: write },
  {
    name: 'wire/snappy decompress',
    unit: 'byte',
    unitsPerRun: raw.length,
    run: () => decompressInto(kernel, body)!.length,
  },
  {
    name: 'wire/snappy compress',
    unit: 'byte',
    unitsPerRun: raw.length,
    run: () => snappy.compress(raw).length,
  },
])
