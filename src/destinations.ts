import { join } from 'node:path'
import type { Clock } from './base/clock.ts'
import type { Disk } from './base/disk.ts'
import type { Logger } from './base/log.ts'
import { VERSION } from './base/version.ts'
import type { DestinationConfig } from './config/config.ts'
import { createRemoteWrite2Decoder } from './decode/remote-write-2.ts'
import { Delivery } from './deliver.ts'
import { Destination } from './forward/destination.ts'
import { createPost } from './forward/post.ts'
import type { DigestKey } from './model/identity.ts'
import { BLOCK_RECORD, decodeBlock } from './persist/block.ts'
import type { BlockTotals } from './persist/block-writer.ts'
import { Cursor } from './persist/cursor.ts'
import type { Log } from './persist/log.ts'
import { Retention } from './persist/retention.ts'
import type { DestinationStatus } from './status/sources.ts'

export type DestinationsParts = {
  log: Log
  cursors: ReadonlyMap<string, Cursor>
  key: DigestKey
  /** Of all blocks in the log. */
  totals: BlockTotals
  quotaBytes: number
  clock: Clock
  /** In [0, 1). */
  random: () => number
  logger: Logger
}

/** Where the gateway forwards to: each has its own cursor, its own connections and its own pace. */
export type Destinations = {
  /** To be called once a second: what all of them have is deleted after a while. */
  release(): Promise<void>
  status(): DestinationStatus[]
  /** Breaks off what is in flight and saves how far each has come. */
  stop(): Promise<void>
}

/** One cursor per destination, by its name; a name that is new begins with the oldest record. */
export async function openCursors(
  disk: Disk,
  directory: string,
  configs: readonly DestinationConfig[],
  logger: Logger,
): Promise<Map<string, Cursor>> {
  const cursors = new Map<string, Cursor>()
  try {
    for (const { name } of configs) {
      const cursor = await Cursor.open(disk, join(directory, name))
      cursors.set(name, cursor)
      if (!cursor.isDamaged) continue
      const message = 'the cursor is damaged: everything in the log is sent again'
      logger.error(message, { destination: name })
    }
    return cursors
  } catch (error) {
    for (const cursor of cursors.values()) await cursor.close()
    throw error
  }
}

export function startDestinations(
  configs: readonly DestinationConfig[],
  parts: DestinationsParts,
): Destinations {
  const { log, clock, quotaBytes, cursors, logger } = parts
  const retention = new Retention({ log, clock, quotaBytes })
  const lanes = configs.map((config) => {
    const { name } = config
    retention.advance(name, cursors.get(name)!.position)
    return startLane(config, parts, (position) => retention.advance(name, position))
  })
  let releasing = Promise.resolve()
  return {
    status: () => lanes.map((lane) => lane.status()),
    release: () => {
      const onError = (error: unknown) =>
        logger.error('a part of the log that nobody needs cannot be deleted', { error })
      releasing = releasing.then(() => retention.release()).catch(onError)
      return releasing
    },
    stop: async () => {
      await Promise.all([releasing, ...lanes.map((lane) => lane.stop())])
    },
  }
}

/** From the log to one destination. */
function startLane(
  config: DestinationConfig,
  { log, cursors, key, totals, clock, random, logger }: DestinationsParts,
  onCheckpoint: (position: number) => void,
) {
  const { name, url } = config
  const post = createPost({
    url,
    version: VERSION,
    timeoutMs: config.remoteTimeoutMs,
    headers: { ...config.headers },
    credentials: config.credentials,
    tls: config.tls,
    clock,
  })
  const destination = new Destination({
    name,
    protocol: config.protocol,
    post,
    clock,
    random,
    onEvent: ({ level, message, ...fields }) => logger[level](message, fields),
    decode: createRemoteWrite2Decoder(key),
  })
  const delivery = new Delivery({
    log,
    cursor: cursors.get(name)!,
    clock,
    decodeBlock: ({ type, parts }) => (type === BLOCK_RECORD ? decodeBlock(parts) : null),
    deliver: (block, signal) => destination.deliver(block, signal),
    onDelivered: () => {},
    onCheckpoint,
    onError: (error) => {
      const message = 'delivery failed by a fault of the gateway'
      logger.error(message, { destination: name, error })
    },
  })
  delivery.start()

  function status(): DestinationStatus {
    const { protocol, state, reason, forwarded, refused, unsupported, retries } = destination
    const oldest = delivery.oldest
    // Blocks that wait and were not read yet are not older than those that were.
    const waits = oldest !== undefined && delivery.acknowledged <= log.committedLsn
    return {
      ...{ name, url, protocol, state, reason, forwarded, refused, unsupported, retries },
      waitingSamples: waits ? totals.samples - oldest.samplesBefore : 0,
      waitingBytes: waits ? totals.bytes - oldest.bytesBefore : 0,
      oldestWaitingSeconds: waits ? Math.max(0, (clock.nowMs() - oldest.receivedMs) / 1000) : 0,
    }
  }
  const stop = async (): Promise<void> => {
    await delivery.stop()
    await post.close()
  }
  return { status, stop }
}
