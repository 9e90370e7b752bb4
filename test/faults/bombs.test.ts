import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { snappy } from '../../src/wire/snappy.ts'
import { post, RW1_TYPE, RW2_TYPE } from '../support/gateway.ts'
import { nanos, otlpOf } from '../support/otlp.ts'
import { type Receiver, startReceiver } from '../support/receiver.ts'
import { rw2Of } from '../support/remote-write.ts'
import { expectBalanced, type SluiceProcess, startSluice } from '../support/sluice.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

const MIB = 2 ** 20
const NOW_MS = Date.now()
const PROTOBUF = { 'Content-Type': 'application/x-protobuf' }
const JSON_TYPE = { 'Content-Type': 'application/json' }
const GZIP = { 'Content-Encoding': 'gzip' }
const ZSTD = { 'Content-Encoding': 'zstd' }

let directory: string
let receiver: Receiver
let sluice: SluiceProcess
let port: number

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sluice-bombs-'))
  receiver = await startReceiver()
  sluice = await startSluice(directory, receiver.url)
  port = Number(new URL(sluice.url).port)
  // What the first pushes of a kind bring to life is no part of what a bomb costs.
  for (const type of [RW1_TYPE, RW2_TYPE]) {
    await write(Buffer.alloc(31 * MIB), { 'Content-Type': type })
  }
})

afterAll(async () => {
  await sluice.child.kill()
  await receiver.close()
  await rm(directory, { recursive: true })
})

const write = (body: Uint8Array, headers: { [name: string]: string }) => post(port, body, headers)
const exportTo = (body: Uint8Array, headers: { [name: string]: string }) =>
  post(port, body, headers, '/v1/metrics')

let pushes = 0
/** A push is taken and arrives, and nothing is missing. */
async function expectAlive(): Promise<void> {
  pushes += 1
  const samples = [{ value: pushes, timestamp: NOW_MS + pushes }]
  const body = snappy.compress(rw2Of([{ labels: { __name__: 'alive' }, samples }]))
  expect((await write(body, { 'Content-Type': RW2_TYPE })).status).toBe(204)
  await expect.poll(() => receiver.samplesOf({ __name__: 'alive' }).length).toBe(pushes)
  await expectBalanced(sluice)
}

/** By how many bytes the process has been larger meanwhile than it was before. */
async function growthOf(act: () => Promise<void>): Promise<number> {
  const { pid } = sluice.child.process
  const kilobytes = async (what: string) => {
    const status = await readFile(`/proc/${pid}/status`, 'utf8')
    return Number(new RegExp(`^${what}:\\s+(\\d+) kB`, 'm').exec(status)![1])
  }
  const before = await kilobytes('VmRSS')
  // The high-water mark begins anew.
  await writeFile(`/proc/${pid}/clear_refs`, '5')
  await act()
  return 1024 * ((await kilobytes('VmHWM')) - before)
}

/** A snappy block that says `length` and goes on with `rest`. */
function declaring(length: number, rest: Uint8Array = new Uint8Array(5)): Uint8Array {
  const head: number[] = []
  for (let left = length; ; left = Math.floor(left / 128)) {
    if (left < 128) return Buffer.concat([Uint8Array.from([...head, left]), rest])
    head.push((left % 128) + 128)
  }
}

/** One literal, and copies of it: 64 bytes out of three, which is the most that snappy does. */
function copiesOf(length: number): Uint8Array {
  const copies = Buffer.alloc(3 * Math.floor(length / 64))
  for (let at = 0; at < copies.length; at += 3) copies.set([0xfe, 0x01, 0x00], at)
  return declaring(64 * Math.floor(length / 64) + 1, Buffer.concat([Uint8Array.of(0, 0), copies]))
}

/** Protobuf that nests: a field of wire type 2 in itself, so often. */
function nested(depth: number, tag: number): Uint8Array {
  let inner = Buffer.alloc(0)
  for (let i = 0; i < depth; i++) {
    inner = Buffer.concat([Uint8Array.of(tag), declaring(inner.length, inner)])
  }
  return inner
}

