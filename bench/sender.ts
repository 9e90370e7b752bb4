import { setTimeout as delay } from 'node:timers/promises'
import autocannon from 'autocannon'
import { obey } from './helper.ts'
import { Load, type LoadOptions } from './load.ts'
import { OtlpLoad } from './otlp-load.ts'

export type Aim = {
  url: string
  protocol: LoadOptions['protocol']
  /** One load per sender; all senders of a round push the same series. */
  loads: LoadOptions[]
  connections: number
}

export type Rounds = {
  from: number
  count: number
  /** Which of the loads take part; all, if not said. */
  senders?: number[]
}

export type Sent = {
  pushes: number
  samples: number
  seconds: number
  ackMs: { p50: number; p99: number }
}

/**
 * What goes through one connection. A series keeps to its connection, as with a Prometheus, so
 * that none of its samples can overtake another.
 */
type Lane = { bodies: Iterator<Buffer>; pushes: number }

type AnyLoad = Load | OtlpLoad

type Make = (load: AnyLoad, push: number, round: number) => Buffer

const HEADERS = {
  rw1: {
    'content-type': 'application/x-protobuf',
    'content-encoding': 'snappy',
    'x-prometheus-remote-write-version': '0.1.0',
  },
  rw2: {
    'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
    'content-encoding': 'snappy',
    'x-prometheus-remote-write-version': '2.0.0',
  },
  otlp: { 'content-type': 'application/x-protobuf', 'content-encoding': 'gzip' },
}

let url = ''
let headers: Record<string, string> = {}
let loads: AnyLoad[] = []
let connections = 0
let lanes: Lane[] = []
/** Of each answer of the current sending, and when the last one came. */
let answerMs: number[] = []
let lastMs = 0
/** By push of a round: the time that its samples bore last. */
const stamps: number[] = []

const orders = {
  aim: (aim: Aim): { samplesPerRound: number } => {
    url = aim.url
    headers = HEADERS[aim.protocol]
    loads = aim.loads.map((load) =>
      load.protocol === 'otlp' ? new OtlpLoad(load) : new Load(load),
    )
    const { pushesPerRound, pushSamples } = loads[0]!
    connections = Math.min(aim.connections, pushesPerRound)
    return { samplesPerRound: pushesPerRound * pushSamples }
  },

  /** Makes bodies before they are needed, so that making them takes nothing from the load. */
  prepare: (rounds: Rounds): number => {
    let bytes = 0
    lanes = lanesOf(rounds).map(({ bodies, pushes }) => {
      const made = Array.from({ length: pushes }, () => bodies.next().value as Buffer)
      for (const { length } of made) bytes += length
      return { bodies: made.values(), pushes }
    })
    return bytes
  },

  /** Bodies are made when their turn comes. */
  begin: (rounds: Rounds): void => {
    lanes = lanesOf(rounds)
  },

  /** As `begin`, but every sample bears the time at which its push was made. */
  beginStamped: (rounds: Rounds): void => {
    lanes = lanesOf(rounds, (load, push, round) => load.bodyAt(push, round, stampOf(push)))
  },

  /**
   * Sends what was prepared or begun, and resolves when everything has been answered: as fast
   * as answers come, or so many pushes per second, evenly spread.
   */
  send: async ({ pushesPerSecond }: { pushesPerSecond?: number }): Promise<Sent> => {
    answerMs = []
    const startMs = performance.now()
    const sending = lanes.map(async (lane, i) => {
      if (pushesPerSecond === undefined) return fire(lane)
      // autocannon sends a second's share of a connection in one go: so each starts a little
      // after the one before.
      await delay((i * 1000) / lanes.length)
      return fire(lane, Math.max(1, Math.floor((pushesPerSecond + i) / lanes.length)))
    })
    await Promise.all(sending)
    const seconds = (lastMs - startMs) / 1000
    answerMs.sort((one, other) => one - other)
    const ackMs = { p50: quantile(answerMs, 0.5), p99: quantile(answerMs, 0.99) }
    const pushes = answerMs.length
    return { pushes, samples: pushes * loads[0]!.pushSamples, seconds, ackMs }
  },
}
export type SenderOrders = typeof orders

function fire({ bodies, pushes }: Lane, connectionRate?: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = {
      setupRequest: (raw: { body: Buffer }) => Object.assign(raw, { body: bodies.next().value }),
      onResponse: (status: number, body: string) => {
        if (status >= 300) reject(new Error(`the target answered ${status}: ${body}`))
      },
    }
    const options = {
      ...{ url, method: 'POST' as const, headers, requests: [request], connections: 1 },
      ...{ amount: pushes, timeout: 60, sampleInt: 50 },
      ...(connectionRate !== undefined && { connectionRate }),
    }
    autocannon(options, (error, { errors }) => {
      if (error !== null) reject(error)
      else if (errors > 0) reject(new Error(`${errors} pushes had no answer`))
      else resolve()
    }).on('response', (_client, _status, _bytes, ms: number) => {
      answerMs.push(ms)
      lastMs = performance.now()
    })
  })
}

/** Now, but never the same for two pushes of the same series: the second would be a duplicate. */
function stampOf(push: number): number {
  const stampMs = Math.max(Date.now(), (stamps[push] ?? 0) + 1)
  stamps[push] = stampMs
  return stampMs
}

function lanesOf(
  rounds: Rounds,
  make: Make = (load, push, round) => load.body(push, round),
): Lane[] {
  const { pushesPerRound } = loads[0]!
  const senders = rounds.senders ?? loads.map((_, i) => i)
  return Array.from({ length: connections }, (_, lane) => {
    const pushesOfLane = Math.ceil((pushesPerRound - lane) / connections)
    const pushes = pushesOfLane * rounds.count * senders.length
    return { bodies: bodiesOf({ ...rounds, senders }, lane, make), pushes }
  })
}

function* bodiesOf(
  { from, count, senders }: Required<Rounds>,
  lane: number,
  make: Make,
): Generator<Buffer> {
  for (let round = from; round < from + count; round++) {
    for (let push = lane; push < loads[0]!.pushesPerRound; push += connections) {
      for (const sender of senders) yield make(loads[sender]!, push, round)
    }
  }
}

function quantile(sorted: number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
}

obey(orders)
