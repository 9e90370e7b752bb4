import { setTimeout as delay } from 'node:timers/promises'
import autocannon from 'autocannon'
import { obey } from './helper.ts'
import { Load, type LoadOptions } from './load.ts'

export type Aim = {
  url: string
  protocol: 'rw1' | 'rw2'
  /** One load per sender; all senders of a round push the same series. */
  loads: LoadOptions[]
}

export type Rounds = {
  from: number
  count: number
  /** Which of the loads take part; all, if not said. */
  senders?: number[]
}

export type Sending = {
  connections: number
  /** Pushes per second over all connections, evenly spread; as fast as they are answered, if not said. */
  pushesPerSecond?: number
}

export type Sent = {
  pushes: number
  samples: number
  seconds: number
  ackMs: { p50: number; p99: number }
}

const HEADERS = {
  rw1: {
    'content-type': 'application/x-protobuf',
    'x-prometheus-remote-write-version': '0.1.0',
  },
  rw2: {
    'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
    'x-prometheus-remote-write-version': '2.0.0',
  },
}

let url = ''
let headers: Record<string, string> = {}
let loads: Load[] = []
/** Bodies that wait to be sent, the next one first. */
let bodies: Iterator<Buffer> = [].values()
let amount = 0

const orders = {
  aim: (aim: Aim): { pushesPerRound: number; samplesPerRound: number } => {
    url = aim.url
    headers = { ...HEADERS[aim.protocol], 'content-encoding': 'snappy' }
    loads = aim.loads.map((load) => new Load(load))
    const { pushesPerRound, pushSamples } = loads[0]!
    return { pushesPerRound, samplesPerRound: pushesPerRound * pushSamples }
  },

  /** Makes bodies before they are needed, so that making them takes nothing from the load. */
  prepare: (rounds: Rounds): number => {
    const made = Array.from(bodiesOf(rounds))
    bodies = made.values()
    amount = made.length
    return made.reduce((sum, { length }) => sum + length, 0)
  },

  /** Bodies are made when their turn comes. */
  begin: (rounds: Rounds): void => {
    bodies = bodiesOf(rounds)
    amount = amountOf(rounds)
  },

  /** As `begin`, but every sample bears the time at which its push was made. */
  beginStamped: (rounds: Rounds): void => {
    bodies = bodiesOf(rounds, (load, push, round) => load.bodyAt(push, round, Date.now()))
    amount = amountOf(rounds)
  },

  /** Sends what was prepared or begun, and resolves when everything has been answered. */
  send: async ({ connections, pushesPerSecond }: Sending): Promise<Sent> => {
    const answerMs: number[] = []
    const startMs = performance.now()
    if (pushesPerSecond === undefined) await fire({ connections: Math.min(connections, amount) })
    else await Promise.all(staggered(connections, pushesPerSecond))
    const seconds = (performance.now() - startMs) / 1000
    answerMs.sort((one, other) => one - other)
    const ackMs = { p50: quantile(answerMs, 0.5), p99: quantile(answerMs, 0.99) }
    return { pushes: amount, samples: amount * loads[0]!.pushSamples, seconds, ackMs }

    /**
     * autocannon sends a second's share of a connection in one go; many slow connections that
     * start one after another make an even stream of it.
     */
    function staggered(many: number, perSecond: number): Promise<void>[] {
      return Array.from({ length: many }, async (_, i) => {
        await delay((i * 1000) / many)
        const share = Math.floor((amount + i) / many)
        await fire({ connections: 1, share, rate: Math.ceil(perSecond / many) })
      })
    }

    function fire(part: { connections: number; share?: number; rate?: number }): Promise<void> {
      const { share = amount, rate } = part
      return new Promise((resolve, reject) => {
        const request = {
          setupRequest: (raw: { body: Buffer }) =>
            Object.assign(raw, { body: bodies.next().value }),
          onResponse: (status: number, body: string) => {
            if (status >= 300) reject(new Error(`the target answered ${status}: ${body}`))
          },
        }
        const options = {
          ...{ url, method: 'POST' as const, headers, connections: part.connections },
          ...{ amount: share, timeout: 60, requests: [request] },
          ...(rate !== undefined && { connectionRate: rate }),
        }
        autocannon(options, (error, { errors }) => {
          if (error !== null) reject(error)
          else if (errors > 0) reject(new Error(`${errors} pushes had no answer`))
          else resolve()
        }).on('response', (_client, _status, _bytes, ms: number) => answerMs.push(ms))
      })
    }
  },
}
export type SenderOrders = typeof orders

function* bodiesOf(
  { from, count, senders = loads.map((_, i) => i) }: Rounds,
  make = (load: Load, push: number, round: number): Buffer => load.body(push, round),
): Generator<Buffer> {
  for (let round = from; round < from + count; round++) {
    for (let push = 0; push < loads[0]!.pushesPerRound; push++) {
      for (const sender of senders) yield make(loads[sender]!, push, round)
    }
  }
}

function amountOf({ count, senders = loads.map((_, i) => i) }: Rounds): number {
  return count * loads[0]!.pushesPerRound * senders.length
}

function quantile(sorted: number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
}

obey(orders)