const remoteWriteBombs: [what: string, body: () => Uint8Array, statuses: number[]][] = [
  ['4 GiB that are declared', () => declaring(2 ** 32 - 1), [400]],
  ['a length beyond 32 bits', () => declaring(2 ** 40), [400]],
  ['33 MiB that are declared and there', () => copiesOf(33 * MIB), [400]],
  ['690 MiB from 32', () => copiesOf(690 * MIB), [400, 413]],
  ['less than what was declared', () => declaring(31 * MIB, copiesOf(MIB).subarray(4)), [400]],
  ['a literal of 4 GiB', () => declaring(1_000, Uint8Array.of(0xfc, 255, 255, 255, 255)), [400]],
  [
    'a field of 4 GiB',
    () => snappy.compress(Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f)),
    [400],
  ],
  [
    'a field longer than 64 bits can say',
    () => snappy.compress(Buffer.concat([Uint8Array.of(0x0a), Buffer.alloc(12, 0xff)])),
    [400],
  ],
  ['groups in groups', () => snappy.compress(Buffer.alloc(MIB, 0x0b)), [400]],
  ['messages in messages', () => snappy.compress(nested(3_000, 0x0a)), [400]],
  ['unknown messages in messages', () => snappy.compress(nested(3_000, 0x7a)), [204, 400]],
  // Of both versions: field 1 and field 5.
  ['10 million series of nothing', () => snappy.compress(Buffer.alloc(20 * MIB, '\n\0')), [400]],
  ['10 million series of nothing, as 2.0', () => snappy.compress(series2(10 * MIB)), [204, 400]],
]

/** One empty symbol, and so many empty series. */
function series2(count: number): Uint8Array {
  return Buffer.concat([Uint8Array.of(0x22, 0), Buffer.alloc(2 * count, Uint8Array.of(0x2a, 0))])
}

test.for(remoteWriteBombs)(
  'F39: %s: refused, and no memory is taken for it',
  async ([, body, statuses]) => {
    const bytes = body()
    const growth = await growthOf(async () => {
      for (const type of [RW1_TYPE, RW2_TYPE]) {
        const answer = await write(bytes, { 'Content-Type': type })
        expect([204, 400, 413]).toContain(answer.status)
        if (answer.status !== 204) expect(answer.text).toMatch(/\w/)
        if (type === RW1_TYPE) expect(statuses).toContain(answer.status)
      }
    })
    // The body itself is there, once as it came in and once where it is looked at.
    expect(growth).toBeLessThan(2 * bytes.length + 48 * MIB)
    await expectAlive()
  },
)

/** A field of wire type 2. */
const field = (tag: number, ...parts: Uint8Array[]) => {
  const content = Buffer.concat(parts)
  return Buffer.concat([Uint8Array.of(tag), declaring(content.length, content)])
}
const sample1 = field(0x12, Uint8Array.of(0x10, 1))
const label1 = field(0x0a, Buffer.from('\n\x01a\x12\x01b'))
const symbols = ['', 'a', 'b'].map((symbol) => field(0x22, Buffer.from(symbol)))
const MILLION = 1_000_000

const crowds: [what: string, type: string, raw: () => Uint8Array][] = [
  [
    'a million labels that are written',
    RW1_TYPE,
    () => field(0x0a, Buffer.alloc(MILLION * label1.length, label1), sample1),
  ],
  [
    'a million labels that are referred to',
    RW2_TYPE,
    () =>
      Buffer.concat([
        ...symbols,
        field(0x2a, field(0x0a, Buffer.alloc(2 * MILLION, Uint8Array.of(1, 2))), sample1),
      ]),
  ],
  [
    'two million symbols',
    RW2_TYPE,
    () => Buffer.concat([...symbols, Buffer.alloc(6 * MILLION, field(0x22, Buffer.from('c')))]),
  ],
]

