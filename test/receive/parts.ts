import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { expect } from 'vitest'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import { createLogger, type Logger } from '../../src/base/log.ts'
import type { TlsFiles } from '../../src/base/tls-files.ts'
import type { Outcome } from '../../src/model/outcome.ts'
import { Permits } from '../../src/receive/permit.ts'
import { faultless, type ReceivedPush } from '../../src/receive/push.ts'
import { createServer, type Routes, type Server, type Timeouts } from '../../src/receive/server.ts'
import { createWriteHandler, type WriteParts } from '../../src/receive/write.ts'

/** One connection, on which a test says byte for byte what it sends. */
export type Connection = {
  socket: Socket
  send(bytes: string | Uint8Array): void
  /** Everything that has come so far. */
  received(): string
  /** Resolves when `text` has come so often. */
  until(text: string, times?: number): Promise<void>
  /** Resolves when nothing more can come; never rejects. */
  closed: Promise<void>
}

/** From an address of the loopback: each is somebody else. */
export async function connectTo(port: number, localAddress = '127.0.0.1'): Promise<Connection> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true, localAddress })
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk
  })
  // A reset is one of the ways in which a connection ends.
  socket.on('error', () => {})
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => resolve())
  })
  await once(socket, 'connect')
  return {
    socket,
    send: (bytes) => void socket.write(bytes),
    received: () => text,
    until: (wanted, times = 1) =>
      expect
        .poll(() => text.split(wanted).length - 1, { timeout: 5_000, interval: 5 })
        .toBeGreaterThanOrEqual(times),
    closed,
  }
}

/** Sends for as long as the kernel takes it, and resolves with how many bytes it took. */
export async function sendUntilClosed(
  { socket, closed }: Connection,
  max: number,
): Promise<number> {
  const piece = Buffer.alloc(64 * 1024, 'x')
  for (let bytes = 0; bytes < max; bytes += piece.length) {
    const isTaken = new Promise<boolean>((resolve) => {
      socket.write(piece, (error) => resolve(error === null || error === undefined))
    })
    if (!(await Promise.race([isTaken, closed.then(() => false)]))) return bytes
  }
  return max
}

/** What was answered on one connection: the status of each answer, interim ones included. */
export function statusesOf(received: string): number[] {
  return [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))
}

export type TestServer = { server: Server; port: number; connect(): Promise<Connection> }

export type TestServerOptions = {
  timeouts?: Timeouts
  log?: Logger
  tls?: TlsFiles
  clock?: Clock
}

/** Runs `body` with a server over `routes`; all connections are ended afterwards. */
export async function withServer(
  routes: Routes,
  body: (server: TestServer) => Promise<void>,
  { timeouts, log = createLogger({ level: 'silent' }), tls, clock }: TestServerOptions = {},
): Promise<void> {
  const server = createServer({
    ...{ host: '127.0.0.1', port: 0, routes, clock: clock ?? systemClock, log },
    tls: tls ?? null,
    ...(timeouts === undefined ? {} : { timeouts }),
  })
  const port = await server.start()
  const connections: Connection[] = []
  try {
    await body({
      server,
      port,
      connect: async () => {
        const connection = await connectTo(port)
        connections.push(connection)
        return connection
      },
    })
  } finally {
    for (const { socket } of connections) socket.destroy()
    await server.stop(0)
  }
}

export type Writing = TestServer & {
  permits: Permits
  /** What reached the ingest. */
  pushes: ReceivedPush[]
  counters: ReturnType<typeof createWriteHandler>['counters']
}

const WRITTEN = { samples: 1, histograms: 2, exemplars: 3 }

/** Runs `body` with the write handler at `/api/v1/write`; the ingest accepts all by default. */
export async function withWriting(
  body: (writing: Writing) => Promise<void>,
  options: Partial<WriteParts> & { timeouts?: Timeouts } = {},
): Promise<void> {
  const { permits = new Permits(), ingest, timeouts, ...rest } = options
  const pushes: ReceivedPush[] = []
  const { handle, counters } = createWriteHandler({
    identify: () => ({ cluster: 'default' }),
    ingest: faultless(
      async (push) => {
        pushes.push(push)
        return (await ingest?.(push)) ?? ({ kind: 'accepted', written: WRITTEN } satisfies Outcome)
      },
      createLogger({ level: 'silent' }),
    ),
    permits,
    clock: systemClock,
    random: () => 0.5,
    ...rest,
  })
  await withServer(
    { '/api/v1/write': handle },
    (server) => body({ ...server, permits, pushes, counters }),
    timeouts === undefined ? {} : { timeouts },
  )
}

/** The head of a push; `headers` as they are written, without the line breaks. */
export function pushHead(...headers: string[]): string {
  return `${['POST /api/v1/write HTTP/1.1', 'Host: sluice', ...headers].join('\r\n')}\r\n\r\n`
}
