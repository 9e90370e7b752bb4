import { join } from 'node:path'
import { createPushDigest } from '../../src/admit/push-digest.ts'
import { ReplayMemory } from '../../src/admit/replay.ts'
import type { Disk } from '../../src/base/disk.ts'
import { createLogger } from '../../src/base/log.ts'
import { parseConfig } from '../../src/config/config.ts'
import { createRemoteWrite2Decoder } from '../../src/decode/remote-write-2.ts'
import { Destinations } from '../../src/destinations/destinations.ts'
import { everySecond, sourcesOf } from '../../src/gateway.ts'
import { createIngest, type ReadParts, readPush } from '../../src/ingest.ts'
import { type Batch, createBatch } from '../../src/model/batch.ts'
import type { Block } from '../../src/model/block.ts'
import { samplesOf } from '../../src/model/counts.ts'
import type { DigestKey } from '../../src/model/identity.ts'
import type { Outcome } from '../../src/model/outcome.ts'
import { Tally } from '../../src/model/tally.ts'
import { BLOCK_RECORD, decodeBlock } from '../../src/persist/block.ts'
import { Ledger, type Loss } from '../../src/persist/ledger.ts'
import { type Balance, balanceOf } from '../../src/status/balance.ts'
import type { QuarantineSource } from '../../src/status/sources.ts'
import { openStore, type Store } from '../../src/store.ts'
import { decompressInto } from '../../src/wire/snappy.ts'
import type { Life, SimulatedClock } from './clock.ts'
import { idsOf, type SampleId, type SimulatedReceiver, seriesOf } from './receiver.ts'

export const DATA = '/data'
/** A few blocks. */
const TOTALS_EVERY_BYTES = 1_000

/** Used between two awaits only, so that all processes can share it. */
let shared: Batch | undefined

export type World = {
  clock: SimulatedClock
  receiver: SimulatedReceiver
  random: () => number
  yaml: string
}

/** A gateway without threads and sockets: everything between a push that was read and a request. */
export type SimulatedProcess = {
  /** Rejects with the log's trouble as the gateway's start does. */
  push(body: Uint8Array, cluster?: string): Promise<Outcome>
  balance(): Balance
  /** Samples by cluster that the central lacked when it started, as the log says block by block. */
  owedAtStart: Tally
  /** What lies in quarantine. */
  quarantined(): Promise<SampleId[]>
  losses(): Promise<Loss[]>
  rewind(sinceMs: number): Promise<unknown>
  replayAll(): Promise<unknown>
  dropAll(): Promise<void>
  /** With this section `remote_write`. */
  reload(remoteWrite: string): Promise<void>
  stop(): Promise<void>
}

const CONFIGS = new Map<string, ReturnType<typeof parseConfig>['config']>()

function configOf(yaml: string, remoteWrite = '[{ name: central, url: http://central }]') {
  const storage = `storage: { path: ${DATA}, ${yaml} }\ndedup: { max_series: 1000 }`
  const text = `${storage}\nremote_write: ${remoteWrite}`
  const config = CONFIGS.get(text) ?? parseConfig(text, 'simulated.yaml').config
  CONFIGS.set(text, config)
  return config
}

/**
 * Starts what `startGateway` starts, but for the servers, over a simulated disk.
 *
 * @throws what `startGateway` throws
 */