test.for(crowds)('F39: %s are too many', async ([, type, raw]) => {
  const bytes = raw()
  const growth = await growthOf(async () => {
    const answer = await write(snappy.compress(bytes), { 'Content-Type': type })
    expect(answer.status).toBe(400)
  })
  expect(growth).toBeLessThan(2 * bytes.length + 64 * MIB)
  await expectAlive()
})

test('F39: one long symbol in very many series is not written out for each', async () => {
  const symbol = 'x'.repeat(8 * MIB)
  const many = Array.from({ length: 1_000 }, (_, i) => ({
    labels: { __name__: 'm', a: symbol, i: String(i) },
    samples: [{ value: 1, timestamp: NOW_MS }],
  }))
  const body = snappy.compress(rw2Of(many))
  const growth = await growthOf(async () => {
    expect((await write(body, { 'Content-Type': RW2_TYPE })).status).toBe(400)
  })
  expect(growth).toBeLessThan(64 * MIB)
  await expectAlive()
})

const GIB_OF_ZEROS = [
  ['gzip', () => gzipSync(Buffer.alloc(256 * MIB)), GZIP],
  ['zstd', () => zstdCompressSync(Buffer.alloc(256 * MIB)), ZSTD],
] as const

test.for(GIB_OF_ZEROS)('F39: 256 MiB in a little %s are 413', async ([, body, encoding]) => {
  const bytes = body()
  expect(bytes.length).toBeLessThan(MIB)
  for (const type of [PROTOBUF, JSON_TYPE]) {
    const growth = await growthOf(async () => {
      const answer = await exportTo(bytes, { ...type, ...encoding })
      expect(answer.status).toBe(413)
    })
    expect(growth).toBeLessThan(96 * MIB)
  }
  await expectAlive()
})

const TEXT_BOMBS = [
  ['lists in lists', '['.repeat(31 * MIB)],
  ['objects in objects', '{"a":'.repeat(6 * MIB)],
  ['empty lists', `{"resourceMetrics":[${'[],'.repeat(10 * MIB)}0]}`],
  ['empty objects', `{"resourceMetrics":[${'{},'.repeat(10 * MIB)}{}]}`],
  ['escapes without end', `{"a":1234567890123456,${'"\\'.repeat(15 * MIB)}`],
] as const

test.for(TEXT_BOMBS)('F39: JSON of nothing but %s is refused in time', async ([, text]) => {
  const body = gzipSync(text, { level: 1 })
  const growth = await growthOf(async () => {
    const answer = await exportTo(body, { ...JSON_TYPE, ...GZIP })
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.text)).toMatchObject({ code: 3, message: expect.any(String) })
  })
  expect(growth).toBeLessThan(320 * MIB)
  await expectAlive()
})

test('F39: OTLP that nests or repeats without end is refused', async () => {
  const value = (depth: number): object =>
    depth === 0 ? { intValue: 1 } : { arrayValue: { values: [value(depth - 1)] } }
  const gauge = (attribute: object) => ({
    name: 'deep',
    gauge: {
      dataPoints: [
        { timeUnixNano: nanos(NOW_MS), asDouble: 1, attributes: [{ key: 'a', value: attribute }] },
      ],
    },
  })
  const deep = await exportTo(otlpOf([gauge(value(33))]), PROTOBUF)
  expect(deep.status).toBe(400)
  expect(deep.text).toContain('nested deeper')
  for (const [bytes, statuses] of [
    // Resources, and metrics of one scope.
    [Buffer.alloc(20 * MIB, '\n\0'), [200, 400]],
    [nested(3_000, 0x0a), [200, 400]],
    [nested(3_000, 0x12), [200, 400]],
    [Buffer.alloc(MIB, 0x0b), [400]],
    [Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f), [400]],
  ] as const) {
    const growth = await growthOf(async () => {
      const { status } = await exportTo(bytes, PROTOBUF)
      expect(statuses).toContain(status)
    })
    expect(growth).toBeLessThan(2 * bytes.length + 96 * MIB)
  }
  await expectAlive()
})