export async function startProcess(
  world: World,
  disk: Disk,
  life: Life,
): Promise<SimulatedProcess> {
  const config = configOf(world.yaml)
  const clock = world.clock.of(life)
  const parts = {
    clock,
    disk,
    random: world.random,
    log: createLogger({ level: 'silent' }),
    loadConfig: async () => config,
    lock: async () => ({ release: async () => {} }),
    totalsEveryBytes: TOTALS_EVERY_BYTES,
    post: () => world.receiver.post(life),
  }
  const stops: (() => Promise<unknown>)[] = []
  const stop = async () => {
    for (const each of stops.splice(0).reverse()) await each()
  }
  try {
    const store = await openStore(config, parts, stops)
    // Whoever sent these may not have saved how far he came.
    const { position } = store.cursors.get('central')!
    const left = await blocksIn(store, position)
    world.receiver.doubt(left.flatMap(({ message }) => idsOf(seriesOf('rw2', message))))
    const ledger = new Ledger(store.disk, join(DATA, 'losses.jsonl'))
    const far = await Destinations.start(config.remoteWrite, {
      ...parts,
      ...store,
      quotaBytes: () => store.diskWatch.quotaBytes,
      directory: join(DATA, 'quarantine'),
      cursorDirectory: join(DATA, 'cursors'),
      ledger,
      dropsOldest: config.storage.onFull === 'drop_oldest',
      logger: parts.log,
    })
    stops.push(() => far.stop())
    stops.push(everySecond(parts.clock, store, far))
    const ingest = createIngest({
      ...store,
      clock,
      replay: new ReplayMemory(1_000),
      backlog: () => store.diskWatch.refusal(),
      onCommit: () => {},
    })
    const reading = readingOf(store.key)
    const sources = sourcesOf(store, { ...NO_INTAKE, counters: ingest.counters }, far)
    const central = () => far.byName.get('central')!
    return {
      push: async (body, cluster = 'default') => {
        const push = { sender: { cluster }, protocol: 'rw2' as const, body }
        const digest = reading.digest(push)
        const known = ingest.withoutReading(digest, push.sender)
        if (known !== null) return known
        shared ??= createBatch()
        const reason = readPush(reading, push, shared)
        if (reason !== null) throw new Error(reason)
        return ingest.take({ sender: push.sender, digest, batch: shared, body: () => body })
      },
      balance: () => balanceOf(sources),
      owedAtStart: new Tally(left.map(({ cluster, counts }) => [cluster, samplesOf(counts)])),
      quarantined: async () => {
        const ids: SampleId[] = []
        for (const { id } of central().entries()) {
          const message = await central().message(id)
          if (message !== null) ids.push(...idsOf(seriesOf('rw2', message)))
        }
        return ids
      },
      losses: () => ledger.newest(),
      rewind: (sinceMs) => central().rewind(sinceMs),
      replayAll: () => central().replay(idsIn(central())),
      dropAll: () => central().drop(idsIn(central())),
      reload: (remoteWrite) => far.apply(configOf(world.yaml, remoteWrite).remoteWrite),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Pushes come without a network. */
const NO_INTAKE = {
  ...{ requests: () => [], bodyBytesMax: 0, answerBytes: () => 0 },
  ...{ start: async () => ports, refresh: async () => {}, stop: async () => {} },
}

/** The other decoders take long to make. */
function readingOf(key: DigestKey): ReadParts {
  const none = () => 'not in this simulation'
  const digest = createPushDigest(key)
  return {
    digest: ({ protocol, sender, body }) => digest(protocol, sender.cluster, body),
    inspect: () => null,
    decompress: (body, batch) => decompressInto(batch.kernel, body),
    decode: {
      rw2: createRemoteWrite2Decoder(key),
      ...{ rw1: none, otlp: none, 'otlp-json': none, 'otlp-grpc': none },
    },
  }
}

const ports = { write: 0, otlpHttp: null, otlpGrpc: null, admin: 0 }

const idsIn = (quarantine: QuarantineSource) => quarantine.entries().map(({ id }) => id)

/** All blocks in a log from `position` on. */
async function blocksIn({ log }: Store, position: number): Promise<Block[]> {
  const reader = log.reader(position)
  const blocks: Block[] = []
  try {
    for (let record = await reader.next(); record; record = await reader.next()) {
      if (record.type === BLOCK_RECORD) blocks.push(decodeBlock(record.payload))
    }
  } finally {
    await reader.close()
  }
  return blocks
}
